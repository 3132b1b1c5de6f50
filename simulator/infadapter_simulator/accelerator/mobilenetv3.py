"""Layers of OFA-MobileNetV3 (Once-for-all, ICLR'20), from its depth, expansion and kernel sizes."""

from collections.abc import Iterator, Mapping
from typing import Any

from infadapter_scheduler.subgraphs import Slice
from infadapter_simulator.accelerator.layers import Layer

WIDTHS, STRIDES = (24, 40, 80, 112, 160), (2, 2, 2, 1, 2)
STEM, LAST, FEATURES, CLASSES = 16, 960, 1280, 1000
MOST_BLOCKS = 4
HEAD = 3 + 3 * MOST_BLOCKS * len(WIDTHS)


def layers(shape: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Return the convolutions and the classifier; squeeze-and-excitation is not simulated."""
    return tuple(_layers(shape["pixels"], shape["depth"], shape["expansion"], shape["side"]))


def rounded(channels: float) -> int:
    """Round to a multiple of eight, by no more than a tenth down."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def _layers(pixels: int, depth: int, expansion: int, side: int) -> Iterator[Layer]:
    yield Layer(0, Slice(STEM, 3, 3), pixels, 2)
    pixels, channels = pixels // 2, STEM
    yield Layer(1, Slice(STEM, 1, 3), pixels, depthwise=True)
    yield Layer(2, Slice(STEM, STEM), pixels)
    for stage, (width, stride) in enumerate(zip(WIDTHS, STRIDES, strict=True)):
        for block in range(depth):
            slot = 3 + 3 * (MOST_BLOCKS * stage + block)
            middle, step = rounded(channels * expansion), 1 if block else stride
            yield Layer(slot, Slice(middle, channels), pixels)
            yield Layer(slot + 1, Slice(middle, 1, side), pixels, step, depthwise=True)
            pixels, channels = pixels // step, width
            yield Layer(slot + 2, Slice(width, middle), pixels)
    yield Layer(HEAD, Slice(LAST, channels), pixels)
    yield Layer(HEAD + 1, Slice(FEATURES, LAST), 1)
    yield Layer(HEAD + 2, Slice(CLASSES, FEATURES), 1)
