"""Queries with an accuracy and a latency limit, one of which is strict, and the SubNet for each."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from infadapter_scheduler.subgraphs.table import LatencyTable


class Strict(StrEnum):
    """Which limit must hold; the other figure is then optimised."""

    ACCURACY = "strict_accuracy"
    LATENCY = "strict_latency"


@dataclass(frozen=True, slots=True)
class Query:
    policy: Strict
    accuracy: float
    latency_ms: float

    def met_by(self, accuracy: float, latency_ms: float) -> bool:
        """Whether the strict limit holds."""
        if self.policy is Strict.ACCURACY:
            return accuracy >= self.accuracy
        return latency_ms <= self.latency_ms


def choose(query: Query, table: LatencyTable, column: int, waits_ms: float = 0.0) -> int:
    """
    Return the row that serves a query while `column` is cached; `waits_ms` passes before it may
    begin.

    Strict accuracy: the fastest that is accurate enough, else the most accurate. Strict latency:
    the most accurate that is fast enough, else the fastest. Ties: the faster, then the first.
    """
    subnets, rows = table.subnets, range(len(table.subnets))
    fastest, best = _faster(table, column), _better(table, column)
    if query.policy is Strict.ACCURACY:
        enough = [row for row in rows if subnets[row].accuracy >= query.accuracy]
        return min(enough, key=fastest) if enough else min(rows, key=best)
    enough = [row for row in rows if subnets[row].latency_ms[column] + waits_ms <= query.latency_ms]
    return min(enough, key=best) if enough else min(rows, key=fastest)


def _faster(table: LatencyTable, column: int) -> Callable[[int], float]:
    return lambda row: table.subnets[row].latency_ms[column]


def _better(table: LatencyTable, column: int) -> Callable[[int], tuple[float, float]]:
    subnets = table.subnets
    return lambda row: (-subnets[row].accuracy, subnets[row].latency_ms[column])
