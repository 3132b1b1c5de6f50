"""The steps that give up, once it is known what may be given up and who still gets traffic."""

from collections.abc import Collection, Mapping, Sequence

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_operator.planning.capacity import same_amounts
from infadapter_operator.rollout.free import missing
from infadapter_operator.rollout.match import PodState, held_by
from infadapter_operator.rollout.release import DrainContext, Releases, goes_now
from infadapter_operator.rollout.scale_up import Growth, Shortage
from infadapter_operator.rollout.traffic_split import shares_of
from infadapter_solver.problem import CPU, Allocation, Plan, PodGroup, Resources, Target


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
    What may shrink by all weights that are in force, sent and about to be sent: all of it where
    these agree, and where they don't yet, the pods by which no more is missed than if they did. A
    load that moves would move weights at every cycle, and nothing would ever shrink; and in an
    overload all are full by any weights, unless what is to carry is not sent to yet.
    """
    if all(weights == in_force[0] for weights in in_force):
        return freed
    carried_rps = [_carried_rps(pods, weights) for weights in in_force]
    shares = [shares_of(weights) for weights in in_force]
    stay = [one for one in pods if one.actual.ready and not goes_now(freed, one.actual.name)]
    left_rps = sum(one.capacity_rps for one in stay)
    found: dict[str, Allocation | None] = {}
    for one in stay:
        size = freed.get(one.actual.name)
        if size is None:
            continue
        after_rps = left_rps - one.capacity_rps + size.capacity_rps
        lost_rps = min(demand_rps, left_rps) - min(demand_rps, after_rps)
        sent_rps = demand_rps * max(share.get(one.actual.name, 0.0) for share in shares)
        missed_rps = min(sent_rps, one.capacity_rps) - min(sent_rps, size.capacity_rps)
        carried_after_rps = [
            rps - (one.capacity_rps - size.capacity_rps if one.actual.name in weights else 0.0)
            for rps, weights in zip(carried_rps, in_force, strict=True)
        ]
        must_rps = min(demand_rps, after_rps)
        keeps = all(
            after >= min(before, must_rps) - 1e-9
            for before, after in zip(carried_rps, carried_after_rps, strict=True)
        )
        if keeps and missed_rps <= lost_rps + 1e-9:
            found[one.actual.name] = size
            left_rps, carried_rps = after_rps, carried_after_rps
    return found


def _carried_rps(pods: Sequence[PodState], weights: Mapping[str, int]) -> float:
    return sum(one.capacity_rps for one in pods if one.actual.ready and one.actual.name in weights)


def remove(
    plan: Plan,
    pods: Sequence[PodState],
    observed: Observed,
    freed: Releases,
    carrying: Collection[str],
) -> tuple[RemovePods, ...]:
    """The pods that may go and that the router can no longer send to; and those never created."""
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
        stay = min(live, observed.desired_pods.get(target, live)) - len(gone)
        uncreated = absent.get(target, 0)
        still_to_come = min(uncreated, max(0, planned.get(target, 0) - stay))
        if gone or still_to_come < uncreated:
            steps.append(
                RemovePods(target=target, pods=tuple(gone), remaining=stay + still_to_come)
            )
    return tuple(steps)


def roll(
    context: DrainContext, observed: Observed, grown: Growth
) -> tuple[tuple[ReplacePods, ...], tuple[Shortage, ...]]:
    """
    Roll what can't be resized, where there is room for a pod more; and what is short for it.

    What is being rolled or gets more pods now is rolled later; and pods too many go first, unless
    they are needed until the others are as planned.
    """
    if context.ready_rps < min(context.serving_rps, context.wanted_rps):
        return (), ()
    room = grown.room
    steps: list[ReplacePods] = []
    shortages: list[Shortage] = []
    busy = observed.rolling | {step.target for step in grown.steps if isinstance(step, ScaleUp)}
    for group in context.plan.groups:
        own = [one for one in context.pods if one.actual.target == group.target]
        replaced = any(one.must_be_replaced(context.now_s) for one in own)
        if group.target in busy or not (replaced or group.target in grown.outgrown):
            continue
        if any(one.goes for one in own) and _suffice_without(context):
            continue
        shrinking = [one for one in own if one.shrinks and one.can_resize]
        serve = bool(shrinking) and all(one.actual.ready for one in shrinking)
        as_they_are = _needed(group, own, shrunk=False)
        needed = _needed(group, own, shrunk=True)
        if (serve and room.times(as_they_are)) or (room.times(needed) and not shrinking):
            room.take(as_they_are if serve else needed)
            pods = max(group.pods, observed.desired_pods.get(group.target, len(own)))
            steps.append(ReplacePods(target=group.target, size=group.allocation.size, pods=pods))
        else:
            shortages.append(
                Shortage(
                    lacking=room.lacking(needed) or {CPU: 1},
                    gain_rps=group.allocation.capacity_rps,
                    wait_s=START_S,
                    replaces=group.target,
                )
            )
    return tuple(steps), tuple(shortages)


def _needed(group: PodGroup, own: Sequence[PodState], *, shrunk: bool) -> Resources:
    """
    What a rolling change holds at most beyond what is held then. Old pods that can shrink do so
    first, if there is no room for them as they are: what they serve is missed until the new ones
    come.
    """
    size = group.allocation.resources
    has = [
        size if shrunk and one.shrinks and one.can_resize else held_by(one.actual) for one in own
    ]
    names = {*size, *(name for amounts in has for name in amounts)}
    return {
        name: _most_beyond(
            [amounts.get(name, 0) for amounts in has], size.get(name, 0), max(group.pods, len(own))
        )
        for name in names
    }


def _most_beyond(old: Sequence[int], new: int, pods: int) -> int:
    """
    Of one resource. There is a pod more than there shall be while old ones are there, and beside
    these one that still leaves, which a Deployment does not count; who goes first nobody knows.
    """
    largest_first = sorted(old, reverse=True)
    held = (
        sum(largest_first[: stay + 1]) + new * (pods + 1 - stay) for stay in range(1, len(old) + 1)
    )
    return max(held, default=new * pods) - sum(old)


def _suffice_without(context: DrainContext) -> bool:
    """Whether what stays is enough when all that is too many has gone."""
    staying_rps = sum(context.counted_rps(one) for one in context.pods if not one.goes)
    return staying_rps >= context.floor_rps
