"""
Compute the steps of one reconcile cycle that move the running pods towards the plan.

Create before destroy: new pods start and reach their size; once they are Ready the traffic weights
move; once the router has taken over the weights the old pods are removed. The function has no state
besides what is observed, so any cycle can continue what an earlier one began.

Order within a cycle: scale up, set weights, scale down. Weights are sent before a pod shrinks or is
removed, so that a router which fetches late never learns of a pod that is already terminating.
Executors must skip all steps that shrink when setting the weights failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.observed import Cause, Observed
from infadapter_operator.domain.progress import Phase, Progress, Rest
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import Situation
from infadapter_operator.domain.steps import RemovePods, ResizePod, ScaleUp, SetWeights, Step
from infadapter_operator.planning.capacity import ready_capacity_rps
from infadapter_operator.planning.plan import Planned
from infadapter_operator.rollout.match import PodState, match_pods
from infadapter_operator.rollout.moves import is_reached, moves_towards
from infadapter_operator.rollout.phase import progress_at_rest, progress_of
from infadapter_operator.rollout.release import DrainContext, Releases
from infadapter_operator.rollout.scale_down import align, remove, scale_down, unloaded
from infadapter_operator.rollout.traffic import (
    candidates,
    carriers,
    confirmed,
    last_sent,
    set_weights,
)
from infadapter_operator.rollout.traffic_split import Candidate, weights_for
from infadapter_solver.problem import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The steps for this cycle, the weights they lead to, and what prevented further steps."""

    steps: tuple[Step, ...]
    weights: Mapping[str, int]  # by pod, as intended
    short: frozenset[str]  # resources that budget and surge lack
    progress: Progress
    updates: frozenset[Target] = frozenset()  # their template changed: rolled once there is room


def rollout(situation: Situation, planned: Planned) -> Rollout:
    """
    Return the steps that this cycle may take.

    The rollout is computed from the pods that count towards the plan. Replica counts are corrected
    for the other pods (`planned.present.absent`), because a Deployment counts those as well.
    """
    counted, now_s = planned.present.counted, situation.now_s
    found = towards(planned.service, planned.decision, counted, planned.soon_rps, now_s)
    steps = (*found.steps, *_probe_step(planned, found.progress))
    return replace(
        found,
        steps=tuple(_with_absent(step, planned.present.absent) for step in steps),
        progress=_with_blocks(_with_no_room(found.progress, planned), planned, now_s),
    )


def _probe_step(planned: Planned, progress: Progress) -> tuple[ScaleUp, ...]:
    """Start one probe pod of a variant that failed before, but only while nothing else moves."""
    probe = planned.probe
    if probe is None or progress.moves:
        return ()
    there = planned.present.counted.desired_pods.get(probe.target, 0)
    return (ScaleUp(target=probe.target, size=probe.size, pods=there + 1),)


def _with_no_room(progress: Progress, planned: Planned) -> Progress:
    """Report `NoSurge` when the load leaves no room to retry a variant that failed to start."""
    targets = planned.without_room
    if not targets or progress.rest is not None or progress.moves:
        return progress
    waits_for = f"room to try a pod of {targets[0].variant} again"
    return replace(progress, rest=Rest.NO_SURGE, waits_for=waits_for)


def _with_absent(step: Step, absent: Mapping[Target, int]) -> Step:
    """
    Add the pods that do not count for the plan to the replica count of a step.

    A rolling update replaces those pods, too. Without the correction the Deployment would be asked
    for one pod too few, and a later cycle would request one too many.
    """
    if isinstance(step, ScaleUp):
        return replace(step, pods=step.pods + absent.get(step.target, 0))
    if isinstance(step, RemovePods):
        return replace(step, remaining=step.remaining + absent.get(step.target, 0))
    return step


def _with_blocks(progress: Progress, planned: Planned, now_s: float) -> Progress:
    """
    Name the rest when the plan is reached but variants are excluded because they failed to start.

    The name stays after the back-off for as long as a pod of such a variant still waits for a node.
    """
    there = planned.present
    waits = {pod.target for pod in there.everything.pods if pod.name in there.awaited}
    causes = {
        block.cause
        for block in planned.blocks.values()
        if not block.has_recovered and (now_s < block.until_s or block.target in waits)
    }
    reached = progress.phase is Phase.DONE or not progress.moves
    if progress.rest is not None or not reached or not causes:
        return progress
    rest = _RESTS.get(min(causes), Rest.START_FAILED) if len(causes) == 1 else Rest.START_FAILED
    return replace(progress, rest=rest)


_RESTS = {Cause.NO_NODE: Rest.NO_NODE, Cause.RESIZE: Rest.RESIZE_REFUSED}


def towards(
    service: Service,
    decision: Decision,
    observed: Observed,
    demand_rps: float | None,
    now_s: float,
) -> Rollout:
    """
    Return the steps towards the decision's plan for the current demand.

    `demand_rps=None` means that the demand is unknown: then nothing shrinks and nothing is removed.
    """
    context = _context(service, decision, observed, demand_rps, now_s)
    doubt = demand_rps is None
    split_rps = _split_rps(decision, context.demand_rps)
    if is_reached(context, observed):
        return at_rest(context, observed, split_rps, doubt=doubt)
    return on_the_way(context, observed, split_rps, doubt=doubt)


