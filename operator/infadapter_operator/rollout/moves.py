"""
What grows, bridges and rolls now, and what is given up for it.

What is planned starts first; where it has no room, what the plan can spare makes way, then what
carries least. Whatever moves already makes room by itself, and is waited for.
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
How long a resize that its node has no room for is made way for. A new pod's patience is the
service's: when it ends, a plan is made without that pod.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What grows, bridges and rolls now, and what is given up for it or not needed any more."""

    grown: Growth
    bridged: tuple[ResizePod, ...] = ()
    rolled: tuple[ReplacePods, ...] = ()
    freed: Releases
    short: frozenset[str]


def is_reached(context: DrainContext, observed: Observed) -> bool:
    """All that is planned is Ready at its size, and nothing else is there or asked for."""
    planned = {group.target: group.pods for group in context.plan.groups}
    lacking = dict(planned)
    for one in context.pods:
        lacking[one.actual.target] = lacking.get(one.actual.target, 0) - 1
    return (
        not any(lacking.values())
        and len(context.pods) == len(observed.pods)  # the others leave
        and not (observed.rolling or observed.untouchable)
        and all(n == planned.get(target, 0) for target, n in observed.desired_pods.items())
        and all(_is_as_planned(one) for one in context.pods)
    )


def _is_as_planned(one: PodState) -> bool:
    pod = one.actual
    settled = pod.resize is Resize.NONE and pod.unschedulable_since_s is None
    return settled and pod.ready and one.is_level and one.is_asked and pod.trouble is None


def moves_towards(context: DrainContext, observed: Observed, *, doubt: bool) -> Moves:
    """Of a plan that is not reached, or not known to be."""
    bridges = not doubt and is_short(context) and not _has_no_node(observed)
    if doubt:  # nothing would go back that what is planned could wait for
        grown = _growth(context, replace(observed, surge_loan=None), bridges=bridges)
        return Moves(grown=grown, freed={}, short=grown.short)
    grown = _growth(context, observed, bridges=bridges)
    if not grown.waits:
        return _beside(context, observed, grown, bridges=bridges)
    waits_for = frozenset(context.service.budget)
    if not grown.shortages and is_due(context, observed):
        back = repaid(context, observed)
        if back or not is_over(context.service, observed.pods):
            return Moves(grown=grown, freed=back, short=waits_for)
    found = _beside(context, observed, grown, bridges=bridges)  # what can only be rolled is there
    return replace(found, bridged=(), short=found.short | waits_for)  # a bridge would be repaid


def _beside(context: DrainContext, observed: Observed, grown: Growth, *, bridges: bool) -> Moves:
    """What rolls and bridges beside what grows, and what is given up for what has no room."""
    rolled, unrolled = roll(context, observed, grown)
    waits = grown.shortages
    short = frozenset(name for one in (*waits, *unrolled) for name in one.lacking)
    freed = _freed(context, observed, short)
    if short and (bridges or not (freed or _is_settling(observed))):
        grown = _growth(context, observed, bridges=bridges, smaller=True)
        rolled, _ = roll(context, observed, grown)  # beside what starts smaller there is less room
        if not (grown.steps or rolled or freed):
            freed = _preempted(context, observed, waits)
    elif not freed and not context.takers_are_ready:
        freed = _preempted(context, observed, ())
    if not (freed or grown.steps or rolled):
        rolled, unrolled = _rolled_after_all(context, observed, grown)
        lacking = {name for one in unrolled for name in one.lacking}
        costly = () if rolled else unrolled  # the one that begins has taken the others' room
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
    A bridge leaves room for what it bridges to: where there is too little, nothing bridges, and
    neither while something rolls, which was begun with room for it all. Surge is for what starts.
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
    """Something is being given up already: wait for its room rather than start too small."""
    return any(
        pod.leaving or pod.wanted.cpu_millicores < pod.size.cpu_millicores for pod in observed.pods
    )


def _waits(context: DrainContext, grown: Growth, target: Target) -> bool:
    """It would be rolled for resizes that wait for their nodes alone: what makes way may do."""
    failed = [
        one
        for one in of_target(context.pods, target)
        if not one.goes and one.must_be_replaced(context.now_s)
    ]
    return target not in grown.outgrown and all(one.actual.resize in WAITS for one in failed)


def _has_no_node(observed: Observed) -> bool:
    """A new pod waits for room on a node; what does so for too long is left (planning.backoff)."""
    return any(pod.unschedulable_since_s is not None for pod in observed.pods)


def _lacking_on_nodes(observed: Observed, now_s: float) -> frozenset[str]:
    """Resources of which a node has too little; for resizes, while there is patience with them."""
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
    Only where nothing that is under way makes room by itself. For what finds no node, of which it
    is a guess how much it lacks, only where nothing else helps and too little serves: otherwise it
    is planned without when patience ends, at no cost.
    """
    if _makes_room_itself(context, observed):
        return {}
    found = preempted(context, lacking)
    return found or (preempted(context, [*node_shortages(context)]) if is_short(context) else {})


def _makes_room_itself(context: DrainContext, observed: Observed) -> bool:
    """
    What moves, what is made to shrink in this cycle, what may be planned without soon, and surge
    that is closed: it opens by itself once all is within the budget.
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
    Where nothing moves and nothing planned is waited for, also a roll that leaves less than is
    asked for: what it replaces may hold the room of all that is yet to start.
    """
    waits = any(not (one.goes or one.actual.ready) for one in context.pods)
    if waits or _makes_room_itself(context, observed):
        return (), ()
    return roll(context, observed, grown, at_any_cost=True)


def _back_in_budget(context: DrainContext, observed: Observed) -> Releases:
    """
    Surge is for what starts: where nothing does, and nothing planned can, what is held beyond the
    budget goes back although it serves; of it, what costs the least capacity. What waits for a node
    is not held yet; a resize that fails was let in by its own, and is. Nor is a roll that stands
    still a start: its new pods wait for what is held here, or do not come.
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
