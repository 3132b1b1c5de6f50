"""The part of each SuperNet layer that a SubNet or SubGraph uses: always its leading part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """
    The first kernels, their first channels, and the central `side` of each. A depthwise convolution
    has one channel, a matrix a side of one.
    """

    kernels: int
    channels: int
    side: int = 1

    @property
    def weights(self) -> int:
        return self.kernels * self.channels * self.side * self.side

    def shared(self, other: "Slice") -> "Slice":
        return Slice(
            min(self.kernels, other.kernels),
            min(self.channels, other.channels),
            min(self.side, other.side),
        )


Slices = Mapping[int, Slice]
"""Slices by layer of the SuperNet; an absent layer is unused."""

ABSENT = Slice(0, 0, 0)


def weights(slices: Slices) -> int:
    return sum(one.weights for one in slices.values())


def shared(one: Slices, other: Slices) -> dict[int, Slice]:
    """Return the intersection."""
    return {layer: one[layer].shared(other[layer]) for layer in one if layer in other}


def vector(slices: Slices, layers: Sequence[int]) -> tuple[float, ...]:
    """Return kernels, channels and side of each layer, in the order of `layers`."""
    parts = (slices.get(layer, ABSENT) for layer in layers)
    return tuple(chain.from_iterable((p.kernels, p.channels, p.side) for p in parts))