def at_rest(context: DrainContext, observed: Observed, split_rps: float, *, doubt: bool) -> Rollout:
    """
    Return the rollout of a plan that is already reached: only weights may change. This is the usual
    case, so it skips the computation of all other steps.
    """
    able = [one.as_candidate for one in context.pods]
    weights = weights_for(able, split_rps, last_sent(observed))
    steps = _sent_if_other(context, observed, weights)
    progress = progress_at_rest(context, steps, doubt=doubt)
    return Rollout(steps=steps, weights=weights, short=frozenset(), progress=progress)


def on_the_way(
    context: DrainContext, observed: Observed, split_rps: float, *, doubt: bool
) -> Rollout:
    """Return the rollout of a plan that is not reached, or not known to be reached."""
    moves = moves_towards(context, observed, doubt=doubt)
    levelled = () if doubt else align(context)
    able = _able(context, moves.freed, (*moves.grown.steps, *levelled))
    weights = weights_for(able, split_rps, _weights_to_keep(able, observed))
    steps: list[Step] = [*moves.grown.steps, *moves.bridged, *levelled]
    steps += _sent_if_other(context, observed, weights)
    if not doubt:
        in_force = confirmed(observed), last_sent(observed)
        ways = (weights, *in_force, *observed.in_between)
        may_shrink = unloaded(context.pods, moves.freed, ways, context.wanted_rps)
        steps += scale_down(context.pods, may_shrink)
        carrying = context.carrying | set(weights)
        removed = remove(context.plan, context.pods, observed, moves.freed, carrying)
        steps += (*moves.rolled, *removed)
    return Rollout(
        steps=tuple(steps),
        weights=weights,
        short=moves.short,
        progress=progress_of(context, observed, moves.short, steps, doubt=doubt),
        updates=frozenset() if doubt else _updates(context),
    )


def _updates(context: DrainContext) -> frozenset[Target]:
    stale = (one for one in context.pods if one.is_stale and one.must_be_replaced(context.now_s))
    return frozenset(one.actual.target for one in stale)


def _context(
    service: Service,
    decision: Decision,
    observed: Observed,
    demand_rps: float | None,
    now_s: float,
) -> DrainContext:
    ready_rps = ready_capacity_rps(service, observed.pods)
    is_short = demand_rps is not None and ready_rps < demand_rps
    pods = match_pods(service, decision.plan, observed, is_short=is_short)
    return DrainContext(
        service=service,
        plan=decision.plan,
        pods=pods,
        carrying=carriers(observed),
        demand_rps=_assumed_rps(decision, pods) if demand_rps is None else demand_rps,
        now_s=now_s,
    )


def _assumed_rps(decision: Decision, pods: Sequence[PodState]) -> float:
    """
    Return the demand to assume while the real one is unknown: the planned demand, or, if no load
    was ever measured, everything that the Ready pods can serve.
    """
    if decision.source in (Source.ADOPTED, Source.WARMING):
        return max(decision.demand_rps, sum(one.capacity_rps for one in pods if one.actual.ready))
    return decision.demand_rps


def _sent_if_other(
    context: DrainContext, observed: Observed, weights: Mapping[str, int]
) -> tuple[SetWeights, ...]:
    """Send the weights unless they are both in force and the last ones sent."""
    if weights == confirmed(observed) == last_sent(observed):
        return ()
    return (set_weights(context.pods, weights),)


def _split_rps(decision: Decision, demand_rps: float) -> float:
    """
    Return the arrival rate for which traffic is split among the pods.

    Usually this is the current rate, a mean of the past seconds. During a rise that outgrew a plan
    the mean lags behind, so the demand that the plan was made for is used instead.
    """
    return max(demand_rps, decision.demand_rps) if decision.outgrown else demand_rps


def _able(context: DrainContext, freed: Releases, steps: Sequence[Step]) -> list[Candidate]:
    """Return the pods that may receive traffic. `steps` are the resizes of this cycle."""
    changing = {step.pod for step in steps if isinstance(step, ResizePod)}
    return candidates(context.pods, freed, changing, context.carrying)


def _weights_to_keep(able: Sequence[Candidate], observed: Observed) -> Mapping[str, int]:
    """
    Return the weights to keep where they are good enough: those sent last.

    Nothing is kept while a rolling update has created a pod whose siblings carry traffic. The
    platform removes one of the siblings as soon as the new pod is Ready, whatever traffic the
    sibling has.
    """
    sent = last_sent(observed)
    rolled = [one for one in able if one.target in observed.rolling]
    carry = {one.target for one in rolled if sent.get(one.pod)}
    waits = any(one.target in carry and not sent.get(one.pod) for one in rolled)
    return {} if waits else sent
