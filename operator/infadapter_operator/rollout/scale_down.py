"""The steps that give up, once it is known what may be given up and who still gets traffic."""

from collections.abc import Collection, Mapping, Sequence

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.steps import RemovePods, ResizePod
from infadapter_operator.planning.capacity import same_amounts
from infadapter_operator.rollout.free import missing
from infadapter_operator.rollout.match import PodState, of_target
from infadapter_operator.rollout.release import DrainContext, Releases, goes_now
from infadapter_operator.rollout.traffic_split import shares_of
from infadapter_solver.problem import Allocation, Plan, Target


def align(context: DrainContext) -> tuple[ResizePod, ...]:
    """Pods that came up larger than planned and carry nothing yet shrink at once."""
    return tuple(
        ResizePod(pod=one.actual.name, target=one.actual.target, size=one.desired.size)
        for one in context.pods
        if one.desired is not None
        and one.shrinks
        and one.can_resize
        and not one.is_asked
        and not (one.actual.ready and one.actual.name in context.carrying)
    )


def scale_down(pods: Sequence[PodState], freed: Releases) -> tuple[ResizePod, ...]:
    """In place; only when the router no longer sends a pod more than it will serve then."""
    return tuple(
        ResizePod(pod=one.actual.name, target=one.actual.target, size=size.size)
        for one in pods
        if (size := freed.get(one.actual.name)) is not None
        and not same_amounts(one.actual.wanted.resources, size.resources)
    )


def unloaded(
    pods: Sequence[PodState],
    freed: Releases,
    in_force: Sequence[Mapping[str, int]],
    demand_rps: float,
) -> Releases:
    """
    What may shrink by all weights that are, or may come, in force and that are about to be sent:
    all of it where these agree, and where they don't yet, the pods by which no more is missed than
    if they did. A load that moves would move weights at every cycle, and nothing would ever shrink;
    and in an overload all are full by any weights, unless what is to carry is not sent to yet.
    Weights that were replaced meanwhile may come into force first, and leave it to their pods
    alone: by each of them, those it names must suffice.
    """
    if all(weights == in_force[0] for weights in in_force):
        return freed
    stay = [one for one in pods if one.actual.ready and not goes_now(freed, one.actual.name)]
    left_rps = sum(one.capacity_rps for one in stay)
    carried_rps = [_carried_rps(pods, weights) for weights in in_force]
    found: dict[str, Allocation | None] = {}
    for one in stay:
        size = freed.get(one.actual.name)
        if size is None:
            continue
        less_rps = one.capacity_rps - size.capacity_rps
        after_rps = left_rps - less_rps
        lost_rps = min(demand_rps, left_rps) - min(demand_rps, after_rps)
        carried_after_rps = [
            rps - less_rps if weights.get(one.actual.name) else rps
            for rps, weights in zip(carried_rps, in_force, strict=True)
        ]
        needed_rps = min(demand_rps, after_rps)
        suffices = _suffices(carried_rps, carried_after_rps, needed_rps)
        if suffices and _missed_rps(one, size, in_force, demand_rps) <= lost_rps + 1e-9:
            found[one.actual.name] = size
            left_rps, carried_rps = after_rps, carried_after_rps
    return found


def _suffices(before_rps: Sequence[float], after_rps: Sequence[float], needed_rps: float) -> bool:
    """Whether, by all weights, what carries serves what is needed, or as much as before."""
    return all(
        after >= min(before, needed_rps) - 1e-9
        for before, after in zip(before_rps, after_rps, strict=True)
    )


def _carried_rps(pods: Sequence[PodState], weights: Mapping[str, int]) -> float:
    return sum(
        one.capacity_rps for one in pods if one.actual.ready and weights.get(one.actual.name)
    )


def _missed_rps(
    one: PodState, size: Allocation, in_force: Sequence[Mapping[str, int]], demand_rps: float
) -> float:
    """What it may be sent beyond what it will serve, that it serves now."""
    share = max(shares_of(weights).get(one.actual.name, 0.0) for weights in in_force)
    sent_rps = demand_rps * share
    return min(sent_rps, one.capacity_rps) - min(sent_rps, size.capacity_rps)


def remove(
    plan: Plan,
    pods: Sequence[PodState],
    observed: Observed,
    freed: Releases,
    carrying: Collection[str],
) -> tuple[RemovePods, ...]:
    """
    The pods that may go and that the router can no longer send to; and those never created. Where
    a roll has made more than would be left, its platform would take one of these, whatever that
    carries: the roll goes on first, and what is too many then is known by name.
    """
    going: dict[Target, list[str]] = {}
    for one in pods:
        if goes_now(freed, one.actual.name) and one.actual.name not in carrying:
            going.setdefault(one.actual.target, []).append(one.actual.name)
    planned = {group.target: group.pods for group in plan.groups}
    absent = missing(observed)
    steps = []
    for target in sorted({*going, *absent} - observed.untouchable):
        gone = going.get(target, [])
        live = sum(one.actual.target == target for one in pods)
        stay = max(0, min(live, observed.desired_pods.get(target, live)) - len(gone))
        if target in observed.rolling and _needed(of_target(pods, target), gone, stay) > stay:
            continue
        uncreated = absent.get(target, 0)
        still_to_come = min(uncreated, max(0, planned.get(target, 0) - stay))
        if gone or still_to_come < uncreated:
            steps.append(
                RemovePods(target=target, pods=tuple(gone), remaining=stay + still_to_come)
            )
    return tuple(steps)


def _needed(own: Sequence[PodState], gone: Collection[str], stay: int) -> int:
    """Of a roll: the new pods that are Ready and do not go, and the old ones where none stays."""
    able = (one.actual for one in own if not (one.actual.outdated and stay))
    return sum(pod.ready and pod.name not in gone for pod in able)
