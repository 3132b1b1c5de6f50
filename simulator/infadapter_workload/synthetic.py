"""Synthetic traces from a seed, of kinds that a policy or forecaster must cope with."""

import math
import re

import numpy as np

from infadapter_workload.shapes import SHAPES, noise
from infadapter_workload.trace import MAX_SECONDS, Array, Trace, TraceError

PREFIX = "synthetic:"
KINDS = tuple(SHAPES)

PEAK_RPS = 300.0
"""Peak of a trace without a given mean: what the examples' profiles can serve."""

_MEAN_RPS = (60.0, 120.0)
_PEAK_TO_MEAN = 6.5  # at most a little more, so that the peak does not push the mean below 40 rps
_LEVELS = (0.0, 3.0)  # range of the mean of training traces, log10 of requests per second
_LENGTHS_S = (2 * 3600, 4 * 3600)


def synthetic(kind: str, seed: int, seconds: int = 3600, mean_rps: float | None = None) -> Trace:
    """
    Return rates of this kind, the same for the same arguments.

    Without a mean it is drawn: 40 to 150 requests per second with a peak of at most 300. Raises
    TraceError for an unknown kind, or a length or mean out of range.
    """
    _check(kind, seconds, mean_rps)
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    drawn_rps = rng.uniform(*_MEAN_RPS)
    shape = _noisy(kind, rng, seconds)
    level = mean_rps if mean_rps is not None else min(drawn_rps, PEAK_RPS / shape.max())
    return Trace(name=f"{PREFIX}{kind}:{seed}", rates=shape * level)


def parse_synthetic(text: str, seconds: int = 3600, mean_rps: float | None = None) -> Trace | None:
    """
    Return the trace named `synthetic:KIND[:SEED]` (seed 0 by default), None for other texts. Raises
    TraceError for an invalid name of that form.
    """
    if not text.startswith(PREFIX):
        return None
    match = re.fullmatch(r"([a-z-]*)(?::([0-9]{1,18}))?", text.removeprefix(PREFIX))
    if not match:
        raise TraceError(
            f"{text!r} must be {PREFIX}KIND or {PREFIX}KIND:SEED, the seed a whole number from 0."
        )
    return synthetic(match[1], int(match[2] or 0), seconds, mean_rps)


def training_traces(count: int, seed: int) -> list[Array]:
    """
    Return counts per second for training a forecaster: any kind, 1 to 1,000 rps, 2 to 4 hours. A
    larger `count` extends a smaller one.
    """
    return [_training_trace(np.random.default_rng([seed, index])) for index in range(count)]


def _training_trace(rng: np.random.Generator) -> Array:
    kind = KINDS[int(rng.integers(len(KINDS)))]
    seconds = int(rng.integers(*_LENGTHS_S, endpoint=True))
    level: float = 10 ** rng.uniform(*_LEVELS)
    return rng.poisson(level * _noisy(kind, rng, seconds)).astype(np.float64)


def _noisy(kind: str, rng: np.random.Generator, seconds: int) -> Array:
    """Return the shape with noise, a mean of 1 and a bounded peak."""
    share, memory_s = rng.uniform(0.02, 0.05), rng.uniform(4, 40)
    shape = SHAPES[kind](rng, seconds)
    shape = shape / shape.mean() * noise(rng, seconds, share=share, memory_s=memory_s)
    return _bounded(shape / shape.mean())


def _bounded(shape: Array) -> Array:
    """Compress values above half the highest allowed peak, so that none exceeds it."""
    bend = _PEAK_TO_MEAN / 2
    over = (shape - bend).clip(0)
    bent = np.minimum(shape, bend) + bend * over / (bend + over)
    return np.asarray(bent / bent.mean())


def _check(kind: str, seconds: int, mean_rps: float | None) -> None:
    if kind not in SHAPES:
        raise TraceError(f"There is no synthetic trace {kind!r}; there are {', '.join(KINDS)}.")
    if not 1 <= seconds <= MAX_SECONDS:
        raise TraceError(f"A synthetic trace lasts from 1 to {MAX_SECONDS:,} s, not {seconds} s.")
    if mean_rps is not None and not (math.isfinite(mean_rps) and mean_rps > 0):
        raise TraceError(f"The mean of a trace must be a number above 0, not {mean_rps:g}.")
