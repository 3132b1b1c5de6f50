"""Rolling updates: replace pods that cannot be resized, one by one and gated by readiness."""

from collections.abc import Sequence

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import STUCK, Observed
from infadapter_operator.domain.steps import ReplacePods, ScaleUp
from infadapter_operator.planning.capacity import held_by, held_in_force, plus, total
from infadapter_operator.rollout.free import Room, rolled_beyond
from infadapter_operator.rollout.growth import Growth, Shortage
from infadapter_operator.rollout.match import PodState, of_target
from infadapter_operator.rollout.release import DrainContext, Releases, is_needed_unknown
from infadapter_operator.rollout.starts import has_only_a_template
from infadapter_solver.problem import CPU, Allocation, PodGroup, Resources


def roll(
    context: DrainContext, observed: Observed, grown: Growth, *, at_any_cost: bool = False
) -> tuple[tuple[ReplacePods, ...], tuple[Shortage, ...]]:
    """
    Return the rolling updates that have room for one extra pod, and the shortages of those that do
    not.

    A target that is rolling or gets more pods in this cycle is rolled later. Surplus pods are
    removed first, unless they are needed until the rest is as planned. The old pods may serve more
    than the new ones: until the plan is reached, that capacity is kept as far as the demand needs
    it, unless the update must happen `at_any_cost`. In that case it may also run with fewer pods
    than planned if there is no room for more, and the rest start at the new size afterwards. If
    there is no room even for the existing pods, some of them may be released first.
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
        replaced |= has_only_a_template(observed, group, own)
        if group.target in busy or not (replaced or group.target in grown.outgrown):
            continue
        if any(one.is_surplus for one in own) and _suffice_without(context):
            continue
        there = observed.desired_pods.get(group.target, len(own))
        most = max(group.pods, there)
        able = range(most, (there if at_any_cost else most) - 1, -1) if _may_roll(own) else ()
        pods = next((n for n in able if room.times(_needed(group, own, n, shrunk=False))), 0)
        if pods:
            room.take(_needed(group, own, pods, shrunk=False))
            steps.append(ReplacePods(target=group.target, size=group.allocation.size, pods=pods))
        else:
            instead = _fewest(context, group, own, room) if at_any_cost else None
            shortages.append(_shortage(group, own, room, instead))
    return tuple(steps), tuple(shortages)


def _may_roll(own: Sequence[PodState]) -> bool:
    """
    Whether all pods that can shrink serve. The others shrink at once and need no rolling update.
    """
    return all(one.actual.ready for one in own if _can_shrink(one))


def _can_shrink(one: PodState) -> bool:
    return one.shrinks and one.can_resize


def _shortage(
    group: PodGroup, own: Sequence[PodState], room: Room, instead: Releases | None
) -> Shortage:
    needed = _needed(group, own, group.pods, shrunk=True)
    return Shortage(
        lacking=room.lacking(needed) or {CPU: 1},
        gain_rps=group.allocation.capacity_rps,
        wait_s=START_S,
        instead=instead,
    )


def _fewest(
    context: DrainContext, group: PodGroup, own: Sequence[PodState], room: Room
) -> Releases | None:
    """
    Return the fewest pods to release so that the remaining ones, shrunk as planned, have room to be
    replaced; None if no number of them suffices.

    At least one pod that must be replaced remains, since otherwise the Deployment would create pods
    of the size that is to be replaced. Pods that are as planned stay if the cause is a stuck
    resize. All pods are released if only that leaves room for a new one: a target without pods
    needs no rolling update.
    """
    now_s = context.now_s
    replaced = [one for one in own if one.must_be_replaced(now_s)]
    able = replaced if any(one.actual.resize in STUCK for one in replaced) else own
    by_loss = sorted(able, key=lambda one: (one in replaced, *_loss(context, one)))
    all_are = all(one.is_surplus or one in replaced for one in own)
    most = len(own) if all_are else len(able) - 1
    for n in range(most + 1):
        gone = by_loss[:n]
        stay = [one for one in own if one not in gone]
        shrinking = [one for one in stay if _can_shrink(one)]
        freed = total(held_in_force(one.actual) for one in (*gone, *shrinking))
        left = room.with_back(plus(freed, group.allocation.resources, -len(shrinking)))
        if left.times(_needed(group, stay, len(stay) or 1, shrunk=True)):
            going: dict[str, Allocation | None] = dict.fromkeys(one.actual.name for one in gone)
            return going | {one.actual.name: one.desired for one in shrinking}
    return None


def _loss(context: DrainContext, one: PodState) -> tuple[float, str]:
    return context.counted_rps(one), one.actual.name


def _needed(group: PodGroup, own: Sequence[PodState], pods: int, *, shrunk: bool) -> Resources:
    """
    Return the most that a rolling update holds beyond what the pods hold now.

    With `shrunk`, old pods that can shrink do so first. That is for lack of room: their capacity is
    missing until the new pods are Ready.
    """
    size = group.allocation.resources
    has = [size if shrunk and _can_shrink(one) else held_by(one.actual) for one in own]
    return rolled_beyond(has, size, max(pods, len(own)))


def _suffice_without(context: DrainContext) -> bool:
    """
    Whether the remaining capacity suffices once all surplus pods are removed, and they may be
    removed.
    """
    staying_rps = sum(context.counted_rps(one) for one in context.pods if not one.is_surplus)
    going = (one for one in context.pods if one.is_surplus)
    kept = any(is_needed_unknown(context, one, staying_rps) for one in going)
    return staying_rps >= context.floor_rps and not kept
