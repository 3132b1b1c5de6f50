"""
Preemption: room for what is planned where every way to it costs Ready capacity.

Budget, surge or node are full of pods that serve, demand leaves none of them to spare, and nothing
that is under way will change that. Waiting would be for ever; so the least capacity is given up,
for the shortest time, that lets something planned start or grow.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from infadapter_operator.delays import START_S
from infadapter_operator.planning.capacity import held_in_force, load_time_s, plus
from infadapter_operator.rollout.growth import Shortage
from infadapter_operator.rollout.match import PodState
from infadapter_operator.rollout.release import (
    DrainContext,
    Releases,
    is_needed_unknown,
    releasable,
    ways,
)
from infadapter_solver.problem import Allocation, Resources

MOST_FOR_A_NODE = 0.5
"""
Of what is Ready, the most that is given up for a pod that finds no node: how much would do is not
known, and where it does not, a plan is made without the pod.
"""

SMALL_RELEASE_SHARE = 0.2
"""
Up to this part of what is Ready, more is given up at once if that gets further: so that a pod of
many sizes does not grow by the smallest of them.
"""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Pods, or parts of them, that make room for one shortage."""

    released: Releases
    lost_rps: float  # of what must stay Ready
    shortage: Shortage

    def badness(self, ready_rps: float) -> tuple[float, float]:
        lost_rps = max(self.lost_rps, SMALL_RELEASE_SHARE * ready_rps)
        return lost_rps * self.shortage.wait_s, -self.shortage.gain_rps


def preempted(context: DrainContext, shortages: Sequence[Shortage]) -> Releases:
    """
    The least capacity for the shortest time; nothing where no pod may be given up. What is kept
    above the demand of now goes first: that costs no request.
    """
    candidates = [
        candidate
        for shortage in shortages
        for candidate in (*_candidates(context, shortage), *_instead(context, shortage))
        if not shortage.is_of_node or candidate.lost_rps <= MOST_FOR_A_NODE * context.ready_rps
    ]
    if not candidates:
        return {}
    headroom_rps = max(0.0, context.floor_rps - context.demand_rps)
    spared = [candidate for candidate in candidates if candidate.lost_rps <= headroom_rps]
    least = min(spared or candidates, key=lambda candidate: candidate.badness(context.ready_rps))
    return least.released


def node_shortages(context: DrainContext) -> Iterator[Shortage]:
    """
    Planned pods that no node has room for. How much a node lacks is not told: half of what is asked
    for is freed, and half again while that was not enough. A resize that waits is none: a pod takes
    its place when patience ends.
    """
    for one in context.pods:
        if one.goes or not one.touchable:
            continue
        if one.actual.unschedulable_since_s is not None:
            yield Shortage(
                lacking=_half(one.actual.wanted.resources),
                gain_rps=one.desired_rps,
                wait_s=START_S + load_time_s(context.service, one.actual.target),
                is_of_node=True,
            )


def _half(amounts: Resources) -> Resources:
    """Of a device there is no half."""
    return {name: -(-amount // 2) for name, amount in amounts.items() if amount > 0}


def _candidates(context: DrainContext, shortage: Shortage) -> list[_Candidate]:
    """Of pods of which nobody knows what they serve only where no others will do."""
    able = [one for one in releasable(context) if one.actual.name != shortage.pod]
    known = [one for one in able if not is_needed_unknown(context, one, context.ready_rps)]
    return _candidates_of(context, known, shortage) or _candidates_of(context, able, shortage)


def _candidates_of(
    context: DrainContext, able: Sequence[PodState], shortage: Shortage
) -> list[_Candidate]:
    """The best of one pod, and several of which none is enough alone: they may cost less."""
    singles = [candidate for one in able for candidate in _parts_of(context, one, shortage)]
    best = sorted(singles, key=lambda candidate: (candidate.lost_rps, *candidate.released))[:1]
    enough = {pod for candidate in singles for pod in candidate.released}
    others = [one for one in able if one.actual.name not in enough]
    together = _together(context, others, shortage)
    return best if together is None else [*best, together]


def _instead(context: DrainContext, shortage: Shortage) -> Iterator[_Candidate]:
    """What of pods that are replaced one by one leaves room to replace the others."""
    released = shortage.instead or {}
    pods = [one for one in context.pods if one.actual.name in released]
    if pods:
        lost_rps = sum(_lost_rps(context, one, released[one.actual.name]) for one in pods)
        yield _Candidate(released, _missed(context, lost_rps), shortage)


def _parts_of(context: DrainContext, one: PodState, shortage: Shortage) -> Iterator[_Candidate]:
    """What of one pod is enough by itself."""
    for size, _ in ways(context.service, one, partial=True):
        if _covers(_freed(one, size), shortage.lacking):
            lost_rps = _missed(context, _lost_rps(context, one, size))
            yield _Candidate({one.actual.name: size}, lost_rps, shortage)


def _lost_rps(context: DrainContext, one: PodState, size: Allocation | None) -> float:
    """By giving up all of it but this."""
    kept_rps = min(size.capacity_rps, one.capacity_rps) if size and one.actual.ready else 0.0
    return context.counted_rps(one) - kept_rps


def _together(
    context: DrainContext, able: Collection[PodState], shortage: Shortage
) -> _Candidate | None:
    """
    Whole pods, those first that lose least for what they free; for a node, of which nobody knows
    how much it lacks, all of them where they are less than is asked for.
    """
    found: dict[str, Allocation | None] = {}
    freed: Resources = {}
    lost_rps = 0.0
    for one in sorted(able, key=lambda one: _loss_per_unit(context, one, shortage)):
        found[one.actual.name] = one.desired
        freed = plus(freed, _freed(one, one.desired))
        lost_rps += _lost_rps(context, one, one.desired)
        if _covers(freed, shortage.lacking):
            return _Candidate(found, _missed(context, lost_rps), shortage)
    helps = any(freed.get(name, 0) > 0 for name in shortage.lacking)
    if shortage.is_of_node and helps:
        return _Candidate(found, _missed(context, lost_rps), shortage)
    return None


def _missed(context: DrainContext, lost_rps: float) -> float:
    """How far Ready capacity would fall below what must stay Ready."""
    return max(0.0, context.floor_rps - (context.ready_rps - lost_rps))


def _freed(one: PodState, size: Allocation | None) -> Resources:
    return plus(held_in_force(one.actual), size.resources if size else {}, -1)


def _covers(freed: Resources, lacking: Resources) -> bool:
    return all(freed.get(name, 0) >= amount for name, amount in lacking.items())


def _loss_per_unit(context: DrainContext, one: PodState, shortage: Shortage) -> tuple[float, str]:
    freed = _freed(one, one.desired)
    useful = sum(freed.get(name, 0) for name in shortage.lacking)
    return (context.counted_rps(one) / useful if useful > 0 else float("inf")), one.actual.name
