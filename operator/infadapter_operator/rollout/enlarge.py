"""Grow running pods to their planned sizes in place, which adds capacity within a second."""

import math

from infadapter_operator.delays import RESIZE_S
from infadapter_operator.domain.steps import ResizePod
from infadapter_operator.planning.capacity import allocations_of, held_by
from infadapter_operator.rollout.free import beyond
from infadapter_operator.rollout.growth import Growing, Terms
from infadapter_operator.rollout.match import WAITS, PodState, resize_failed
from infadapter_solver.problem import CPU, Allocation


def enlarge(terms: Terms, growing: Growing, one: PodState) -> None:
    """
    Add the resize of one pod to its planned size, or to the largest size that has room if `smaller`
    is set. If there is no room, add the shortages instead.
    """
    desired = one.desired
    if desired is None or not _is_to_grow(terms, one):
        return
    between = _sizes_up_to(terms, one, desired)
    for allocation in [desired, *between] if terms.smaller else [desired]:
        more = beyond(held_by(one.actual), allocation.resources)
        if growing.room.times(more):
            growing.room.take(more)
            growing.steps.append(
                ResizePod(pod=one.actual.name, target=one.actual.target, size=allocation.size)
            )
            growing.resized[one.actual.name] = allocation
            return
    for allocation in (desired, *between):
        growing.lacks(
            beyond(held_by(one.actual), allocation.resources),
            gain_rps=allocation.capacity_rps - one.capacity_rps,
            wait_s=RESIZE_S,
            pod=one.actual.name,
        )


def _is_to_grow(terms: Terms, one: PodState) -> bool:
    if not one.can_resize or one.is_requested or one.shrinks or one.is_refused:
        return False
    if one.actual.unschedulable_since_s is not None:
        return False  # a larger pod would wait longer; it grows once it has a node
    return not (terms.bridges and one.is_to_exceed_desired and _may_come(terms, one))


def _may_come(terms: Terms, one: PodState) -> bool:
    """
    Whether a bridge may still reach its size: the size is not known to fail, and the resize has not
    waited for too long.
    """
    pod, patience_s = one.actual, terms.service.patience.start_s
    most = terms.observed.size_limits.get(pod.target, math.inf)
    fails = pod.resize in WAITS and resize_failed(pod, terms.now_s, patience_s)
    return pod.wanted.cpu_millicores <= most and not fails


def _sizes_up_to(terms: Terms, one: PodState, desired: Allocation) -> list[Allocation]:
    """Return the sizes between the current and the planned one that add capacity, largest first."""
    between = [
        a
        for a in allocations_of(terms.service, one.actual.target)
        if held_by(one.actual).get(CPU, 0) < a.cpu_millicores < desired.cpu_millicores
        and a.capacity_rps > one.capacity_rps
        and a.size.but_cpu == desired.size.but_cpu
    ]
    return sorted(between, key=lambda a: -a.cpu_millicores)
