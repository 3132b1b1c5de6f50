"""
The best SubGraphs in hindsight: dynamic programming over the windows of Q queries.

Best: the fewest queries whose strict limit is missed, then the least accuracy lost by queries with
strict latency, then the least latency, refills included. Sums of such triples are ordered as the
triples are, so the best way to a column is enough to go on from.
"""

from collections.abc import Iterator, Sequence

from infadapter_scheduler.subgraphs.queries import Query, Strict, choose
from infadapter_scheduler.subgraphs.table import LatencyTable

Loss = tuple[int, float, float]
"""Queries missed, accuracy lost, milliseconds."""

Way = tuple[Loss, tuple[int, ...]]


def best_columns(
    table: LatencyTable, every: int, start: int, queries: Sequence[Query]
) -> tuple[int, ...]:
    """What to cache after each Q-th query, for a scheduler that chooses SubNets by the cache."""
    windows = [queries[at : at + every] for at in range(0, len(queries), every)]
    ways: dict[int, Way] = {start: (_window(table, start, 0.0, windows[0]), ())}
    for window in windows[1:]:
        rest = [_window(table, column, 0.0, window[1:]) for column in range(len(table.subgraphs))]
        ways = {
            column: min(_onward(table, column, window[0], rest[column], ways))
            for column in range(len(table.subgraphs))
        }
    return min(ways.values())[1]


def loss_of(table: LatencyTable, query: Query, column: int, refill_ms: float) -> Loss:
    """Of one query, by the rule that serves it."""
    subnet = table.subnets[choose(query, table, column, refill_ms)]
    latency_ms = subnet.latency_ms[column] + refill_ms
    missed = int(not query.met_by(subnet.accuracy, latency_ms))
    lost = 1.0 - subnet.accuracy if query.policy is Strict.LATENCY else 0.0
    return missed, lost, latency_ms


def add(one: Loss, other: Loss) -> Loss:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _onward(
    table: LatencyTable, column: int, first: Query, rest: Loss, ways: dict[int, Way]
) -> Iterator[Way]:
    """Each way so far, with this column for the window; only its first query sees the refill."""
    known: dict[float, Loss] = {}
    for before, (loss, columns) in ways.items():
        refill_ms = table.refill_ms(before, column)
        if refill_ms not in known:
            known[refill_ms] = add(loss_of(table, first, column, refill_ms), rest)
        yield add(loss, known[refill_ms]), (*columns, column)


def _window(table: LatencyTable, column: int, refill_ms: float, queries: Sequence[Query]) -> Loss:
    total: Loss = (0, 0.0, 0.0)
    for query in queries:
        total = add(total, loss_of(table, query, column, refill_ms))
    return total
