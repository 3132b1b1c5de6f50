"""SUSHI's loop: a SubNet for each query, and after each Q queries a SubGraph to cache."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infadapter_scheduler.subgraphs.caching import Rule
from infadapter_scheduler.subgraphs.queries import Query, choose
from infadapter_scheduler.subgraphs.table import LatencyTable


@dataclass(frozen=True, slots=True)
class Answer:
    """`subnet` and `subgraph` are row and column; `refill_ms` is part of `latency_ms`."""

    subnet: int
    subgraph: int
    latency_ms: float
    refill_ms: float
    met: bool


class SubGraphScheduler:
    """
    Serves one query at a time, like SUSHI's scheduler.

    The refill of the cache is charged to the query after the change, and its SubNet is chosen for
    the remaining time. `blind_to`: SubNets are chosen as if this column were cached.
    """

    def __init__(
        self,
        table: LatencyTable,
        every: int,
        start: int,
        rule: Rule,
        blind_to: int | None = None,
    ) -> None:
        self._table, self._every, self._rule, self._blind_to = table, every, rule, blind_to
        self._refill_ms = 0.0
        self._served: list[int] = []
        self.cached = start

    def choose(self, query: Query) -> int:
        """Return the row that would serve this query now."""
        column = self.cached if self._blind_to is None else self._blind_to
        return choose(query, self._table, column, self._refill_ms)

    def serve(self, query: Query) -> Answer:
        """Serve one query, and update the cache for the next."""
        row, column = self.choose(query), self.cached
        subnet, refill_ms = self._table.subnets[row], self._refill_ms
        latency_ms = subnet.latency_ms[column] + refill_ms
        met = query.met_by(subnet.accuracy, latency_ms)
        self.served(row)
        return Answer(row, column, latency_ms, refill_ms, met)

    def served(self, row: int) -> None:
        """Record a served SubNet; after each Q-th the rule decides what is cached."""
        self._refill_ms = 0.0
        self._served.append(row)
        if len(self._served) == self._every:
            cached = self._rule(self._served, self.cached)
            self._refill_ms = self._table.refill_ms(self.cached, cached)
            self.cached = cached
            self._served.clear()


def serve_all(scheduler: SubGraphScheduler, queries: Iterable[Query]) -> Iterator[Answer]:
    return map(scheduler.serve, queries)
