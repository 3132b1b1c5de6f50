"""A model as it is stored: all that an executor needs to load it, here or on another machine."""

from dataclasses import dataclass
from enum import StrEnum

from infadapter_server.networks.signatures import Signature


class Format(StrEnum):
    VARIANT = "variant"  # a network of ours by its name, with a state_dict or what ships with it
    TORCHSCRIPT = "torchscript"
    EXPORT = "export"  # torch.export.save's
    ONNX = "onnx"
    PYTHON = "python"  # a module whose `load` returns an adaptive network
    LADDER = "ladder"  # several ordinary networks, the operating points of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """`name` is what it answers under; `file` is None for the weights that ship with a variant.

    `rungs` are the networks of a ladder. `accuracy` is what is told of one that is a rung.
    `profiled_points`: the operating points that a profile knows, which those loaded are held to.
    """

    name: str
    version: str
    format: Format
    signature: Signature
    variant: str = ""
    file: str | None = None
    batch_sizes: tuple[int, ...] = (1,)
    accuracy: float | None = None
    rungs: tuple["Stored", ...] = ()
    profiled_points: tuple[str, ...] = ()
