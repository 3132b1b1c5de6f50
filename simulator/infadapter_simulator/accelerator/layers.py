"""A layer of a SubNet, as an accelerator model sees it."""

from dataclasses import dataclass
from math import ceil

from infadapter_scheduler.subgraphs import Slice


@dataclass(frozen=True, slots=True)
class Layer:
    """
    A convolution, or a matrix as a convolution of 1×1 pixel; 8 bits per weight and activation.

    `slot` is its place in the SuperNet. `pixels` is the side of its input, padded so that the
    output has `pixels` / `stride`. A depthwise convolution has one channel per kernel.
    """

    slot: int
    part: Slice
    pixels: int
    stride: int = 1
    depthwise: bool = False

    @property
    def outputs(self) -> int:
        """The side of the output."""
        return ceil(self.pixels / self.stride)

    @property
    def weights(self) -> int:
        return self.part.weights

    @property
    def macs(self) -> int:
        return self.part.weights * self.outputs * self.outputs

    @property
    def feature_bytes(self) -> int:
        """Bytes of activations read and written."""
        inputs = self.part.kernels if self.depthwise else self.part.channels
        return inputs * self.pixels * self.pixels + self.part.kernels * self.outputs * self.outputs
