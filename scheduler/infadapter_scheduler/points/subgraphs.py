"""
SUSHI's choice (MLSys'23) as a policy of operating points: points are SubNets, and a SubGraph's
weights are cached for them.

The table gives the time of a point with the cached SubGraph. The scheduler limits the time by its
own estimates, which follow past executions and do not know the cache.
"""

from collections.abc import Callable, Mapping

from infadapter_scheduler.points.policy import Choice, Situation, Timed
from infadapter_scheduler.subgraphs import LatencyTable, Rule, Strict, SubGraphScheduler


class SubGraphPoints:
    """
    The policy. Strict accuracy: the fastest allowed point with what is cached. Strict latency: the
    most accurate point that makes no request late. After each Q batches of a model `on_change` is
    told what to cache next.
    """

    def __init__(
        self,
        tables: Mapping[str, LatencyTable],
        every: int,
        rule: Callable[[LatencyTable], Rule],
        strict: Strict,
        on_change: Callable[[str, int], None],
    ) -> None:
        self._strict, self._on_change = strict, on_change
        self._tables = tables
        self._loops = {
            model: SubGraphScheduler(table, every, 0, rule(table))
            for model, table in tables.items()
        }
        self._rows = {
            model: {subnet.name: row for row, subnet in enumerate(table.subnets)}
            for model, table in tables.items()
        }

    def choose(self, situation: Situation) -> Choice:
        size = situation.size
        able = [point for point in situation.points if size in point.seconds]
        if self._strict is Strict.LATENCY:
            most_s = situation.longest_s(size)
            on_time = [point for point in able if point.seconds[size] <= most_s]
            if on_time:
                best = max(point.accuracy for point in on_time)
                able = [point for point in on_time if point.accuracy == best]
        point = min(able, key=lambda point: self._latency_ms(situation.model, point))
        return Choice(point.number, size)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Update the cache by what was run, which may be another point than chosen."""
        model, loop = situation.model, self._loops[situation.model]
        point = next(point for point in situation.points if point.number == choice.number)
        before = loop.cached
        loop.served(self._rows[model][point.name])
        if loop.cached != before:
            self._on_change(model, loop.cached)

    def _latency_ms(self, model: str, point: Timed) -> float:
        subnet = self._tables[model].subnets[self._rows[model][point.name]]
        return subnet.latency_ms[self._loops[model].cached]
