"""
Decide which capacity may be released now: pods that the plan does not want, and excess size.

Ready capacity must not fall below the smaller of its current value and the demand. A pod is
released only when its replacement is Ready, or when its replacement has no room to start otherwise.
Once all planned pods are Ready, the plan's capacity is sufficient: anything beyond it is surge,
which is for replacing pods and not for serving more than the budget allows. The exception is a pod
whose resize is stuck: no plan can include it, so it keeps serving as long as demand needs it within
the budget.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from infadapter_operator.domain.observed import STUCK
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import (
    allocations_of,
    fits,
    held_in_force,
    resizable,
    total,
)
from infadapter_operator.rollout.match import PodState, of_target
from infadapter_solver.problem import Allocation, Plan

Releases = Mapping[str, Allocation | None]
"""By pod name: the size it may shrink to, or None if it may be removed."""

HEADROOM_RATIO = 1.1
"""
Capacity to keep, as a multiple of the current rate, if the plan has that much. The rate is a mean
of the past seconds, and the next second may exceed it.
"""


@dataclass(frozen=True, kw_only=True)
class DrainContext:
    """The values from which releases are decided."""

    service: Service
    plan: Plan
    pods: Sequence[PodState]
    carrying: frozenset[str]  # pods that the router sends to
    demand_rps: float  # now
    now_s: float

    @cached_property
    def ready_rps(self) -> float:
        return sum(self.counted_rps(one) for one in self.pods)

    @cached_property
    def serving_rps(self) -> float:
        return sum(one.capacity_rps for one in self.pods if one.actual.ready)

    @property
    def wanted_rps(self) -> float:
        return max(self.demand_rps, min(HEADROOM_RATIO * self.demand_rps, self.plan.capacity_rps))

    @property
    def floor_rps(self) -> float:
        """Ready capacity must not fall below this."""
        return min(self.ready_rps, self.wanted_rps, self.enough_rps)

    @cached_property
    def takers_are_ready(self) -> bool:
        """
        Whether every planned pod is Ready, at its size, at a larger size, or as a pod to be
        replaced.
        """
        return all(
            sum(self._can_take(one) for one in of_target(self.pods, g.target)) >= g.pods
            for g in self.plan.groups
        )

    @property
    def enough_rps(self) -> float:
        """
        The capacity that is sufficient in any case: the plan's once its pods serve, infinite
        before.
        """
        known = self.takers_serve and not self.one_beyond_is_no_surge
        return self.planned_rps if known else math.inf

    @cached_property
    def one_beyond_is_no_surge(self) -> bool:
        """
        Whether an unplanned pod with a stuck resize serves within the budget.

        A plan has one size for all pods of a target, so it cannot include a pod that does not reach
        its size. If all Ready pods fit into the budget, that pod serves on while there is demand
        for it.
        """
        ready = [one for one in self.pods if one.actual.ready]
        beyond = any(one.is_surplus and one.actual.resize in STUCK for one in ready)
        there = total(held_in_force(one.actual) for one in ready)
        return beyond and fits(there, self.service.budget)

    @cached_property
    def takers_serve(self) -> bool:
        """
        Whether every planned pod is Ready and no pod with a refused resize serves less than
        planned.
        """
        lacks = (
            one.capacity_rps < one.desired_rps - 1e-9 and one.must_be_replaced(self.now_s)
            for one in self.pods
        )
        return self.takers_are_ready and not any(lacks)

    @property
    def planned_rps(self) -> float:
        """The capacity once the plan is reached, with that of pods that other controllers own."""
        theirs = (one.capacity_rps for one in self.pods if one.actual.ready and not one.touchable)
        return self.plan.capacity_rps + sum(theirs)

    def counted_rps(self, one: PodState) -> float:
        """
        Return the capacity of a pod towards the floor, rps.

        A pod that carries no traffic, or is to be replaced, counts with at most its planned
        capacity.
        """
        if not one.actual.ready:
            return 0.0
        idle = one.desired is not None and one.actual.name not in self.carrying
        if idle or one.must_be_replaced(self.now_s):
            return min(one.capacity_rps, one.desired_rps)
        return one.capacity_rps

    def _can_take(self, one: PodState) -> bool:
        return one.actual.ready and (
            one.is_level or one.shrinks or one.must_be_replaced(self.now_s)
        )


def goes_now(freed: Releases, pod: str) -> bool:
    return pod in freed and freed[pod] is None


def releases(context: DrainContext) -> Releases:
    """Return everything that the plan does not want, as far as the current demand allows."""
    return _released(context, releasable(context), partial=False, floor_rps=context.floor_rps)


def is_short(context: DrainContext) -> bool:
    """Whether Ready capacity is below the demand while planned pods are still not Ready."""
    return context.serving_rps < context.demand_rps and not context.takers_are_ready


def make_room(context: DrainContext, short: Collection[str]) -> Releases:
    """
    Return what to release for planned pods that have no room.

    Only pods that hold a resource in `short` are considered. A pod that cannot be removed because
    of the demand is shrunk as far as the demand allows. Pods with the least capacity per unit of
    the resource come first: room is what matters now, and in a rise the least accurate pods serve
    most.
    """
    holders = [
        one
        for one in releasable(context)
        if any(one.actual.size.resources.get(name, 0) > 0 for name in short)
    ]
    holders.sort(key=lambda one: (not one.is_surplus, one.actual.ready, _rps_per_unit(one, short)))
    return _released(context, holders, partial=True, floor_rps=context.floor_rps)


def _rps_per_unit(one: PodState, short: Collection[str]) -> float:
    return one.capacity_rps / sum(one.actual.size.resources.get(name, 0) for name in short)


def given_back(context: DrainContext, over: Collection[str]) -> Releases:
    """
    Return the capacity held beyond the budget that neither the demand nor the plan needs.

    This applies before the plan is reached as well: surge is lent for a time, and a load that keeps
    rising would hold it for ever.
    """
    holders = [
        one
        for one in releasable(context)
        if any(one.actual.size.resources.get(name, 0) > 0 for name in over)
    ]
    floor_rps = min(context.ready_rps, max(context.wanted_rps, context.planned_rps))
    return _released(context, holders, partial=True, floor_rps=floor_rps)


def _released(
    context: DrainContext, candidates: Iterable[PodState], *, partial: bool, floor_rps: float
) -> Releases:
    found: dict[str, Allocation | None] = {}
    left_rps = context.ready_rps
    for one in candidates:
        if is_needed_unknown(context, one, left_rps):
            continue
        for size, rps in ways(context.service, one, partial=partial):
            after_rps = left_rps - context.counted_rps(one) + (rps if one.actual.ready else 0.0)
            if after_rps >= floor_rps - 1e-9:
                found[one.actual.name] = size
                left_rps = after_rps
                break
    return found


def releasable(context: DrainContext) -> list[PodState]:
    """
    Return the pods that may be removed or shrunk: removals first; in each group those that are not
    Ready, then the least accurate.
    """
    found = [
        one
        for one in context.pods
        if one.touchable and (one.is_surplus or _shrinks_under_load(context, one))
    ]
    return sorted(
        found, key=lambda p: (not p.is_surplus, p.actual.ready, p.accuracy, p.actual.name)
    )


def _shrinks_under_load(context: DrainContext, one: PodState) -> bool:
    return (
        one.shrinks and one.can_resize and one.actual.ready and one.actual.name in context.carrying
    )


def is_needed_unknown(context: DrainContext, one: PodState, left_rps: float) -> bool:
    """
    Whether a pod of unknown capacity must stay because the other pods do not suffice without it.

    The capacity of a pod is unknown when its variant left the spec. Some other pod must remain even
    if the plan is empty and has nothing to wait for.
    """
    unknown = one.actual.ready and not one.capacity_rps and one.actual.name in context.carrying
    enough_rps = min(context.demand_rps, context.enough_rps)
    return unknown and (left_rps <= 0 or left_rps < enough_rps - 1e-9)


def ways(
    service: Service, one: PodState, *, partial: bool
) -> Iterable[tuple[Allocation | None, float]]:
    """
    Yield the sizes to which a pod may be reduced with the resulting capacity, smallest first (None:
    the pod is removed). With `partial`, sizes between the planned and the current one are included.

    A pod that is to be removed because its resize is stuck is removed as a whole. A smaller request
    would make it look like a pod that may still grow, and it would stay.
    """
    yield one.desired, min(one.desired_rps, one.capacity_rps)
    did_not_grow = one.is_surplus and one.actual.resize in STUCK
    if not partial or not one.actual.ready or did_not_grow:
        return
    least = one.desired.cpu_millicores if one.desired else 0
    for size in sorted(allocations_of(service, one.actual.target), key=lambda a: a.cpu_millicores):
        smaller = least < size.cpu_millicores < one.actual.size.cpu_millicores
        if smaller and resizable(one.actual.size, size.size):
            yield size, min(size.capacity_rps, one.capacity_rps)
