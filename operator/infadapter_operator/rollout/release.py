"""
What may be given up now: pods that the plan does not want and sizes beyond those it wants.

Never so much that less would be Ready than was or than is asked for, whichever is less; and only
when what takes over is Ready, or when it has no room to start before something is given up. Once
all that is planned is Ready, the plan's capacity is enough: what exceeds it is surge, and surge is
for replacing, not for serving more than the budget can.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import allocations_of, resizable
from infadapter_operator.rollout.match import Placed, of_target
from infadapter_solver.problem import Allocation, Plan

Released = Mapping[str, Allocation | None]
"""By pod: the size it may shrink to, or None if it may go."""

RESERVE = 1.1
"""
Capacity kept above the rate of now where the plan has it: a mean of the past seconds may be passed
within the next.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What giving up is judged by."""

    service: Service
    plan: Plan
    pods: Sequence[Placed]
    carrying: frozenset[str]  # pods that the router sends to
    demand_rps: float  # now
    now_s: float

    @property
    def ready_rps(self) -> float:
        return sum(self.counted_rps(one) for one in self.pods)

    @property
    def serving_rps(self) -> float:
        return sum(one.capacity_rps for one in self.pods if one.pod.ready)

    @property
    def wanted_rps(self) -> float:
        return max(self.demand_rps, min(RESERVE * self.demand_rps, self.plan.capacity_rps))

    @property
    def floor_rps(self) -> float:
        """Ready capacity may not fall below this."""
        return min(self.ready_rps, self.wanted_rps, self.enough_rps)

    @property
    def enough_rps(self) -> float:
        """What the plan serves, once it is there; until then nothing is known to be enough."""
        return self.planned_rps if takers_are_ready(self) else math.inf

    @property
    def planned_rps(self) -> float:
        """What is served when the plan is reached: its capacity, and other controllers' pods."""
        theirs = (one.capacity_rps for one in self.pods if one.pod.ready and not one.touchable)
        return self.plan.capacity_rps + sum(theirs)

    def counted_rps(self, one: Placed) -> float:
        """Of a pod that carries nothing, or is replaced, what is not planned counts no more."""
        if not one.pod.ready:
            return 0.0
        idle = one.goal is not None and one.pod.name not in self.carrying
        if idle or one.must_be_replaced(self.now_s):
            return min(one.capacity_rps, one.goal_rps)
        return one.capacity_rps


def goes_now(freed: Released, pod: str) -> bool:
    return pod in freed and freed[pod] is None


def takers_are_ready(ground: Ground) -> bool:
    """Every planned pod is Ready: at its size or at a larger one, or as one to be replaced."""
    return all(
        sum(_can_take(ground, one) for one in of_target(ground.pods, g.target)) >= g.pods
        for g in ground.plan.groups
    )


def _can_take(ground: Ground, one: Placed) -> bool:
    return one.pod.ready and (one.is_level or one.shrinks or one.must_be_replaced(ground.now_s))


def released(ground: Ground) -> Released:
    """All that the plan does not want, as far as the demand of now allows."""
    return _released(ground, releasable(ground), partial=False, floor_rps=ground.floor_rps)


def is_short(ground: Ground) -> bool:
    """Less is Ready than is asked for now, and what is planned is not all Ready yet."""
    return ground.serving_rps < ground.demand_rps and not takers_are_ready(ground)


def released_for(ground: Ground, short: Collection[str]) -> Released:
    """
    Make room for what has none: only what holds a resource that is short, and, where a pod can't go
    because of the demand, what of it the demand leaves.
    """
    holders = [
        one
        for one in releasable(ground)
        if any(one.pod.size.resources.get(name, 0) > 0 for name in short)
    ]
    return _released(ground, holders, partial=True, floor_rps=ground.floor_rps)


def given_back(ground: Ground, over: Collection[str]) -> Released:
    """
    Of what is held beyond the budget, all that neither the demand nor the plan asks for, also
    while the plan is not reached yet: surge is lent, and a load that rises on and on would keep it.
    """
    holders = [
        one
        for one in releasable(ground)
        if any(one.pod.size.resources.get(name, 0) > 0 for name in over)
    ]
    floor_rps = min(ground.ready_rps, max(ground.wanted_rps, ground.planned_rps))
    return _released(ground, holders, partial=True, floor_rps=floor_rps)


def _released(
    ground: Ground, candidates: Iterable[Placed], *, partial: bool, floor_rps: float
) -> Released:
    found: dict[str, Allocation | None] = {}
    left_rps = ground.ready_rps
    for one in candidates:
        if is_needed_unknown(ground, one, left_rps):
            continue
        for size, rps in ways(ground.service, one, partial=partial):
            after_rps = left_rps - ground.counted_rps(one) + (rps if one.pod.ready else 0.0)
            if after_rps >= floor_rps - 1e-9:
                found[one.pod.name] = size
                left_rps = after_rps
                break
    return found


def releasable(ground: Ground) -> list[Placed]:
    """First what goes, then what shrinks; in each, what is not Ready, then the least accurate."""
    found = [
        one
        for one in ground.pods
        if one.touchable and (one.goes or _shrinks_under_load(ground, one))
    ]
    return sorted(found, key=lambda p: (not p.goes, p.pod.ready, p.accuracy, p.pod.name))


def _shrinks_under_load(ground: Ground, one: Placed) -> bool:
    return one.shrinks and one.can_resize and one.pod.ready and one.pod.name in ground.carrying


def is_needed_unknown(ground: Ground, one: Placed, left_rps: float) -> bool:
    """
    Nobody knows what a pod of a variant that left the spec serves: the others must suffice, and
    there must be others, also where the plan is empty and so has nothing to wait for.
    """
    unknown = one.pod.ready and not one.capacity_rps and one.pod.name in ground.carrying
    return unknown and (left_rps <= 0 or left_rps < min(ground.demand_rps, ground.enough_rps))


def ways(
    service: Service, one: Placed, *, partial: bool
) -> Iterable[tuple[Allocation | None, float]]:
    """What may become of it, from the least to the most that is left, with its capacity."""
    yield one.goal, min(one.goal_rps, one.capacity_rps)
    if not partial or not one.pod.ready:
        return
    least = one.goal.cpu_millicores if one.goal else 0
    for size in sorted(allocations_of(service, one.pod.target), key=lambda a: a.cpu_millicores):
        smaller = least < size.cpu_millicores < one.pod.size.cpu_millicores
        if smaller and resizable(one.pod.size, size.size):
            yield size, min(size.capacity_rps, one.capacity_rps)
