"""Description of a stored model: all that an executor on any machine needs to load it."""

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
    """A stored model. `name` is its name in requests; `file` is None for a variant's own weights.

    `rungs` are the networks of a ladder; `accuracy` is the configured one of a rung.
    `profiled_points`: the profile's operating points, which must equal those of the loaded network.
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
