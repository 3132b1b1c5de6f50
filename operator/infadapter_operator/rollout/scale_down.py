"""The steps that give up, once it is known what may be given up and who still gets traffic."""

from collections.abc import Collection, Sequence

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_operator.planning.capacity import largest, plus, same_amounts
from infadapter_operator.rollout.free import missing
from infadapter_operator.rollout.match import Placed, held_by
from infadapter_operator.rollout.release import Ground, Released, goes_now
from infadapter_operator.rollout.scale_up import Growth, Shortage
from infadapter_solver.problem import CPU, Amounts, Plan, PodGroup, Target


def levelling(ground: Ground) -> tuple[ResizePod, ...]:
    """Pods that came up larger than planned and carry nothing yet shrink at once."""
    return tuple(
        ResizePod(pod=one.pod.name, target=one.pod.target, size=one.goal.size)
        for one in ground.pods
        if one.goal is not None
        and one.shrinks
        and one.can_resize
        and not one.is_asked
        and not (one.pod.ready and one.pod.name in ground.carrying)
    )


def shrinking(pods: Sequence[Placed], freed: Released) -> tuple[ResizePod, ...]:
    """In place; only when the router no longer sends a pod more than it will serve then."""
    return tuple(
        ResizePod(pod=one.pod.name, target=one.pod.target, size=size.size)
        for one in pods
        if (size := freed.get(one.pod.name)) is not None
        and not same_amounts(one.pod.wanted.resources, size.resources)
    )


def removing(
    plan: Plan,
    pods: Sequence[Placed],
    observed: Observed,
    freed: Released,
    carrying: Collection[str],
) -> tuple[RemovePods, ...]:
    """The pods that may go and that the router can no longer send to; and those never created."""
    going: dict[Target, list[str]] = {}
    for one in pods:
        if goes_now(freed, one.pod.name) and one.pod.name not in carrying:
            going.setdefault(one.pod.target, []).append(one.pod.name)
    planned = {group.target: group.pods for group in plan.groups}
    absent = missing(observed)
    steps = []
    for target in sorted({*going, *absent} - observed.untouchable):
        gone = going.get(target, [])
        live = sum(one.pod.target == target for one in pods)
        stay = min(live, observed.desired_pods.get(target, live)) - len(gone)
        uncreated = absent.get(target, 0)
        still_to_come = min(uncreated, max(0, planned.get(target, 0) - stay))
        if gone or still_to_come < uncreated:
            steps.append(
                RemovePods(target=target, pods=tuple(gone), remaining=stay + still_to_come)
            )
    return tuple(steps)


def replacing(
    ground: Ground, observed: Observed, grown: Growth
) -> tuple[tuple[ReplacePods, ...], tuple[Shortage, ...]]:
    """
    Roll what can't be resized, where there is room for a pod more; and what is short for it.

    What is being rolled or gets more pods now is rolled later; and pods too many go first, unless
    they are needed until the others are as planned.
    """
    if ground.ready_rps < min(ground.serving_rps, ground.wanted_rps):
        return (), ()
    room = grown.room
    steps: list[ReplacePods] = []
    shortages: list[Shortage] = []
    busy = observed.rolling | {step.target for step in grown.steps if isinstance(step, ScaleUp)}
    for group in ground.plan.groups:
        own = [one for one in ground.pods if one.pod.target == group.target]
        replaced = any(one.must_be_replaced(ground.now_s) for one in own)
        if group.target in busy or not (replaced or group.target in grown.outgrown):
            continue
        if any(one.goes for one in own) and _suffice_without(ground):
            continue
        needed = _needed(group, own)
        if room.times(needed) and not any(one.shrinks and one.can_resize for one in own):
            room.take(needed)
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


def _needed(group: PodGroup, own: Sequence[Placed]) -> Amounts:
    """
    What a rolling change holds at most beyond what is held then: all new pods, an old one, and one
    that still leaves, which a Deployment does not count. Old pods that can shrink do so first.
    """
    size = group.allocation.resources
    held: Amounts = {}
    largest_old: Amounts = {}
    for one in own:
        has = size if one.shrinks and one.can_resize else held_by(one.pod)
        held = plus(held, has)
        largest_old = largest(largest_old, has)
    most = plus(plus({}, size, max(group.pods, len(own))), largest_old, min(2, len(own)))
    return {name: max(n, size.get(name, 0)) for name, n in plus(most, held, -1).items()}


def _suffice_without(ground: Ground) -> bool:
    """Whether what stays is enough when all that is too many has gone."""
    staying_rps = sum(ground.counted_rps(one) for one in ground.pods if not one.goes)
    return staying_rps >= ground.floor_rps
