"""Deviations of execution times from the table, for simulations."""

from collections.abc import Callable, Sequence
from math import exp, log
from random import Random

Deviation = Callable[[float, Random], float]
"""A function from the expected time (s) and a random source to the actual time."""

LEAST = 0.5
"""Lower bound of an execution, as a share of the expected time."""


def exact(seconds: float, draw: Random) -> float:
    return seconds


def lognormal(sigma: float) -> Deviation:
    """Return relative lognormal errors."""
    return lambda seconds, draw: seconds * exp(draw.gauss(0.0, sigma)) if sigma else seconds


def resampled(errors: Sequence[float]) -> Deviation:
    """Return a bootstrap of measured relative errors."""
    return lambda seconds, draw: seconds * (1.0 + draw.choice(errors))


def of_both_sides(longer_p99_s: float, shorter_p99_s: float) -> Deviation:
    """Return two-sided exponential errors, given their 99th percentiles."""
    longer_s, shorter_s = longer_p99_s / log(100), shorter_p99_s / log(100)

    def took_s(seconds: float, draw: Random) -> float:
        if draw.random() < 0.5:
            return seconds + draw.expovariate(1 / longer_s)
        return max(LEAST * seconds, seconds - draw.expovariate(1 / shorter_s))

    return took_s
