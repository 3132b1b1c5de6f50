"""Arrays of pods, and the servers of one by when they are free, compiled."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from infadapter_simulator.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Row = TypeVar("Row", np.float64, np.int64)


def with_rows(rows: NDArray[Row], count: int) -> NDArray[Row]:
    """So many, those there are and zeros behind them."""
    grown = np.zeros((count, *rows.shape[1:]), dtype=rows.dtype)
    grown[: len(rows)] = rows
    return grown


@compiled
def first_free(free_s: Floats, servers: int) -> int:
    first = 0
    for server in range(1, servers):
        if free_s[server] < free_s[first]:
            first = server
    return first


def free_anew(free_s: Floats, finish_s: Floats, now: float) -> None:
    """
    The pod has another number of servers from now on. `finish_s` is of what is being served, which
    ends as it would have: of a pod that shrank, a server is free only when as many as are too many
    have ended.
    """
    under_way = np.sort(finish_s)
    for server in range(free_s.size):
        at = under_way.size - free_s.size + server
        free_s[server] = under_way[at] if at >= 0 else now
