"""Queries of varying locality: a Markov chain of regimes, each around one SubNet."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from infadapter_scheduler.subgraphs import EMPTY, LatencyTable, Query, Strict

LONGEST = 1.1
"""Largest latency limit of a query, in multiples of the slowest SubNet's latency."""


def stream(
    table: LatencyTable,
    strict: Strict,
    dwell: float,
    number: int,
    draw: np.random.Generator,
) -> list[Query]:
    """Return queries; `dwell` is the mean number in a row from one regime, 1 for no locality."""
    limits = _limits(table)
    return [
        Query(strict, draw.uniform(*limits[row][0]), draw.uniform(*limits[row][1]))
        for row in _regimes(len(limits), dwell, number, draw)
    ]


def _regimes(rows: int, dwell: float, number: int, draw: np.random.Generator) -> Iterator[int]:
    regime = int(draw.integers(rows))
    for _ in range(number):
        if draw.random() < 1 / dwell:
            regime = int(draw.integers(rows))
        yield regime


Range = tuple[float, float]


def _limits(table: LatencyTable) -> Sequence[tuple[Range, Range]]:
    """
    Return the ranges of accuracy and latency for which each SubNet is chosen without a cache, so
    that every system receives the same queries.
    """
    accuracy = [subnet.accuracy for subnet in table.subnets]
    # Sorted: measured ones needn't grow with the accuracy.
    latency_ms = sorted(subnet.latency_ms[EMPTY] for subnet in table.subnets)
    from_below = pairwise([2 * accuracy[0] - accuracy[1], *accuracy])
    upwards = pairwise([*latency_ms, LONGEST * latency_ms[-1]])
    return list(zip(from_below, upwards, strict=True))
