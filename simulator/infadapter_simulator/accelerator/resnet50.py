"""Convolutions of OFA-ResNet50 (Once-for-all, ICLR'20), from the widths of a SubNet."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from infadapter_scheduler.subgraphs import Slice
from infadapter_simulator.accelerator.layers import Layer

STEM_LAYERS, BLOCKS = 3, (4, 4, 6, 4)
"""
Layers of the stem, and blocks per stage, of the largest SubNet: they determine a layer's slot in
the SuperNet.
"""


def layers(shape: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Return the convolutions in the order of execution. The source lacks the classifier."""
    return tuple(_layers(shape["pixels"], shape["stem"], shape["stages"]))


def _layers(pixels: int, stem: list[int], stages: Mapping[int, list[int]]) -> Iterator[Layer]:
    channels = 3
    for slot, kernels in enumerate(stem):
        yield Layer(slot, Slice(kernels, channels, 3), pixels, 1 if slot else 2)
        channels, pixels = kernels, pixels if slot else pixels // 2
    pixels //= 2  # maximum pooling
    first = STEM_LAYERS
    for stage, (width, middles) in enumerate(stages.items()):
        slots, stride = count(first), 2 if stage else 1
        for block, middle in enumerate(middles):
            yield from _block(slots, channels, middle, width, pixels, 1 if block else stride)
            if not block:
                pixels //= stride
                yield Layer(next(slots), Slice(width, channels), pixels)
            channels = width
        first += 3 * BLOCKS[stage] + 1


def _block(
    slots: Iterator[int], channels: int, middle: int, width: int, pixels: int, stride: int
) -> Iterator[Layer]:
    """Yield the block's convolutions; the shortcut, which pools before it convolves, comes last."""
    yield Layer(next(slots), Slice(middle, channels), pixels)
    yield Layer(next(slots), Slice(middle, middle, 3), pixels, stride)
    yield Layer(next(slots), Slice(width, middle), pixels // stride)
