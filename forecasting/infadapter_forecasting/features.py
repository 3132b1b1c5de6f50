"""
The inputs of the quantile network, independent of the scale of the load.

Loads of 5 and 500 rps look alike after division by their own spread. The spread relative to that of
Poisson arrivals tells noise from change.
"""

from dataclasses import dataclass

import numpy as np

from infadapter_forecasting.forecaster import Array, Rates, Seconds
from infadapter_forecasting.rates import with_past

BLOCKS = ((1, 10), (5, 10), (10, 6), (30, 16), (120, 10))
"""(length in s, count), backwards from now: ten fine seconds, half an hour in all."""

WINDOW_S = sum(length * count for length, count in BLOCKS)
LEVEL_S = 30
NOISE_S = 5
"""Bucket length whose Poisson noise is the unit of spread."""

REACH = 0.2
"""
Share of the distance to the highest rate of the half hour that counts as spread, since that load
may return.
"""

LEAST_REQUESTS = 1.0
"""A window without requests is assumed to have a rate of up to one request in it."""

PEAKS = ((60, 10), (120, 10))
"""
(length in s, count) of windows whose highest bucket is an input, as it is the target for the next
one.
"""

SHAPES = 5
"""Number of further inputs."""

INPUTS = sum(count for _, count in BLOCKS) + sum(count for _, count in PEAKS) + SHAPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Forecasts are `level + spread × output`."""

    inputs: Array  # (origins, INPUTS), all of the order of one
    level_rps: Array  # (origins,)
    spread_rps: Array  # (origins,), above 0


def features(history: Rates, origins: Seconds) -> Features:
    """Return the inputs of each origin, from the `WINDOW_S` seconds before it."""
    low = max(0, int(origins.min()) - WINDOW_S)
    recent = with_past(history[low : int(origins.max())], WINDOW_S)
    ends = origins - low + WINDOW_S
    sums = np.concatenate(([0.0], np.cumsum(recent)))
    level = _mean(sums, ends, LEVEL_S)
    seen = np.concatenate((_block_means(sums, ends), _peaks(sums, ends)), axis=1)
    above = seen - level[:, None]
    poisson = np.sqrt((level + LEAST_REQUESTS / LEVEL_S) / NOISE_S)
    wobble = np.mean(above[:, 10:20] ** 2, axis=1)  # of the buckets of the last minute
    reach = REACH * above.max(axis=1)
    spread = np.sqrt(poisson**2 + wobble + reach**2)
    shapes = (
        np.log(poisson),
        np.log(spread / poisson),
        np.log(spread / (level + LEAST_REQUESTS / LEVEL_S)),
        np.log(_roughness(recent, ends) / poisson),
        np.minimum(origins, WINDOW_S) / WINDOW_S,
    )
    blocks = np.arcsinh(above / spread[:, None])
    inputs = np.concatenate((blocks, np.stack(shapes, axis=1)), axis=1)
    return Features(inputs=inputs, level_rps=level, spread_rps=spread)


def _edges() -> tuple[Seconds, Array]:
    lengths = np.repeat([length for length, _ in BLOCKS], [count for _, count in BLOCKS])
    back = np.concatenate(([0], np.cumsum(lengths)))
    return back.astype(np.intp), lengths.astype(np.float64)


_BACK, _LENGTHS = _edges()


def _block_means(sums: Array, ends: Seconds) -> Array:
    """Return (origins, blocks), latest first."""
    at = sums[ends[:, None] - _BACK]
    means: Array = (at[:, :-1] - at[:, 1:]) / _LENGTHS
    return means


def _peaks(sums: Array, ends: Seconds) -> Array:
    """Return (origins, peaks) rps, latest first."""
    at = sums[ends[:, None] - np.arange(0, WINDOW_S + 1, NOISE_S)]
    buckets = (at[:, :-1] - at[:, 1:]) / NOISE_S
    found, first = [], 0
    for length, count in PEAKS:
        last = first + length * count // NOISE_S
        groups = buckets[:, first:last].reshape(len(ends), count, length // NOISE_S)
        found.append(groups.max(axis=2))
        first = last
    return np.concatenate(found, axis=1)


def _mean(sums: Array, ends: Seconds, length_s: int) -> Array:
    mean: Array = np.maximum(sums[ends] - sums[ends - length_s], 0.0) / length_s
    return mean


def _roughness(recent: Rates, ends: Seconds) -> Array:
    """Return the differences of neighbouring seconds over a minute: noise without changes."""
    squares = np.concatenate(([0.0, 0.0], np.cumsum(np.diff(recent) ** 2)))
    rough: Array = np.sqrt(_mean(squares, ends, 60) / 2 / NOISE_S + 1e-3)
    return rough
