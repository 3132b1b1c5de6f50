"""Counters, which only grow: their numbers are no load, their increases are."""

import re

import numpy as np
import numpy.typing as npt

from infadapter_workload.trace import Array

Places = npt.NDArray[np.int64]

COUNTER_NAME = re.compile(r"_(total|count|sum|bucket|created)$")
"""As Prometheus' clients name them."""

_LEAST = 10  # numbers, to tell
_RISING = 0.8  # of the steps, at least: a load that never falls has long flat parts
_RESETS = 0.2  # of the steps, at most, in which a counter begins again
_FEW_RESETS = 0.1  # of what is not named as one
_BEGUN_AGAIN = 0.5  # of what it was, at most
_STEEP_RPS = 1.01
"""
Per second, that a load itself rises for the whole of a trace without falling once. A counter of a
service with less than one request a second is not told by that; its name may tell.
"""


def looks_like_a_counter(numbers: Array, step_s: float, *, named: bool) -> bool:
    """`named`: its name is that of one."""
    if len(numbers) < (3 if named else _LEAST):
        return False
    rises = np.diff(numbers)
    falls = rises < 0
    if named:
        begun_again = numbers[1:][falls] < _BEGUN_AGAIN * numbers[:-1][falls]
        return bool(falls.mean() < _RESETS and begun_again.all() and (rises > 0).any())
    resets = numbers[1:][falls] < _BEGUN_AGAIN * numbers[:-1][falls]
    if not resets.all() or falls.mean() > _FEW_RESETS:
        return False
    steep = rises[~falls].sum() / (step_s * len(rises))
    return bool((rises > 0).mean() >= _RISING and steep > _STEEP_RPS)


def rates_between(numbers: Array, places: Places, step_s: int) -> Array:
    """
    Requests per second in each step from the first number to the last, also over missing ones.
    After a fall the counter began again, and all of it came since.
    """
    known = ~np.isnan(numbers)
    numbers, places = numbers[known], places[known]
    rises, spans = np.diff(numbers), np.diff(places)
    came = np.where(rises < 0, numbers[1:], rises)
    rates: Array = np.repeat(came / (spans * step_s), spans)
    return rates
