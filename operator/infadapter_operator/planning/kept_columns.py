"""Rows of numbers, as a cycle gets them, in arrays to reckon with: a column each."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = Sequence[tuple[Any, ...]]


def columns_of(rows: Rows) -> Floats:
    """At least one row; all are as long."""
    numbers = np.fromiter(chain.from_iterable(rows), np.float64)
    return np.ascontiguousarray(numbers.reshape(len(rows), -1).T)


class KeptColumns:
    """
    The columns of the rows that were asked of last, which are sorted. Those of the next interval
    have most of them, and to make these arrays anew would take most of the time in which they are
    used. One service's at a time are kept: another's begin anew.
    """

    def __init__(self) -> None:
        self._last: tuple[Rows, Floats] = ((), np.empty((0, 0)))

    def of(self, rows: Rows) -> Floats:
        """Kept ones count only where their rows are these very ones."""
        known, columns = self._last
        first = bisect_left(known, rows[0])
        again = len(known) - first
        if not again or known[first:] != rows[:again]:
            found = columns_of(rows)
        elif again == len(rows):
            found = columns[:, first:]
        else:
            newer = columns_of(rows[again:])
            found = np.concatenate([columns[:, first:], newer], axis=1)
        self._last = rows, found
        return found
