"""Rolling changes: pods that can't be resized are replaced one by one, readiness-gated."""

import math
from collections.abc import Sequence

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.steps import ReplacePods, ScaleUp
from infadapter_operator.planning.capacity import held_by
from infadapter_operator.rollout.free import rolled_beyond
from infadapter_operator.rollout.match import PodState, of_target
from infadapter_operator.rollout.release import DrainContext
from infadapter_operator.rollout.scale_up import Growth, Shortage
from infadapter_solver.problem import CPU, PodGroup, Resources


def roll(
    context: DrainContext, observed: Observed, grown: Growth, *, at_any_cost: bool = False
) -> tuple[tuple[ReplacePods, ...], tuple[Shortage, ...]]:
    """
    Roll what can't be resized, where there is room for a pod more; and what is short for it.

    What is being rolled or gets more pods now is rolled later; and pods too many go first, unless
    they are needed until the others are as planned. What is replaced may serve more than what
    comes: until all that is planned is there, that is kept as far as it is asked for, unless the
    roll is to be made `at_any_cost`. Then it may also be one of fewer pods than are planned, where
    there is room for no more: the others start at the new size when it is done.
    """
    kept_rps = min(context.serving_rps, context.wanted_rps, context.enough_rps)
    if context.ready_rps < kept_rps - 1e-9 and not at_any_cost:
        return (), ()
    room = grown.room
    steps: list[ReplacePods] = []
    shortages: list[Shortage] = []
    busy = observed.rolling | {step.target for step in grown.steps if isinstance(step, ScaleUp)}
    for group in context.plan.groups:
        own = of_target(context.pods, group.target)
        replaced = any(one.must_be_replaced(context.now_s) for one in own)
        if group.target in busy or not (replaced or group.target in grown.outgrown):
            continue
        if any(one.goes for one in own) and _suffice_without(context):
            continue
        shrinking = [one for one in own if one.shrinks and one.can_resize]
        serve = bool(shrinking) and all(one.actual.ready for one in shrinking)
        there = observed.desired_pods.get(group.target, len(own))
        most = max(group.pods, there)
        least = max(there, _enough(context, group, own, kept_rps)) if at_any_cost else most
        able = range(most, least - 1, -1) if serve or not shrinking else ()
        pods = next((n for n in able if room.times(_needed(group, own, n, shrunk=False))), 0)
        if pods:
            room.take(_needed(group, own, pods, shrunk=False))
            steps.append(ReplacePods(target=group.target, size=group.allocation.size, pods=pods))
        else:
            needed = _needed(group, own, group.pods, shrunk=True)
            shortages.append(
                Shortage(
                    lacking=room.lacking(needed) or {CPU: 1},
                    gain_rps=group.allocation.capacity_rps,
                    wait_s=START_S,
                    replaces=group.target,
                )
            )
    return tuple(steps), tuple(shortages)


def _enough(
    context: DrainContext, group: PodGroup, own: Sequence[PodState], kept_rps: float
) -> int:
    """So many of the planned pods serve, beside the others, what is to be kept."""
    others_rps = context.ready_rps - sum(context.counted_rps(one) for one in own)
    enough = math.ceil((kept_rps - others_rps - 1e-9) / max(group.allocation.capacity_rps, 1e-9))
    return max(1, min(enough, group.pods))


def _needed(group: PodGroup, own: Sequence[PodState], pods: int, *, shrunk: bool) -> Resources:
    """
    What a rolling change holds at most beyond what is held then. Old pods that can shrink do so
    first, if there is no room for them as they are: what they serve is missed until the new ones
    come.
    """
    size = group.allocation.resources
    has = [
        size if shrunk and one.shrinks and one.can_resize else held_by(one.actual) for one in own
    ]
    return rolled_beyond(has, size, max(pods, len(own)))


def _suffice_without(context: DrainContext) -> bool:
    """Whether what stays is enough when all that is too many has gone."""
    staying_rps = sum(context.counted_rps(one) for one in context.pods if not one.goes)
    return staying_rps >= context.floor_rps
