"""Counters, which only increase: the load is the increase, not the value."""

import re

import numpy as np
import numpy.typing as npt

from infadapter_workload.trace import Array

Places = npt.NDArray[np.int64]

COUNTER_NAME = re.compile(r"_(total|count|sum|bucket|created)$")
"""Suffixes that Prometheus client libraries give to counters."""

_LEAST = 10  # numbers needed for a judgement
_RISING = 0.8  # least share of rising steps: a load that never falls has long flat parts
_RESETS = 0.2  # largest share of steps in which a counter is reset
_FEW_RESETS = 0.1  # the same, if the name is not that of a counter
_BEGUN_AGAIN = 0.5  # largest share of the previous value that a reset leaves
_STEEP_RPS = 1.01
"""
Average increase above which a series that never falls is a counter, requests per second per second:
a load does not increase so fast for a whole trace. Counters of services with less than one request
per second are recognised only by their name.
"""


def looks_like_a_counter(numbers: Array, step_s: float, *, named: bool) -> bool:
    """
    Whether the numbers are those of a counter. With `named`, the series' name says so already, and
    fewer numbers suffice.
    """
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
    Return requests per second in each step between the first and last number, over missing ones
    too. A decrease is a counter reset: everything since then counts.
    """
    known = ~np.isnan(numbers)
    numbers, places = numbers[known], places[known]
    rises, spans = np.diff(numbers), np.diff(places)
    came = np.where(rises < 0, numbers[1:], rises)
    rates: Array = np.repeat(came / (spans * step_s), spans)
    return rates
