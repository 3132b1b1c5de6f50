"""How many nodes a query gets: ACLO by an accuracy, LCAO by the time that is left.

Both are told all they decide from, and may be asked for something else with every query.
"""

from typing import NamedTuple

from infadapter_server.networks.sloaware.confidence import Table
from infadapter_server.networks.sloaware.latency import LatencyProfile


class Fit(NamedTuple):
    """`point`: its place in the profile. `in_time`: False where even the cheapest may be late."""

    point: int
    in_time: bool


def aclo(table: Table, target: float) -> float | None:
    """Accuracy-constrained, latency-optimised: the cheapest setting; None is the full network.

    It holds on average over queries, not for each. Raises UnreachableTarget.
    """
    return table.cheapest(target)


def lcao(profile: LatencyProfile, level: int, left_s: float) -> Fit:
    """Latency-constrained, accuracy-optimised: the last point whose time is no longer than is left.

    `left_s`: until the deadline, so what a queue took is gone from it already; a burst and a
    co-runner shrink the choice alike. Raises UnmeasuredUtilisation.
    """
    fitting = [at for at, seconds in enumerate(profile.at(level)) if seconds <= left_s]
    return Fit(fitting[-1], True) if fitting else Fit(0, False)
