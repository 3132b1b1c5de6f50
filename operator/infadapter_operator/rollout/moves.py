"""
Choose what scales up, bridges and rolls in this cycle, and what is released to make room for it.

Planned pods start first. If there is no room for them, capacity that the plan does not need is
released, then the pods that carry least. While an operation in progress will free room by itself,
nothing is released.
"""

from dataclasses import dataclass, replace

from infadapter_operator.delays import RESIZE_S
from infadapter_operator.domain.observed import Observed, Resize
from infadapter_operator.domain.steps import ReplacePods, ResizePod
from infadapter_operator.rollout.free import over_budget
from infadapter_operator.rollout.growth import Growth, Shortage
from infadapter_operator.rollout.match import WAITS, PodState, of_target
from infadapter_operator.rollout.preemption import node_shortages, preempted
from infadapter_operator.rollout.release import (
    DrainContext,
    Releases,
    given_back,
    is_short,
    make_room,
    releases,
)
from infadapter_operator.rollout.repayment import is_due, repaid
from infadapter_operator.rollout.roll import roll
from infadapter_operator.rollout.scale_down import align
from infadapter_operator.rollout.scale_up import scale_up
from infadapter_operator.rollout.stopgap import stopgaps
from infadapter_operator.rollout.surge_time import is_about_to_open, is_over
from infadapter_operator.rollout.under_way import is_in_question, is_rolling, is_under_way
from infadapter_solver.problem import CPU, Target

