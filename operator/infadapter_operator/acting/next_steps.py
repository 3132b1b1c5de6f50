"""
What may be done now, level by level, to come from what runs to what is planned.

Create before destroy: what is new starts and gets its size; when it is Ready, weights move; when
the router obeys them, what is old goes. There is no state but what is observed, so it does not
matter which look begins this and which one ends it.

Order within a look: growth, weights, then what shrinks. Weights come before what shrinks, so that a
router which has yet to fetch them never gets to know of a pod that is being stopped; who takes the
steps must take none that shrinks after weights were refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infadapter_operator.acting.bridging import bridging
from infadapter_operator.acting.growing import Growth, growth
from infadapter_operator.acting.placing import Placed, placed
from infadapter_operator.acting.releasing import (
    Ground,
    Released,
    is_short,
    released,
    released_for,
    takers_are_ready,
)
from infadapter_operator.acting.routing import (
    candidates,
    carriers,
    confirmed,
    last_sent,
    set_weights,
)
from infadapter_operator.acting.shares import weights_for
from infadapter_operator.acting.shrinking import levelling, removing, replacing, shrinking
from infadapter_operator.decision import Decision, Source
from infadapter_operator.observed import Observed, Resize
from infadapter_operator.service import Service
from infadapter_operator.steps import ResizePod, Step
from infadapter_solver.problem import CPU

PENDING_PATIENCE_S = 60.0
"""
How long running pods make way for one that no node has room for. After that they stay as they are:
to give up more has not helped.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The steps of one look, the weights they lead to, and what kept it from more."""

    steps: tuple[Step, ...]
    weights: Mapping[str, int]  # by pod, as they shall be
    short: frozenset[str]  # resources of which budget and surge have too little
    is_as_planned: bool  # the pods are those of the plan, Ready, at their size


def next_steps(
    service: Service,
    decision: Decision,
    observed: Observed,
    demand_rps: float | None,
    now_s: float,
) -> tuple[Step, ...]:
    """The steps that may be taken now. `demand_rps` None is doubt: nothing shrinks then."""
    return turn(service, decision, observed, demand_rps, now_s).steps


def turn(
    service: Service,
    decision: Decision,
    observed: Observed,
    demand_rps: float | None,
    now_s: float,
) -> Turn:
    """`next_steps`, with what a report wants to know beside them."""
    plan = decision.plan
    doubt = demand_rps is None
    pods = placed(service, plan, observed)
    ground = Ground(
        service=service,
        plan=plan,
        pods=pods,
        carrying=carriers(observed),
        demand_rps=_assumed_rps(decision, pods) if demand_rps is None else demand_rps,
        now_s=now_s,
    )
    bridges = not doubt and is_short(ground) and not has_no_node(observed, now_s)
    grown = growth(service, plan, ground.pods, observed, bridges=bridges)
    rolled, roll_short = ((), frozenset[str]()) if doubt else replacing(ground, observed, grown)
    short = grown.short | roll_short
    freed = {} if doubt else _freed(ground, observed, short)
    if short and not freed and not _is_settling(observed):
        grown = growth(service, plan, ground.pods, observed, smaller=True, bridges=bridges)
    levelled = () if doubt else levelling(ground)
    weights = _weights(ground, observed, freed, grown, levelled)
    bridged = bridging(ground, grown) if bridges else ()
    steps: list[Step] = [*grown.steps, *bridged, *levelled]
    if weights != confirmed(observed) or weights != last_sent(observed):
        steps.append(set_weights(ground.pods, weights))
    elif not doubt:
        steps += shrinking(ground.pods, freed)
    if not doubt:
        carrying = ground.carrying | set(weights)
        steps += (*rolled, *removing(plan, ground.pods, observed, freed, carrying))
    return Turn(
        steps=tuple(steps),
        weights=weights,
        short=short,
        is_as_planned=_is_as_planned(ground, observed),
    )


def _assumed_rps(decision: Decision, pods: Sequence[Placed]) -> float:
    """In doubt: what was planned for; where no load was ever seen, as much as can be served."""
    if decision.source in (Source.ADOPTED, Source.WARMING):
        return max(decision.demand_rps, sum(one.capacity_rps for one in pods if one.pod.ready))
    return decision.demand_rps


def _is_as_planned(ground: Ground, observed: Observed) -> bool:
    wanted = sum(g.pods for g in ground.plan.groups if g.target not in observed.untouchable)
    level = sum(one.pod.ready and one.is_level and one.touchable for one in ground.pods)
    going = any(one.goes for one in ground.pods) or any(pod.leaving for pod in observed.pods)
    return level == wanted and not going


def is_waiting_for_a_node(observed: Observed, now_s: float, patience_s: float) -> frozenset[str]:
    """Resources of which a node has had too little, for no longer than this."""
    names: set[str] = set()
    for pod in observed.pods:
        since_s = pod.unschedulable_since_s
        if since_s is not None and now_s - since_s <= patience_s:
            names |= {name for name, amount in pod.wanted.items() if amount}
        deferred_s = pod.resize_since_s if pod.resize is Resize.DEFERRED else None
        if deferred_s is not None and now_s - deferred_s <= patience_s:
            names.add(CPU)
    return frozenset(names)


def has_no_node(observed: Observed, now_s: float) -> bool:
    """A new pod, for no longer than PENDING_PATIENCE_S."""
    since_s = [pod.unschedulable_since_s for pod in observed.pods]
    return any(s is not None and now_s - s <= PENDING_PATIENCE_S for s in since_s)


def _freed(ground: Ground, observed: Observed, short: frozenset[str]) -> Released:
    if takers_are_ready(ground):
        return released(ground)
    pending = is_waiting_for_a_node(observed, ground.now_s, PENDING_PATIENCE_S)
    makes_way = has_no_node(observed, ground.now_s) and not _is_settling(observed)
    return released_for(ground, short | pending, makes_way=makes_way)


def _is_settling(observed: Observed) -> bool:
    """Something is being given up already: wait for its room rather than start too small."""
    return any(
        pod.leaving or pod.wanted.get(CPU, 0) < pod.resources.get(CPU, 0) for pod in observed.pods
    )


def _weights(
    ground: Ground,
    observed: Observed,
    freed: Released,
    grown: Growth,
    levelled: tuple[ResizePod, ...],
) -> dict[str, int]:
    steps = (*grown.steps, *levelled)
    changing = {step.pod for step in steps if isinstance(step, ResizePod)}
    able = candidates(ground.pods, freed, changing, ground.carrying)
    return weights_for(able, ground.demand_rps, last_sent(observed))
