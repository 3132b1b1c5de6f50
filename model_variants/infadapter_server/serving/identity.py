"""The identity of a served network."""

from dataclasses import dataclass

from infadapter_server.networks.signatures import Signature
from infadapter_server.serving.oip.metadata import PYTORCH, Platform

__all__ = ["Identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The network, and the name of the service under which it answers."""

    variant: str
    model: str
    signature: Signature
    platform: Platform = PYTORCH
    accuracy: float | None = None  # a fraction, if it was measured of these very weights
