"""
Preemption: room for what is planned where every way to it costs Ready capacity.

Budget, surge or node are full of pods that serve, demand leaves none of them to spare, and nothing
that is under way will change that. Waiting would be for ever; so the least capacity is given up,
for the shortest time, that lets something planned start or grow.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from infadapter_operator.delays import RESIZE_S, START_S
from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.planning.capacity import load_time_s, plus
from infadapter_operator.rollout.free import missing
from infadapter_operator.rollout.match import WAITS, Placed, is_settled
from infadapter_operator.rollout.release import (
    Ground,
    Released,
    is_needed_unknown,
    releasable,
    ways,
)
from infadapter_operator.rollout.scale_up import Shortage, beyond
from infadapter_solver.problem import Allocation, Amounts

MOST_FOR_A_NODE = 0.5
"""
Of what is Ready, the most that is given up for a pod that finds no node: how much would do is not
known, and where it does not, a plan is made without the pod.
"""

LITTLE = 0.2
"""
Up to this part of what is Ready, more is given up at once if that gets further: so that a pod of
many sizes does not grow by the smallest of them.
"""


@dataclass(frozen=True, slots=True)
class _Offer:
    """Pods, or parts of them, that make room for one shortage."""

    released: Released
    lost_rps: float  # of what must stay Ready
    shortage: Shortage

    def badness(self, ready_rps: float) -> tuple[float, float]:
        lost_rps = max(self.lost_rps, LITTLE * ready_rps)
        return lost_rps * self.shortage.wait_s, -self.shortage.gain_rps


def preempted(ground: Ground, shortages: Sequence[Shortage]) -> Released:
    """The least capacity for the shortest time; nothing where no pod may be given up."""
    offers = [
        offer
        for shortage in shortages
        for offer in _offers(ground, shortage)
        if not shortage.is_of_node or offer.lost_rps <= MOST_FOR_A_NODE * ground.ready_rps
    ]
    if not offers:
        return {}
    return min(offers, key=lambda offer: offer.badness(ground.ready_rps)).released


def is_under_way(ground: Ground, observed: Observed) -> bool:
    """Something starts, is resized, rolls or leaves: it ends by itself and changes the room."""
    refused = set(observed.refusals)
    return (
        bool(observed.rolling)
        or bool(set(missing(observed)) - refused)
        or any(pod.leaving or _is_resizing(pod) for pod in observed.pods)
        or any(_is_starting(one) for one in ground.pods)
    )


def _is_starting(one: Placed) -> bool:
    pod = one.pod
    waits = pod.unschedulable_since_s is not None or pod.trouble is not None
    return not one.goes and not pod.ready and not waits


def _is_resizing(pod: Pod) -> bool:
    return pod.resize in (Resize.NONE, Resize.IN_PROGRESS) and not is_settled(pod)


def node_shortages(ground: Ground) -> Iterator[Shortage]:
    """
    Planned pods that no node has room for. How much a node lacks is not told: half of what is asked
    for is freed, and half again while that was not enough.
    """
    for one in ground.pods:
        if one.goes or not one.touchable:
            continue
        if one.pod.unschedulable_since_s is not None:
            yield Shortage(
                lacking=_half(one.pod.wanted.resources),
                gain_rps=one.goal_rps,
                wait_s=START_S + load_time_s(ground.service, one.pod.target),
                is_of_node=True,
            )
        elif one.pod.resize in WAITS and one.goal_rps > one.capacity_rps:
            yield Shortage(
                lacking=_half(beyond(one.pod.size.resources, one.pod.wanted.resources)),
                gain_rps=one.goal_rps - one.capacity_rps,
                wait_s=RESIZE_S,
                pod=one.pod.name,
                is_of_node=True,
            )


def _half(amounts: Amounts) -> Amounts:
    """Of a device there is no half."""
    return {name: -(-amount // 2) for name, amount in amounts.items() if amount > 0}


def _offers(ground: Ground, shortage: Shortage) -> list[_Offer]:
    """Of pods of which nobody knows what they serve only where no others will do."""
    able = [
        one
        for one in (*releasable(ground), *_replaceable(ground, shortage))
        if one.pod.name != shortage.pod
    ]
    known = [one for one in able if not is_needed_unknown(ground, one, ground.ready_rps)]
    return _offers_of(ground, known, shortage) or _offers_of(ground, able, shortage)


def _offers_of(ground: Ground, able: Sequence[Placed], shortage: Shortage) -> list[_Offer]:
    singles = [offer for one in able for offer in _parts_of(ground, one, shortage)]
    if singles:
        return [min(singles, key=lambda offer: offer.lost_rps)]
    together = _together(ground, able, shortage)
    return [together] if together is not None else []


def _replaceable(ground: Ground, shortage: Shortage) -> list[Placed]:
    """Of pods that are replaced one by one, one may go first, if others stay meanwhile."""
    own = [one for one in ground.pods if one.pod.target == shortage.replaces and not one.goes]
    found = [one for one in own if one.must_be_replaced(ground.now_s)]
    return found if len(own) > 1 else []


def _parts_of(ground: Ground, one: Placed, shortage: Shortage) -> Iterator[_Offer]:
    """What of one pod is enough by itself."""
    if shortage.replaces == one.pod.target and not one.goes:
        if _covers(one.pod.resources, shortage.lacking):
            lost_rps = _missed(ground, ground.counted_rps(one))
            yield _Offer({one.pod.name: None}, lost_rps, shortage)
        return
    for size, rps in ways(ground.service, one, partial=True):
        if _covers(_freed(one, size), shortage.lacking):
            lost_rps = ground.counted_rps(one) - (rps if one.pod.ready else 0.0)
            yield _Offer({one.pod.name: size}, _missed(ground, lost_rps), shortage)


def _together(ground: Ground, able: Collection[Placed], shortage: Shortage) -> _Offer | None:
    """
    Whole pods, those first that lose least for what they free; for a node, of which nobody knows
    how much it lacks, all of them where they are less than is asked for.
    """
    found: dict[str, Allocation | None] = {}
    freed: Amounts = {}
    lost_rps = 0.0
    for one in sorted(able, key=lambda one: _loss_per_unit(ground, one, shortage)):
        found[one.pod.name] = one.goal
        freed = plus(freed, _freed(one, one.goal))
        kept_rps = min(one.goal_rps, one.capacity_rps) if one.pod.ready else 0.0
        lost_rps += ground.counted_rps(one) - kept_rps
        if _covers(freed, shortage.lacking):
            return _Offer(found, _missed(ground, lost_rps), shortage)
    helps = any(freed.get(name, 0) > 0 for name in shortage.lacking)
    if shortage.is_of_node and helps:
        return _Offer(found, _missed(ground, lost_rps), shortage)
    return None


def _missed(ground: Ground, lost_rps: float) -> float:
    """How far Ready capacity would fall below what must stay Ready."""
    return max(0.0, ground.floor_rps - (ground.ready_rps - lost_rps))


def _freed(one: Placed, size: Allocation | None) -> Amounts:
    return plus(one.pod.resources, size.resources if size else {}, -1)


def _covers(freed: Amounts, lacking: Amounts) -> bool:
    return all(freed.get(name, 0) >= amount for name, amount in lacking.items())


def _loss_per_unit(ground: Ground, one: Placed, shortage: Shortage) -> tuple[float, str]:
    freed = _freed(one, one.goal)
    useful = sum(freed.get(name, 0) for name in shortage.lacking)
    return (ground.counted_rps(one) / useful if useful > 0 else float("inf")), one.pod.name
