"""Choose a query's number of nodes: ACLO by target accuracy, LCAO by remaining time.

Both are stateless, so the target may differ with every query.
"""

from typing import NamedTuple

from infadapter_server.networks.sloaware.confidence import Table
from infadapter_server.networks.sloaware.latency import LatencyProfile


class Fit(NamedTuple):
    """`point`: index in the profile. `in_time`: False if even the cheapest point may be late."""

    point: int
    in_time: bool


def aclo(table: Table, target: float) -> float | None:
    """Accuracy-constrained, latency-optimised: the cheapest setting; None is the full network.

    It holds on average over queries, not for each. Raises UnreachableTarget.
    """
    return table.cheapest(target)


def lcao(profile: LatencyProfile, level: int, left_s: float) -> Fit:
    """Latency-constrained, accuracy-optimised: the last point that takes at most `left_s`.

    `left_s` is the time until the deadline, without the queueing time that has passed. So bursts
    and co-runners both restrict the choice. Raises UnmeasuredUtilisation.
    """
    fitting = [at for at, seconds in enumerate(profile.at(level)) if seconds <= left_s]
    return Fit(fitting[-1], True) if fitting else Fit(0, False)
