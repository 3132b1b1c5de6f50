"""
The best SubGraphs in hindsight, by dynamic programming over the windows of Q queries.

Lexicographic objective: fewest queries that miss their strict limit, then least accuracy lost by
queries with strict latency, then least latency with refills. Sums of such triples are ordered as
the triples are, so the best path to each column suffices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infadapter_scheduler.subgraphs.queries import Query, Strict, choose
from infadapter_scheduler.subgraphs.table import LatencyTable

Loss = tuple[int, float, float]
"""Queries missed, accuracy lost, milliseconds."""


@dataclass(frozen=True, slots=True)
class Way:
    """
    The best path that ends with a column cached; `before` is the path without its last window.
    """

    column: int
    loss: Loss
    before: "Way | None" = None


def best_columns(
    table: LatencyTable, every: int, start: int, queries: Sequence[Query]
) -> tuple[int, ...]:
    """
    Return what to cache after each Q-th query, for a scheduler that chooses SubNets by the cache.
    """
    windows = [queries[at : at + every] for at in range(0, len(queries), every)]
    ways = [Way(start, _of_all(table, start, windows[0]))]
    for window in windows[1:]:
        ways = [_onward(table, column, window, ways) for column in range(len(table.subgraphs))]
    best: Way | None = min(ways, key=lambda way: way.loss)
    columns = []
    while best is not None:
        columns.append(best.column)
        best = best.before
    return tuple(columns[-2::-1])


def loss_of(table: LatencyTable, query: Query, column: int, refill_ms: float) -> Loss:
    """Return the loss of one query, served by the scheduler's rule."""
    subnet = table.subnets[choose(query, table, column, refill_ms)]
    latency_ms = subnet.latency_ms[column] + refill_ms
    missed = int(not query.met_by(subnet.accuracy, latency_ms))
    lost = 1.0 - subnet.accuracy if query.policy is Strict.LATENCY else 0.0
    return missed, lost, latency_ms


def add(one: Loss, other: Loss) -> Loss:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _onward(table: LatencyTable, column: int, window: Sequence[Query], ways: list[Way]) -> Way:
    """Extend the best path by a window with this column; only its first query sees the refill."""
    rest = _of_all(table, column, window[1:])
    by_refill: dict[float, Loss] = {}
    found = []
    for before in ways:
        refill_ms = table.refill_ms(before.column, column)
        if refill_ms not in by_refill:
            by_refill[refill_ms] = add(loss_of(table, window[0], column, refill_ms), rest)
        found.append((add(before.loss, by_refill[refill_ms]), before.column))
    loss, at = min(found)
    return Way(column, loss, next(way for way in ways if way.column == at))


def _of_all(table: LatencyTable, column: int, queries: Sequence[Query]) -> Loss:
    total: Loss = (0, 0.0, 0.0)
    for query in queries:
        total = add(total, loss_of(table, query, column, 0.0))
    return total
