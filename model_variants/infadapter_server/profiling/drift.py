"""
Estimate by how much a machine's speed differs between two runs, from its drift within one run.

A slowdown lasts for seconds or for minutes, and a run of a minute does not see the end of a long
one. The speed is modelled as a process that forgets exponentially (Ornstein–Uhlenbeck), observed
with noise. Its memory is unknown, so every memory counts by its likelihood. Swings that came and
went widen the interval by their size, a drift that continues by what it may become. Changes slower
than the longest memory cannot be seen in a run. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from infadapter_server.profiling.interval import student_95

Floats = NDArray[np.float64]

MEMORIES_S = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0)
_NOISES = (0.01, 0.1, 1.0)  # of the drift's variance
LEAST_SPEEDS = 6
_LEAST_SQUARES = 1e-12  # a machine in virtual time does not vary at all


@dataclass(frozen=True, slots=True)
class Speed:
    """The logarithm of a machine's speed at a moment of a run."""

    at_s: float
    logarithm: float


def between_runs(speeds: Sequence[Speed], run_s: float, windows: int) -> float | None:
    """
    Return half of the 95 % interval of the logarithm of the ratio of two such runs' mean speeds,
    from the speeds in this many windows; None if there are too few.
    """
    if len(speeds) < LEAST_SPEEDS:
        return None
    at_s = np.array([speed.at_s for speed in speeds])
    gaps_s = np.abs(at_s[:, None] - at_s)
    seen = np.array([speed.logarithm for speed in speeds])
    likely, variances = [], []
    for memory_s, noise in product(MEMORIES_S, _NOISES):
        likelihood, variance = _fitted(seen, np.exp(-gaps_s / memory_s), noise)
        likely.append(likelihood)
        variances.append(2 * variance * _of_a_mean(run_s / memory_s))
    variance = float(np.average(variances, weights=np.exp(np.array(likely) - max(likely))))
    return student_95(windows - 1) * math.sqrt(variance)


def _fitted(seen: Floats, correlation: Floats, noise: float) -> tuple[float, float]:
    """Return the log-likelihood and the drift's variance, with unknown mean and scale."""
    more = len(seen) - 1
    covariance = correlation + noise * np.eye(len(seen))
    inverse = np.linalg.inv(covariance)
    known = float(inverse.sum())  # of the mean
    rest = seen - float(inverse.sum(axis=0) @ seen) / known
    squares = max(float(rest @ inverse @ rest), _LEAST_SQUARES)
    volume = float(np.linalg.slogdet(covariance)[1])
    return -(volume + math.log(known) + more * math.log(squares)) / 2, squares / more


def _of_a_mean(memories: float) -> float:
    """Return the variance of a mean over this many memories, relative to that at one moment."""
    return 2 / memories * (1 - (1 - math.exp(-memories)) / memories)
