"""Deviations: how long an execution takes where the table says how long it should."""

from collections.abc import Callable, Sequence
from math import exp, log
from random import Random

Deviation = Callable[[float, Random], float]
"""Of the expected seconds, and chance."""

LEAST = 0.5
"""Of the expected time, an execution takes at least."""


def exact(seconds: float, draw: Random) -> float:
    return seconds


def lognormal(sigma: float) -> Deviation:
    """Errors as large as the execution is long."""
    return lambda seconds, draw: seconds * exp(draw.gauss(0.0, sigma)) if sigma else seconds


def resampled(errors: Sequence[float]) -> Deviation:
    """A bootstrap of relative errors that were measured."""
    return lambda seconds, draw: seconds * (1.0 + draw.choice(errors))


def of_both_sides(longer_p99_s: float, shorter_p99_s: float) -> Deviation:
    """Exponential errors of which one in a hundred is larger, as often longer as shorter."""
    longer_s, shorter_s = longer_p99_s / log(100), shorter_p99_s / log(100)

    def took_s(seconds: float, draw: Random) -> float:
        if draw.random() < 0.5:
            return seconds + draw.expovariate(1 / longer_s)
        return max(LEAST * seconds, seconds - draw.expovariate(1 / shorter_s))

    return took_s
