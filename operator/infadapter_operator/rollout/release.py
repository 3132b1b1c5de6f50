"""
What may be given up now: pods that the plan does not want and sizes beyond those it wants.

Never so much that less would be Ready than was or than is asked for, whichever is less; and only
when what takes over is Ready, or when it has no room to start before something is given up. Once
all that is planned is Ready, the plan's capacity is enough: what exceeds it is surge, and surge is
for replacing, not for serving more than the budget can. Only a pod that can't be planned, as it
does not get its size, stays for the demand within the budget.
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
"""By pod: the size it may shrink to, or None if it may go."""

HEADROOM_RATIO = 1.1
"""
Capacity kept above the rate of now where the plan has it: a mean of the past seconds may be passed
within the next.
"""


@dataclass(frozen=True, kw_only=True)
class DrainContext:
    """What giving up is judged by."""

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
        """Ready capacity may not fall below this."""
        return min(self.ready_rps, self.wanted_rps, self.enough_rps)

    @cached_property
    def takers_are_ready(self) -> bool:
        """Every planned pod is Ready: at its size or at a larger one, or as one to be replaced."""
        return all(
            sum(self._can_take(one) for one in of_target(self.pods, g.target)) >= g.pods
            for g in self.plan.groups
        )

    @property
    def enough_rps(self) -> float:
        """What the plan serves, once it is there; until then nothing is known to be enough."""
        known = self.takers_serve and not self.one_beyond_is_no_surge
        return self.planned_rps if known else math.inf

    @cached_property
    def one_beyond_is_no_surge(self) -> bool:
        """
        A pod that does not get its size can't be planned, as a plan has one size for all pods of a
        variant. Where the budget holds all that is Ready, it serves on while that is asked for; of
        a size that it waits for nothing is there yet.
        """
        ready = [one for one in self.pods if one.actual.ready]
        beyond = any(one.goes and one.actual.resize in STUCK for one in ready)
        there = total(held_in_force(one.actual) for one in ready)
        return beyond and fits(there, self.service.budget)

    @cached_property
    def takers_serve(self) -> bool:
        """And what was refused its size is replaced: until then less is there than is planned."""
        lacks = (
            one.capacity_rps < one.desired_rps - 1e-9 and one.must_be_replaced(self.now_s)
            for one in self.pods
        )
        return self.takers_are_ready and not any(lacks)

    @property
    def planned_rps(self) -> float:
        """What is served when the plan is reached: its capacity, and other controllers' pods."""
        theirs = (one.capacity_rps for one in self.pods if one.actual.ready and not one.touchable)
        return self.plan.capacity_rps + sum(theirs)

    def counted_rps(self, one: PodState) -> float:
        """Of a pod that carries nothing, or is replaced, what is not planned counts no more."""
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
    """All that the plan does not want, as far as the demand of now allows."""
    return _released(context, releasable(context), partial=False, floor_rps=context.floor_rps)


def is_short(context: DrainContext) -> bool:
    """Less is Ready than is asked for now, and what is planned is not all Ready yet."""
    return context.serving_rps < context.demand_rps and not context.takers_are_ready


def make_room(context: DrainContext, short: Collection[str]) -> Releases:
    """
    Make room for what has none: only what holds a resource that is short, and, where a pod can't go
    because of the demand, what of it the demand leaves. First what serves least for what it holds:
    the room is what counts now, and in a rise the least accurate pods serve most.
    """
    holders = [
        one
        for one in releasable(context)
        if any(one.actual.size.resources.get(name, 0) > 0 for name in short)
    ]
    holders.sort(key=lambda one: (not one.goes, one.actual.ready, _rps_per_unit(one, short)))
    return _released(context, holders, partial=True, floor_rps=context.floor_rps)


def _rps_per_unit(one: PodState, short: Collection[str]) -> float:
    return one.capacity_rps / sum(one.actual.size.resources.get(name, 0) for name in short)


def given_back(context: DrainContext, over: Collection[str]) -> Releases:
    """
    Of what is held beyond the budget, all that neither the demand nor the plan asks for, also
    while the plan is not reached yet: surge is lent, and a load that rises on and on would keep it.
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
    """First what goes, then what shrinks; in each, what is not Ready, then the least accurate."""
    found = [
        one
        for one in context.pods
        if one.touchable and (one.goes or _shrinks_under_load(context, one))
    ]
    return sorted(found, key=lambda p: (not p.goes, p.actual.ready, p.accuracy, p.actual.name))


def _shrinks_under_load(context: DrainContext, one: PodState) -> bool:
    return (
        one.shrinks and one.can_resize and one.actual.ready and one.actual.name in context.carrying
    )


def is_needed_unknown(context: DrainContext, one: PodState, left_rps: float) -> bool:
    """
    Nobody knows what a pod of a variant that left the spec serves: the others must suffice, and
    there must be others, also where the plan is empty and so has nothing to wait for.
    """
    unknown = one.actual.ready and not one.capacity_rps and one.actual.name in context.carrying
    enough_rps = min(context.demand_rps, context.enough_rps)
    return unknown and (left_rps <= 0 or left_rps < enough_rps - 1e-9)


def ways(
    service: Service, one: PodState, *, partial: bool
) -> Iterable[tuple[Allocation | None, float]]:
    """
    What may become of it, from the least to the most that is left, with its capacity. One that goes
    as it did not grow goes as a whole: asked for less, it would be one that may grow, and stay.
    """
    yield one.desired, min(one.desired_rps, one.capacity_rps)
    did_not_grow = one.goes and one.actual.resize in STUCK
    if not partial or not one.actual.ready or did_not_grow:
        return
    least = one.desired.cpu_millicores if one.desired else 0
    for size in sorted(allocations_of(service, one.actual.target), key=lambda a: a.cpu_millicores):
        smaller = least < size.cpu_millicores < one.actual.size.cpu_millicores
        if smaller and resizable(one.actual.size, size.size):
            yield size, min(size.capacity_rps, one.capacity_rps)
