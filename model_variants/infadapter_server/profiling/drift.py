"""
By how much a machine's speed differs between two runs, told from how it drifts within one.

A machine that is slow now has been so for seconds or for minutes, and a run of a minute has not
seen the end of the latter. Its speed is taken for a process that forgets exponentially (Ornstein
and Uhlenbeck's), seen with noise: how long it remembers is unknown, so each memory counts by its
likelihood. Swings that came and went widen an interval by what they were, a drift that still goes
on by what it may come to. What lasts for longer than the longest memory no run tells. Pure.
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
    Half of the 95 % interval of the logarithm of the ratio of two such runs' mean speeds, told by
    the speeds in so many windows. None: too few tell.
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
    """The logarithm of the likelihood, and the drift's variance: mean and scale are unknown."""
    more = len(seen) - 1
    covariance = correlation + noise * np.eye(len(seen))
    inverse = np.linalg.inv(covariance)
    known = float(inverse.sum())  # of the mean
    rest = seen - float(inverse.sum(axis=0) @ seen) / known
    squares = max(float(rest @ inverse @ rest), _LEAST_SQUARES)
    volume = float(np.linalg.slogdet(covariance)[1])
    return -(volume + math.log(known) + more * math.log(squares)) / 2, squares / more


def _of_a_mean(memories: float) -> float:
    """The variance of the mean over so many memories, of that at a moment."""
    return 2 / memories * (1 - (1 - math.exp(-memories)) / memories)
