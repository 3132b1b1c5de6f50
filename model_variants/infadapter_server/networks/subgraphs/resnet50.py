"""
OFA-ResNet50 (Once-for-all, ICLR'20) on shared weights: a SubNet is a slice of each layer.

For measuring time: weights are random, normalisation is folded into them, the classifier is left
out. Layers are numbered as in the SuperNet: three of the stem, then each block's, whose shortcut
comes after a stage's first.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from infadapter_scheduler.subgraphs import Slice, Slices
from infadapter_server.networks.subgraphs.packed import PackedSlices

__all__ = ["largest", "random_weights", "run"]

STEM, BLOCKS = (0, 1, 2), (4, 4, 6, 4)


def largest(subnets: list[Slices]) -> dict[int, Slice]:
    """Return the smallest slices that contain all SubNets."""
    found: dict[int, Slice] = {}
    for layer, part in (item for subnet in subnets for item in subnet.items()):
        old = found.get(layer, part)
        found[layer] = Slice(
            max(old.kernels, part.kernels), max(old.channels, part.channels), part.side
        )
    return found


def random_weights(layers: Mapping[int, Slice]) -> dict[int, Tensor]:
    """Return random weights, scaled to keep the variance of activations across layers."""
    return {
        layer: torch.randn(part.kernels, part.channels, part.side, part.side)
        * (part.channels * part.side * part.side) ** -0.5
        for layer, part in layers.items()
    }


def run(x: Tensor, subnet: Slices, weights: PackedSlices) -> Tensor:
    """Float32 [1, 3, pixels, pixels] to features [1, channels]."""
    y = x
    for layer in (layer for layer in STEM if layer in subnet):
        stride = 1 if layer else 2
        y = functional.relu(_convolve(y, layer, subnet, weights, stride))
    y = functional.max_pool2d(y, 3, 2, padding=1)
    for stage, blocks in enumerate(_stages()):
        for block, first in enumerate(blocks):
            if first in subnet:
                y = _block(y, first, subnet, weights, 2 if stage and not block else 1, not block)
    return y.mean((2, 3))


def _stages() -> Iterator[list[int]]:
    """Yield, for each stage, the first layer of each of its blocks."""
    at = len(STEM)
    for blocks in BLOCKS:
        yield [at, *(at + 4 + 3 * number for number in range(blocks - 1))]
        at += 3 * blocks + 1


def _block(
    x: Tensor, first: int, subnet: Slices, weights: PackedSlices, stride: int, begins: bool
) -> Tensor:
    y = functional.relu(_convolve(x, first, subnet, weights))
    y = functional.relu(_convolve(y, first + 1, subnet, weights, stride))
    y = _convolve(y, first + 2, subnet, weights)
    if begins:
        pooled = functional.avg_pool2d(x, stride) if stride > 1 else x
        x = _convolve(pooled, first + 3, subnet, weights)
    return functional.relu(y + x)


def _convolve(
    x: Tensor, layer: int, subnet: Slices, weights: PackedSlices, stride: int = 1
) -> Tensor:
    part = subnet[layer]
    weight = weights.weight(layer, part)
    return functional.conv2d(x, weight, stride=stride, padding=part.side // 2)