PENDING_PATIENCE_S = 60.0
"""
Seconds for which capacity is released for a deferred resize. The patience with new pods is the
service's: once it ends, the next plan excludes that pod.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """The steps that scale up, bridge and roll in this cycle, and the capacity to release."""

    grown: Growth
    bridged: tuple[ResizePod, ...] = ()
    rolled: tuple[ReplacePods, ...] = ()
    freed: Releases
    short: frozenset[str]


def is_reached(context: DrainContext, observed: Observed) -> bool:
    """
    Whether the plan is reached: all planned pods are Ready at their size, and no other pod exists
    or is requested.
    """
    planned = {group.target: group.pods for group in context.plan.groups}
    lacking = dict(planned)
    for one in context.pods:
        lacking[one.actual.target] = lacking.get(one.actual.target, 0) - 1
    return (
        not any(lacking.values())
        and len(context.pods) == len(observed.pods)  # none is terminating
        and not (observed.rolling or observed.untouchable)
        and all(n == planned.get(target, 0) for target, n in observed.desired_pods.items())
        and all(_is_as_planned(one) for one in context.pods)
    )


def _is_as_planned(one: PodState) -> bool:
    pod = one.actual
    settled = pod.resize is Resize.NONE and pod.unschedulable_since_s is None
    return settled and pod.ready and one.is_level and one.is_requested and pod.trouble is None


def moves_towards(context: DrainContext, observed: Observed, *, doubt: bool) -> Moves:
    """
    Return the moves towards a plan that is not reached, or not known to be reached.

    With `doubt` (unknown demand) only planned pods grow and start, and nothing is released.
    """
    bridges = not doubt and is_short(context) and not _has_no_node(observed)
    if doubt:  # no capacity is returned that a start could wait for
        grown = _growth(context, replace(observed, surge_loan=None), bridges=bridges)
        return Moves(grown=grown, freed={}, short=grown.short)
    grown = _growth(context, observed, bridges=bridges)
    if not grown.waits:
        return _beside_growth(context, observed, grown, bridges=bridges)
    waits_for = frozenset(context.service.budget)
    if not grown.shortages and is_due(context, observed):
        back = repaid(context, observed)
        if back or not is_over(context.service, observed.pods):
            return Moves(grown=grown, freed=back, short=waits_for)
    found = _beside_growth(context, observed, grown, bridges=bridges)  # rolls need no start
    # A bridge would have to be returned at once.
    return replace(found, bridged=(), short=found.short | waits_for)


def _beside_growth(
    context: DrainContext, observed: Observed, grown: Growth, *, bridges: bool
) -> Moves:
    """
    Return what rolls and bridges beside the scale-up, and what is released for what has no room.
    """
    rolled, unrolled = roll(context, observed, grown)
    waits = grown.shortages
    short = frozenset(name for one in (*waits, *unrolled) for name in one.lacking)
    freed = _freed(context, observed, short)
    if short and (bridges or not (freed or _is_settling(observed))):
        grown = _growth(context, observed, bridges=bridges, smaller=True)
        rolled, _ = roll(context, observed, grown)  # smaller starts leave less room
        if not (grown.steps or rolled or freed):
            freed = _preempted(context, observed, waits)
    elif not freed and not context.takers_are_ready:
        freed = _preempted(context, observed, ())
    if not (freed or grown.steps or rolled):
        rolled, unrolled = _rolled_after_all(context, observed, grown)
        lacking = {name for one in unrolled for name in one.lacking}
        costly = () if rolled else unrolled  # the roll that begins uses the room of the others
        freed = make_room(context, lacking) or preempted(context, costly)
        short |= lacking
    if not (freed or grown.steps or rolled):
        freed = _back_in_budget(context, observed)
    if freed or _is_settling(observed):
        rolled = tuple(step for step in rolled if not _waits(context, grown, step.target))
    bridged = () if short or not bridges else _bridged(context, observed, grown)
    return Moves(grown=grown, bridged=bridged, rolled=rolled, freed=freed, short=short)


def _bridged(context: DrainContext, observed: Observed, grown: Growth) -> tuple[ResizePod, ...]:
    """
    Return the stopgap resizes. They must leave room for the pods that they bridge to, so there are
    none while room is short, nor during a rolling update, whose room was reserved when it began. If
    nothing is starting, surge is not used for them.
    """
    if observed.rolling:
        return ()
    if not (grown.steps or is_under_way(context, observed)):
        grown.room.take(context.service.max_surge)
    return stopgaps(context, grown, observed.size_limits)


def _growth(
    context: DrainContext, observed: Observed, *, bridges: bool, smaller: bool = False
) -> Growth:
    return scale_up(
        context.service,
        context.plan,
        context.pods,
        observed,
        context.now_s,
        smaller=smaller,
        bridges=bridges,
    )


def _freed(context: DrainContext, observed: Observed, short: frozenset[str]) -> Releases:
    if context.takers_are_ready:
        return releases(context)
    pending = _lacking_on_nodes(observed, context.now_s)
    lacking = short | pending
    return (
        make_room(context, lacking)
        if lacking
        else given_back(context, over_budget(context.service, observed.pods))
    )


def _is_settling(observed: Observed) -> bool:
    """
    Whether capacity is being released already. Then wait for that room instead of starting too
    small.
    """
    return any(
        pod.leaving or pod.wanted.cpu_millicores < pod.size.cpu_millicores for pod in observed.pods
    )


def _waits(context: DrainContext, grown: Growth, target: Target) -> bool:
    """
    Whether a target would be rolled only because resizes wait for room on their nodes. Releasing
    capacity may let those resizes succeed.
    """
    failed = [
        one
        for one in of_target(context.pods, target)
        if not one.is_surplus and one.must_be_replaced(context.now_s)
    ]
    return target not in grown.outgrown and all(one.actual.resize in WAITS for one in failed)


def _has_no_node(observed: Observed) -> bool:
    """
    Whether a new pod is unschedulable. After its patience the target is excluded
    (planning.backoff).
    """
    return any(pod.unschedulable_since_s is not None for pod in observed.pods)


def _lacking_on_nodes(observed: Observed, now_s: float) -> frozenset[str]:
    """
    Return the resources that nodes lack for unschedulable pods, and for deferred resizes while
    there is still patience with them.
    """
    names: set[str] = set()
    for pod in observed.pods:
        if pod.unschedulable_since_s is not None:
            names |= {name for name, amount in pod.wanted.resources.items() if amount}
        deferred_s = pod.resize_since_s if pod.resize in WAITS else None
        if deferred_s is not None and now_s - deferred_s <= PENDING_PATIENCE_S:
            names.add(CPU)
    return frozenset(names)


def _preempted(
    context: DrainContext, observed: Observed, lacking: tuple[Shortage, ...]
) -> Releases:
    """
    Return what to preempt for `lacking`, if nothing in progress frees room by itself.

    How much an unschedulable pod lacks is only a guess. It is preempted for only if there is no
    other way and Ready capacity is below the demand; otherwise the next plan excludes it at no
    cost.
    """
    if _makes_room_itself(context, observed):
        return {}
    found = preempted(context, lacking)
    return found or (preempted(context, [*node_shortages(context)]) if is_short(context) else {})


def _makes_room_itself(context: DrainContext, observed: Observed) -> bool:
    """
    Whether room will become free without preemption: an operation in progress, a pod that may soon
    be excluded from the plan, surge that is about to reopen, or a pod that shrinks in this cycle.
    """
    return (
        is_under_way(context, observed)
        or is_in_question(context, observed)
        or is_about_to_open(context.service, observed, context.now_s)
        or bool(align(context))
    )


def _rolled_after_all(
    context: DrainContext, observed: Observed, grown: Growth
) -> tuple[tuple[ReplacePods, ...], tuple[Shortage, ...]]:
    """
    Return rolling updates that reduce Ready capacity below the demand, as the last resort: only
    while nothing moves and no planned pod is awaited. The pods to replace may hold all the room
    that the rest of the plan needs.
    """
    waits = any(not (one.is_surplus or one.actual.ready) for one in context.pods)
    if waits or _makes_room_itself(context, observed):
        return (), ()
    return roll(context, observed, grown, at_any_cost=True)


def _back_in_budget(context: DrainContext, observed: Observed) -> Releases:
    """
    Return what to release to get back within the budget when nothing can use the surge any more.

    Surge is for pods that start. If none starts and no planned pod can, the capacity held beyond
    the budget is released even if it serves, at the least loss of capacity. Unschedulable pods hold
    nothing yet. A failing resize was admitted by its node and counts. A stalled rolling update is
    not a start: its new pods wait for the room that is held here, or fail.
    """
    rolls_on = replace(
        observed, rolling=frozenset(t for t in observed.rolling if is_rolling(observed, t))
    )
    if _makes_room_itself(context, rolls_on) or context.takers_serve:
        return {}
    placed = (pod for pod in observed.pods if pod.unschedulable_since_s is None)
    there = (replace(p, wanted=p.size) if p.resize is Resize.DEFERRED else p for p in placed)
    beyond = over_budget(context.service, there)
    if not beyond:
        return {}
    back = Shortage(lacking=beyond, gain_rps=0.0, wait_s=RESIZE_S)
    return preempted(context, [back])
