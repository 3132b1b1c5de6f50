"""Input and output signatures of variants, all that the HTTP side knows of a network.

Nothing here imports torch, which takes seconds. So a mistyped argument fails at once, the HTTP side
can refuse a bad tensor while the network still loads, and its tests need no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["RAISED", "SIGNATURES", "SUPERNET", "Floats", "LoadError", "Model", "Signature"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One input and one output tensor, both FP32; shapes are without the batch dimension."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    input_name: str = "image"
    output_name: str = "logits"


class Model(Protocol):
    """A loaded network. Its methods are called from one thread only."""

    @property
    def weights_bytes(self) -> int:
        """Memory of its parameters and buffers, in bytes."""
        ...

    def __call__(self, batch: Floats) -> Floats:
        """Return the answers to a batch. Raises RuntimeError if it can't compute this batch."""
        ...

    def use_threads(self, threads: int) -> None:
        """Compute with this many threads from now on."""
        ...


class LoadError(Exception):
    """The network could not be made ready; the message says what to do."""


RAISED = (Exception, SystemExit)
"""
Exceptions of a network's code that the server survives. SystemExit is among them, since a user's
module may exit if it lacks something, which would end the executor of all other models too.
"""

_GLYPHS = Signature(input_shape=(1, 32, 32), output_shape=(36,))
_SIGNALS = Signature(input_shape=(40,), output_shape=(10,), input_name="signal")
_IMAGENET = Signature(input_shape=(3, 224, 224), output_shape=(1000,))

SUPERNET = "mnist1d"

SIGNATURES: Mapping[str, Signature] = {
    **{f"glyph-{rung}": _GLYPHS for rung in range(1, 6)},
    SUPERNET: _SIGNALS,
    **{f"resnet{depth}": _IMAGENET for depth in (18, 34, 50, 101, 152)},
}
