"""Steps that shrink or remove pods, once the releases and the new weights are known."""

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
    """Shrink pods that came up larger than planned and carry no traffic yet."""
    return tuple(
        ResizePod(pod=one.actual.name, target=one.actual.target, size=one.desired.size)
        for one in context.pods
        if one.desired is not None
        and one.shrinks
        and one.can_resize
        and not one.is_requested
        and not (one.actual.ready and one.actual.name in context.carrying)
    )


def scale_down(pods: Sequence[PodState], freed: Releases) -> tuple[ResizePod, ...]:
    """
    Return in-place resizes to the released sizes. `freed` holds only pods to which the router no
    longer sends more than they will serve then (`unloaded`).
    """
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
    Return the releases that are safe under all weights that are, or may come, in force.

    If all weights agree, that is all of `freed`. If they differ, a pod may shrink only if no more
    requests are missed than if they agreed. Waiting for agreement would mean that nothing ever
    shrinks while the load moves; and in an overload every pod is full under any weights, except
    pods that have no weight yet. Weights that were superseded meanwhile may come into force first
    and send everything to the pods they name; so under each of the weights the named pods must
    suffice.
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
    """
    Whether under all weights the pods that carry traffic serve what is needed, or as much as
    before.
    """
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
    """
    Return the rate that the pod serves now and could no longer serve at `size`, under the worst
    weights.
    """
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
    Return the removal of released pods to which the router can no longer send, and of requested
    pods that were never created.

    If a rolling update has created more new pods than would remain, its platform would remove one
    of them whatever traffic it carries. The update then continues first, and surplus pods are
    removed by name afterwards.
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
    """
    Count the pods of a rolling update that must remain: new pods that are Ready and are not
    removed, and old ones too if none stays.
    """
    able = (one.actual for one in own if not (one.actual.outdated and stay))
    return sum(pod.ready and pod.name not in gone for pod in able)
