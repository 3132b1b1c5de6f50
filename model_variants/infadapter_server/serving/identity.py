"""Which network answers, and under which name."""

from dataclasses import dataclass

from infadapter_server.networks.signatures import Signature
from infadapter_server.serving.oip.metadata import PYTORCH, Platform

__all__ = ["Identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which network answers, and the name of the service under which it does."""

    variant: str
    model: str
    signature: Signature
    platform: Platform = PYTORCH
    accuracy: float | None = None  # a fraction, if it was measured of these very weights
