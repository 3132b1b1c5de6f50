"""
Latency of a layer on an accelerator, by the part of its weights that is on the chip: two models.

Neither was validated with an on-chip cache: no measurement with one is public. Bytes and megabytes
are decimal; a weight is a byte.
"""

from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Protocol

from infadapter_simulator.accelerator.layers import Layer

ARRAY_KERNELS, ARRAY_CHANNELS, ARRAY_TAPS = 16, 9, 9
"""Dimensions of SushiAccel's array: 1,296 multiply-accumulates per cycle."""


class Accelerator(Protocol):
    @property
    def buffer_bytes(self) -> int:
        """Size of the buffer for the cached SubGraph, bytes."""
        ...

    def layer_ms(self, layer: Layer, cached: int) -> float:
        """Return the latency with this many of the layer's weights cached, ms."""
        ...

    def traffic_bytes(self, layer: Layer, cached: int) -> int:
        """Return the off-chip traffic with this many weights cached, bytes."""
        ...

    def refill_ms(self, fetched: int) -> float: ...


@dataclass(frozen=True, slots=True)
class Board:
    """
    The ZCU104 on which FEATHER's authors measured 108 3×3 layers at 100 MHz, without a cache.

    Fitted to those: weights are not fetched while computing, and a layer with a stride computes at
    the resolution of its *input*. 1×1 layers were not measured; the assumption is that 81 channels
    replace 9 channels and 9 taps, with the same overheads. Features stay on the chip.
    """

    buffer_bytes: int = 4_194_304
    bandwidth_gb_s: float = 1 / 0.292
    clock_mhz: float = 100.0

    def faster(self, factor: float) -> "Board":
        """Return the board with a clock faster by this factor."""
        return replace(self, clock_mhz=factor * self.clock_mhz)

    def layer_ms(self, layer: Layer, cached: int) -> float:
        return 0.090 + 1.158 * self._compute_ms(layer) + self.refill_ms(layer.weights - cached)

    def _compute_ms(self, layer: Layer) -> float:
        taps, part = layer.part.side * layer.part.side, layer.part
        channels = ARRAY_CHANNELS if taps > 1 else ARRAY_CHANNELS * ARRAY_TAPS
        cycles = ceil(part.kernels / ARRAY_KERNELS) * ceil(part.channels / channels)
        cycles *= ceil(taps / ARRAY_TAPS) * layer.pixels * layer.pixels
        return cycles / (1000 * self.clock_mhz)

    def traffic_bytes(self, layer: Layer, cached: int) -> int:
        return layer.weights - cached

    def refill_ms(self, fetched: int) -> float:
        return fetched / (1e6 * self.bandwidth_gb_s)


@dataclass(frozen=True, slots=True)
class Roofline:
    """
    The analytic study's model: a layer takes the longer of computing and transfers.

    Peak, bandwidth and buffer are recollected from SUSHI's study, not read. Features are
    transferred off the chip if those of a layer do not fit into `feature_bytes`.
    """

    buffer_bytes: int = 1_728_000
    bandwidth_gb_s: float = 19.2
    peak_tops: float = 1.296
    feature_bytes: float = inf

    def faster(self, factor: float) -> "Roofline":
        """Return the model with a peak higher by this factor."""
        return replace(self, peak_tops=factor * self.peak_tops)

    def layer_ms(self, layer: Layer, cached: int) -> float:
        compute_ms = 2 * layer.macs / (1e9 * self.peak_tops)
        return max(compute_ms, self.refill_ms(self.traffic_bytes(layer, cached)))

    def traffic_bytes(self, layer: Layer, cached: int) -> int:
        spilled = layer.feature_bytes if layer.feature_bytes > self.feature_bytes else 0
        return layer.weights - cached + spilled

    def refill_ms(self, fetched: int) -> float:
        return fetched / (1e6 * self.bandwidth_gb_s)
