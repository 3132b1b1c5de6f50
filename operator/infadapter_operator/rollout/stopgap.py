"""
Stopgaps: serving pods grow beyond their planned size, which takes a second, until the planned pods,
which take ten, are Ready. Then they shrink or are removed as usual.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from infadapter_operator.domain.observed import Resize
from infadapter_operator.domain.steps import ResizePod
from infadapter_operator.planning.capacity import allocations_of, fitting, held_by, resizable
from infadapter_operator.rollout.free import beyond
from infadapter_operator.rollout.growth import Growth
from infadapter_operator.rollout.match import PodState
from infadapter_operator.rollout.release import DrainContext
from infadapter_solver.problem import CPU, Allocation, Target


@dataclass(frozen=True, slots=True)
class _Way:
    """One pod at a larger size."""

    one: PodState
    size: Allocation
    gain_rps: float
    more_millicores: int


def stopgaps(
    context: DrainContext, grown: Growth, limits: Mapping[Target, int]
) -> tuple[ResizePod, ...]:
    """
    Return the resizes that cover the shortage with as few additional cores as possible.

    They stay within budget and surge, do not exceed the plan's capacity, and avoid sizes that are
    known to fail.
    """
    asked = grown.resized
    able = [one for one in context.pods if _can_grow(one) and one.actual.name not in asked]
    short_rps = min(context.wanted_rps, context.plan.capacity_rps) - _requested_rps(context, asked)
    steps: list[ResizePod] = []
    while short_rps > 0 and (way := _best(list(_ways(context, able, grown, limits)), short_rps)):
        grown.room.take({CPU: way.more_millicores})
        able.remove(way.one)
        short_rps -= way.gain_rps
        steps.append(
            ResizePod(pod=way.one.actual.name, target=way.one.actual.target, size=way.size.size)
        )
    return tuple(steps)


def _can_grow(one: PodState) -> bool:
    settled = one.actual.resize in (Resize.NONE, Resize.IN_PROGRESS)
    return one.actual.ready and one.touchable and settled


def _requested_rps(context: DrainContext, asked: Mapping[str, Allocation]) -> float:
    """Return the capacity of the Ready pods once all requested sizes are in force."""
    return sum(
        asked[one.actual.name].capacity_rps
        if one.actual.name in asked
        else _growing_rps(context, one)
        for one in context.pods
        if one.actual.ready
    )


def _growing_rps(context: DrainContext, one: PodState) -> float:
    """Return the capacity of a pod with the size it was asked to grow to."""
    wanted = fitting(context.service, one.actual.target, one.actual.wanted)
    if wanted is None or one.actual.resize is Resize.REFUSED:
        return one.capacity_rps
    return max(one.capacity_rps, wanted.capacity_rps)


def _ways(
    context: DrainContext, able: Sequence[PodState], grown: Growth, limits: Mapping[Target, int]
) -> Iterator[_Way]:
    for one in able:
        held, has_rps = held_by(one.actual), _growing_rps(context, one)
        most = limits.get(one.actual.target, math.inf)
        for size in allocations_of(context.service, one.actual.target):
            more = beyond(held, size.resources)
            if (
                size.capacity_rps > has_rps
                and size.cpu_millicores <= most
                and resizable(one.actual.size, size.size)
                and grown.room.times(more)
            ):
                yield _Way(one, size, size.capacity_rps - has_rps, more.get(CPU, 0))


def _best(ways: Sequence[_Way], short_rps: float) -> _Way | None:
    """Return the cheapest resize that suffices alone, or the one that adds most if none does."""
    enough = [way for way in ways if way.gain_rps >= short_rps]
    if enough:
        return min(enough, key=lambda way: (way.more_millicores, way.one.actual.name))
    return max(ways, key=lambda way: (way.gain_rps, way.one.actual.name), default=None)
