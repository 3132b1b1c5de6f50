"""
Preemption: make room for planned pods when every way to the plan costs Ready capacity.

Budget, surge or node are full of serving pods, the demand needs all of them, and no operation in
progress will change that. Waiting would never end. So the least capacity is released, for the
shortest time, that lets a planned pod start or grow.
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
Largest share of the Ready capacity to release for an unschedulable pod. How much room its node
lacks is unknown; if this does not suffice, the next plan excludes the pod.
"""

SMALL_RELEASE_SHARE = 0.2
"""
Share of the Ready capacity below which releases count as equally cheap, so that the one that gains
most is chosen. Otherwise a pod with many sizes would grow by the smallest of them each time.
"""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Pods, or parts of pods, whose release makes room for one shortage."""

    released: Releases
    lost_rps: float  # below the capacity that must stay Ready
    shortage: Shortage

    def badness(self, ready_rps: float) -> tuple[float, float]:
        lost_rps = max(self.lost_rps, SMALL_RELEASE_SHARE * ready_rps)
        return lost_rps * self.shortage.wait_s, -self.shortage.gain_rps


def preempted(context: DrainContext, shortages: Sequence[Shortage]) -> Releases:
    """
    Return the release that costs the least capacity for the shortest time; empty if no pod may be
    released. Capacity above the current demand is released first, because that costs no request.
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
    Yield a shortage for each planned pod that is unschedulable.

    How much a node lacks is not reported, so half of what the pod requests is freed, and half again
    if that was not enough. Deferred resizes are left out: such a pod is replaced when its patience
    ends.
    """
    for one in context.pods:
        if one.is_surplus or not one.touchable:
            continue
        if one.actual.unschedulable_since_s is not None:
            yield Shortage(
                lacking=_half(one.actual.wanted.resources),
                gain_rps=one.desired_rps,
                wait_s=START_S + load_time_s(context.service, one.actual.target),
                is_of_node=True,
            )


def _half(amounts: Resources) -> Resources:
    """Return half of each amount, rounded up, since devices are indivisible."""
    return {name: -(-amount // 2) for name, amount in amounts.items() if amount > 0}


def _candidates(context: DrainContext, shortage: Shortage) -> list[_Candidate]:
    """
    Return candidates from pods of known capacity; from pods of unknown capacity only if there are
    none.
    """
    able = [one for one in releasable(context) if one.actual.name != shortage.pod]
    known = [one for one in able if not is_needed_unknown(context, one, context.ready_rps)]
    return _candidates_of(context, known, shortage) or _candidates_of(context, able, shortage)


def _candidates_of(
    context: DrainContext, able: Sequence[PodState], shortage: Shortage
) -> list[_Candidate]:
    """
    Return the best release of a single pod, and one of several pods none of which suffices alone:
    the combination may cost less.
    """
    singles = [candidate for one in able for candidate in _parts_of(context, one, shortage)]
    best = sorted(singles, key=lambda candidate: (candidate.lost_rps, *candidate.released))[:1]
    enough = {pod for candidate in singles for pod in candidate.released}
    others = [one for one in able if one.actual.name not in enough]
    together = _together(context, others, shortage)
    return best if together is None else [*best, together]


def _instead(context: DrainContext, shortage: Shortage) -> Iterator[_Candidate]:
    """Yield the release of some pods of a rolling update that leaves room to replace the others."""
    released = shortage.instead or {}
    pods = [one for one in context.pods if one.actual.name in released]
    if pods:
        lost_rps = sum(_lost_rps(context, one, released[one.actual.name]) for one in pods)
        yield _Candidate(released, _missed(context, lost_rps), shortage)


def _parts_of(context: DrainContext, one: PodState, shortage: Shortage) -> Iterator[_Candidate]:
    """Yield the reductions of one pod that suffice by themselves."""
    for size, _ in ways(context.service, one, partial=True):
        if _covers(_freed(one, size), shortage.lacking):
            lost_rps = _missed(context, _lost_rps(context, one, size))
            yield _Candidate({one.actual.name: size}, lost_rps, shortage)


def _lost_rps(context: DrainContext, one: PodState, size: Allocation | None) -> float:
    """Return the capacity lost when the pod is reduced to `size` (None: removed)."""
    kept_rps = min(size.capacity_rps, one.capacity_rps) if size and one.actual.ready else 0.0
    return context.counted_rps(one) - kept_rps


def _together(
    context: DrainContext, able: Collection[PodState], shortage: Shortage
) -> _Candidate | None:
    """
    Return a release of whole pods, those with the least loss per freed unit first.

    For a node, whose shortage is only a guess, all pods are returned even if they free less than
    that.
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
    """Return how far Ready capacity would fall below the floor, rps."""
    return max(0.0, context.floor_rps - (context.ready_rps - lost_rps))


def _freed(one: PodState, size: Allocation | None) -> Resources:
    return plus(held_in_force(one.actual), size.resources if size else {}, -1)


def _covers(freed: Resources, lacking: Resources) -> bool:
    return all(freed.get(name, 0) >= amount for name, amount in lacking.items())


def _loss_per_unit(context: DrainContext, one: PodState, shortage: Shortage) -> tuple[float, str]:
    freed = _freed(one, one.desired)
    useful = sum(freed.get(name, 0) for name in shortage.lacking)
    return (context.counted_rps(one) / useful if useful > 0 else float("inf")), one.actual.name
