"""
A bridge over the time in which what is planned starts: pods that serve already grow beyond their
plan, which takes a second, until those that take ten are Ready. Then they shrink, or go, as usual.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from infadapter_operator.domain.observed import Resize
from infadapter_operator.domain.steps import ResizePod
from infadapter_operator.planning.capacity import allocations_of, fitting, resizable
from infadapter_operator.rollout.match import Placed, held_by
from infadapter_operator.rollout.release import Ground
from infadapter_operator.rollout.scale_up import Growth, beyond
from infadapter_solver.problem import CPU, Allocation


@dataclass(frozen=True, slots=True)
class _Way:
    """One pod at a larger size."""

    one: Placed
    size: Allocation
    gain_rps: float
    more_millicores: int


def bridging(ground: Ground, grown: Growth) -> tuple[ResizePod, ...]:
    """As few cores more as will do, within budget and surge; never above the plan's capacity."""
    asked = grown.resized
    able = [one for one in ground.pods if _can_grow(one) and one.pod.name not in asked]
    short_rps = min(ground.wanted_rps, ground.plan.capacity_rps) - _soon_rps(ground, asked)
    steps: list[ResizePod] = []
    while short_rps > 0 and (way := _best(list(_ways(ground, able, grown)), short_rps)):
        grown.room.take({CPU: way.more_millicores})
        able.remove(way.one)
        short_rps -= way.gain_rps
        steps.append(ResizePod(pod=way.one.pod.name, target=way.one.pod.target, size=way.size.size))
    return tuple(steps)


def _can_grow(one: Placed) -> bool:
    settled = one.pod.resize in (Resize.NONE, Resize.IN_PROGRESS)
    return one.pod.ready and one.touchable and settled


def _soon_rps(ground: Ground, asked: Mapping[str, Allocation]) -> float:
    """What Ready pods will serve when the sizes that were asked for are in force."""
    return sum(
        asked[one.pod.name].capacity_rps if one.pod.name in asked else _growing_rps(ground, one)
        for one in ground.pods
        if one.pod.ready
    )


def _growing_rps(ground: Ground, one: Placed) -> float:
    """With the size it was asked to grow to, if it was."""
    wanted = fitting(ground.service, one.pod.target, one.pod.wanted)
    if wanted is None or one.pod.resize is Resize.REFUSED:
        return one.capacity_rps
    return max(one.capacity_rps, wanted.capacity_rps)


def _ways(ground: Ground, able: Sequence[Placed], grown: Growth) -> Iterator[_Way]:
    for one in able:
        held, has_rps = held_by(one.pod), _growing_rps(ground, one)
        for size in allocations_of(ground.service, one.pod.target):
            more = beyond(held, size.resources)
            if (
                size.capacity_rps > has_rps
                and resizable(one.pod.size, size.size)
                and grown.room.times(more)
            ):
                yield _Way(one, size, size.capacity_rps - has_rps, more.get(CPU, 0))


def _best(ways: Sequence[_Way], short_rps: float) -> _Way | None:
    """The cheapest that suffices alone; if none does, the one that brings most."""
    enough = [way for way in ways if way.gain_rps >= short_rps]
    if enough:
        return min(enough, key=lambda way: (way.more_millicores, way.one.pod.name))
    return max(ways, key=lambda way: (way.gain_rps, way.one.pod.name), default=None)
