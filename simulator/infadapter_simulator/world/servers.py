"""Arrays of pods, and a pod's servers by when they become free, compiled."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from infadapter_simulator.compiled import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Row = TypeVar("Row", np.float64, np.int64)


def with_rows(rows: NDArray[Row], count: int) -> NDArray[Row]:
    """Return the array extended to `count` rows with zeros."""
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
    Set the free times after the number of servers changed. Requests in service (`finish_s`) end as
    before; a pod that shrank has a free server only after the surplus ones have ended.
    """
    under_way = np.sort(finish_s)
    for server in range(free_s.size):
        at = under_way.size - free_s.size + server
        free_s[server] = under_way[at] if at >= 0 else now
