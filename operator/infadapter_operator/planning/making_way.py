"""
How much serving capacity has to be released for a start that has no room.

Only Ready pods that are not planned, or planned smaller, can be released, and a pod only in steps
of its sizes. So the release may be far more than the room that is lacking.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from infadapter_operator.domain.observed import Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import (
    allocations_of,
    ready_capacity_rps,
    resizable,
)
from infadapter_solver import Plan
from infadapter_solver.problem import Allocation


class _Way(NamedTuple):
    """What one pod may free, and the capacity lost with it."""

    freed_millicores: int
    lost_rps: float


def released_capacity_rps(
    service: Service, ready: Sequence[Pod], plan: Plan, millicores: float
) -> float:
    """
    Return the least capacity lost by freeing this much CPU, rps: from one pod, or from several if
    no pod suffices alone.
    """
    by_pod = [_ways(service, pod, planned) for pod, planned in _with_planned(ready, plan)]
    alone = [way.lost_rps for ways in by_pod for way in ways if way.freed_millicores >= millicores]
    return min(alone) if alone else _of_several(by_pod, millicores)


def _with_planned(ready: Sequence[Pod], plan: Plan) -> Iterator[tuple[Pod, Allocation | None]]:
    """
    Yield each pod with its planned size; None for pods that are not planned, which are the latest.
    """
    groups = {group.target: group for group in plan.groups}
    kept: Counter[object] = Counter()
    for pod in sorted(ready, key=lambda pod: pod.created_at_s):
        group = groups.get(pod.target)
        kept[pod.target] += 1
        stays = group is not None and kept[pod.target] <= group.pods
        yield pod, group.allocation if group and stays else None


def _ways(service: Service, pod: Pod, planned: Allocation | None) -> list[_Way]:
    has, rps = pod.size.cpu_millicores, ready_capacity_rps(service, (pod,))
    least = planned.cpu_millicores if planned else 0
    smaller = [
        _Way(has - a.cpu_millicores, rps - a.capacity_rps)
        for a in allocations_of(service, pod.target)
        if least <= a.cpu_millicores < has and resizable(pod.size, a.size)
    ]
    removable = has > 0 and not planned  # a borrowed Deployment's pod may request no CPU
    return [*smaller, _Way(has, rps)] if removable else smaller


def _of_several(by_pod: Sequence[Sequence[_Way]], millicores: float) -> float:
    """
    Return the capacity lost by releasing whole pods, those with the least loss per millicore first.
    """
    most = [max(ways) for ways in by_pod if ways]
    freed, lost_rps = 0, 0.0
    for way in sorted(most, key=lambda way: way.lost_rps / way.freed_millicores):
        if freed < millicores:
            freed, lost_rps = freed + way.freed_millicores, lost_rps + way.lost_rps
    return lost_rps
