"""The scheduler's own cost in real time: for a query, and for a change of the cache."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from infadapter_scheduler.subgraphs import LatencyTable, Query, choose, nearest

REPEATS, WINDOW = 300, 16


def lookup_us(table: LatencyTable, queries: Sequence[Query]) -> tuple[float, float]:
    """
    Return the median times of choosing a SubNet and of finding the SubGraph nearest to what was
    served, µs.
    """
    rule, columns = nearest(table), len(table.subgraphs)
    rows = [choose(query, table, 0) for query in queries[:REPEATS]]
    of_subnet = [
        _took_us(partial(choose, query, table, at % columns))
        for at, query in enumerate(queries[:REPEATS])
    ]
    of_subgraph = [
        _took_us(partial(rule, rows[at : at + WINDOW], 0)) for at in range(len(rows) - WINDOW)
    ]
    return median(of_subnet), median(of_subgraph)


def _took_us(call: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    call()
    return 1e6 * (time.perf_counter() - began_s)
