"""SUSHI and the systems it is compared with, on one stream of queries, with their measures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from infadapter_scheduler.subgraphs import (
    EMPTY,
    Answer,
    BackEnd,
    LatencyTable,
    Query,
    SubGraphScheduler,
    best_columns,
    cheapest,
    kept,
    nearest,
    planned,
    serve_all,
    static_column,
    undominated,
)

Make = Callable[[LatencyTable, int, Sequence[Query]], SubGraphScheduler]
"""Returns a system for a latency table, Q, and the coming queries, which only the oracle uses."""

NO_CACHE, STATIC, SUSHI, PRUNED = "no cache", "static cache", "SUSHI", "SUSHI pruned"
BY_THE_TABLE = "by the table"


def _static(table: LatencyTable, every: int, _: Sequence[Query]) -> SubGraphScheduler:
    return SubGraphScheduler(table, every, static_column(table), kept)


def _blind(table: LatencyTable, every: int, _: Sequence[Query]) -> SubGraphScheduler:
    return SubGraphScheduler(table, every, static_column(table), nearest(table), EMPTY)


def _sushi(table: LatencyTable, every: int, _: Sequence[Query]) -> SubGraphScheduler:
    return SubGraphScheduler(table, every, static_column(table), nearest(table))


def _pruned(table: LatencyTable, every: int, _: Sequence[Query]) -> SubGraphScheduler:
    rule = nearest(table, undominated(table))
    return SubGraphScheduler(table, every, static_column(table), rule)


def _by_the_table(table: LatencyTable, every: int, _: Sequence[Query]) -> SubGraphScheduler:
    return SubGraphScheduler(table, every, static_column(table), cheapest(table))


def _oracle(table: LatencyTable, every: int, queries: Sequence[Query]) -> SubGraphScheduler:
    start = static_column(table)
    return SubGraphScheduler(
        table, every, start, planned(best_columns(table, every, start, queries))
    )


SYSTEMS: Mapping[str, Make] = {
    NO_CACHE: lambda table, every, _: SubGraphScheduler(table, every, EMPTY, kept),
    STATIC: _static,
    "cache ignored": _blind,
    SUSHI: _sushi,
    PRUNED: _pruned,
    BY_THE_TABLE: _by_the_table,
    "oracle": _oracle,
}
"""
The systems. All begin with the static cache's SubGraph, and choose SubNets by what is cached unless
their name says otherwise.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over all queries, refills included. `traffic_mb` is off-chip traffic."""

    latency_ms: float
    traffic_mb: float
    hit_ratio: float
    accuracy: float
    met: float


def measured(of: BackEnd, answers: Sequence[Answer]) -> Measured:
    return means(of, answers, [answer.latency_ms for answer in answers])


def means(of: BackEnd, answers: Sequence[Answer], took_ms: Sequence[float]) -> Measured:
    rows = np.array([answer.subnet for answer in answers])
    columns = [answer.subgraph for answer in answers]
    refilled = sum(int(of.refills[one, other]) for one, other in pairwise(columns))
    accuracy = np.array([subnet.accuracy for subnet in of.table.subnets])
    traffic = int(of.fetched[rows, columns].sum()) + refilled
    return Measured(
        latency_ms=float(np.mean(took_ms)),
        traffic_mb=traffic / 1e6 / len(answers),
        hit_ratio=float(of.hits[rows, columns].sum() / of.weights[rows].sum()),
        accuracy=float(accuracy[rows].mean()),
        met=float(np.mean([answer.met for answer in answers])),
    )


def served(of: BackEnd, every: int, queries: Sequence[Query]) -> dict[str, Measured]:
    """Return the measures by system."""
    return {
        name: measured(of, list(serve_all(make(of.table, every, queries), queries)))
        for name, make in SYSTEMS.items()
    }
