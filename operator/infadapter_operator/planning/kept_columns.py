"""Incrementally extended NumPy columns of the rows that each cycle receives."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = Sequence[tuple[Any, ...]]


def columns_of(rows: Rows) -> Floats:
    """Return one column per field. There is at least one row, and all rows have the same length."""
    numbers = np.fromiter(chain.from_iterable(rows), np.float64)
    return np.ascontiguousarray(numbers.reshape(len(rows), -1).T)


class KeptColumns:
    """
    Cache of the columns of the last rows, which are sorted.

    The rows of the next interval overlap with them, and building the arrays anew would take most of
    the time in which they are used. The cache holds one service; another service replaces it.
    """

    def __init__(self) -> None:
        self._last: tuple[Rows, Floats] = ((), np.empty((0, 0)))

    def of(self, rows: Rows) -> Floats:
        """
        Return the columns of `rows`. Cached columns are used only where the rows are identical.
        """
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
