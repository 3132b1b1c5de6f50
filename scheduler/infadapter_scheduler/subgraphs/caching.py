"""
Which SubGraph is cached next: SUSHI's rule and baselines.

A rule is called after each Q queries. SUSHI's running average of the last Q vectors then equals
their mean, so only the rows served since are kept.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from infadapter_scheduler.subgraphs.table import LatencyTable, vectors

Rule = Callable[[Sequence[int], int], int]
"""From the rows served since the last call, and the cached column, to the next column."""


def nearest(table: LatencyTable, among: Sequence[int] | None = None) -> Rule:
    """
    Return SUSHI's rule: the SubGraph nearest to the mean vector of the served SubNets, the first of
    equals. `among` restricts the candidates, in the table's order.
    """
    columns = range(len(table.subgraphs)) if among is None else among
    served_vectors = vectors(table.subnets)
    cached_vectors = vectors([table.subgraphs[column] for column in columns])

    def rule(served: Sequence[int], cached: int) -> int:
        counts = np.bincount(served, minlength=len(table.subnets))
        # Times Q on both sides: whole numbers stay whole, so that equal distances are equal.
        apart = len(served) * cached_vectors - counts @ served_vectors
        return columns[int(np.argmin(np.einsum("ij,ij->i", apart, apart)))]

    return rule


def undominated(table: LatencyTable) -> tuple[int, ...]:
    """
    Return the columns with which some SubNet is faster than with any column that is as good for
    all.
    """
    times = [[row.latency_ms[at] for row in table.subnets] for at in range(len(table.subgraphs))]

    def worse(one: int, other: int) -> bool:
        no_faster = all(a >= b for a, b in zip(times[one], times[other], strict=True))
        return no_faster and (times[one] != times[other] or other < one)

    columns = range(len(times))
    return tuple(one for one in columns if not any(worse(one, other) for other in columns))


def cheapest(table: LatencyTable) -> Rule:
    """
    Return our rule: the SubGraph with which the same queries would have taken least time, refill
    included.
    """
    latency_ms = np.array([subnet.latency_ms for subnet in table.subnets])
    columns = range(len(table.subgraphs))
    refill_ms = np.array([[table.refill_ms(old, new) for new in columns] for old in columns])

    def rule(served: Sequence[int], cached: int) -> int:
        counts = np.bincount(served, minlength=len(table.subnets))
        return int(np.argmin(counts @ latency_ms + refill_ms[cached]))

    return rule


def kept(served: Sequence[int], cached: int) -> int:
    """Keep the cached column: a static cache."""
    return cached


def planned(columns: Iterable[int]) -> Rule:
    """Return a rule that follows a plan made in hindsight."""
    turns = iter(columns)

    def rule(served: Sequence[int], cached: int) -> int:
        return next(turns, cached)

    return rule


def static_column(table: LatencyTable) -> int:
    """
    Return the best column without knowledge of the queries: the least latency over all SubNets.
    """
    latency_ms = np.array([subnet.latency_ms for subnet in table.subnets])
    return int(np.argmin(latency_ms.sum(axis=0)))
