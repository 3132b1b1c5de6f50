"""
One turn of the loop: see, plan when it is time, do what may be done now, tell. It never waits.

The only place that knows the order; it speaks to a body through the protocols of `bodies`.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.load import DemandError, History
from infadapter_operator.domain.observed import Cause, Observed, Trouble
from infadapter_operator.domain.ports import BodyUnavailable, Cluster, Demand, Router
from infadapter_operator.domain.progress import Block, Phase, Progress, Rest
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.domain.steps import Step
from infadapter_operator.execute import (
    Refusal,
    Refused,
    Taken,
    attempted_weights,
    marked,
    refused_starts,
    removed_pods,
    still_refused,
    superseded_pods,
    take,
    with_absent,
    with_leaving,
    with_refusals,
)
from infadapter_operator.planning.backoff import blocks_after
from infadapter_operator.planning.calibration import Learnt, as_learnt, learnt_from
from infadapter_operator.planning.capacity import by_target, ready_capacity_rps
from infadapter_operator.planning.plan import burst, decide, warming
from infadapter_operator.planning.planning_demand import (
    demand_now_rps,
    look_window_s,
    planning_window_s,
    recent_window_s,
)
from infadapter_operator.planning.presence import Present, present
from infadapter_operator.planning.problem import exceeds, known_groups
from infadapter_operator.planning.rates import rate_now_rps
from infadapter_operator.reporting.conditions import Condition, Signals, conditions
from infadapter_operator.reporting.signals import signals_of
from infadapter_operator.rollout.milestone import Milestone, milestone_after
from infadapter_operator.rollout.rollout import Turn, turn
from infadapter_operator.rollout.traffic_split import shares_of
from infadapter_solver import InvalidProblem
from infadapter_solver.milp import SolverFailed
from infadapter_solver.problem import Target

COARSE_S = 2.0
"""Larger steps than this hide what happened within the last seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """
    What a look leaves to the next. Only the decision matters (a body restores it from the status
    after a restart); the rest may start fresh.
    """

    decision: Decision | None = None
    data_missing_since_s: float | None = None
    last_data_s: float | None = None
    sent_weights: Mapping[str, int] | None = None
    superseded: Mapping[str, float] = field(default_factory=dict)  # by pod, until when
    infeasible_resizes: Refused = frozenset()
    removed_pods: frozenset[str] = frozenset()  # told to stop, and perhaps still there
    learnt: Learnt = field(default_factory=Learnt)
    blocks: Mapping[Target, Block] = field(default_factory=dict)  # what does not come
    refused: Mapping[Target, Trouble] = field(default_factory=dict)  # starts, by the platform
    milestone: Milestone = field(default_factory=Milestone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    What one look saw, decided and did. `observed` is from before its steps, and the capacities of
    `service` are those that its pods deliver.
    """

    service: Service
    now_s: float
    memory: Memory
    decision: Decision | None = None  # its source is Held while there is no fresh data
    observed: Observed | None = None  # None: the body did not answer
    demand_rps: float | None = None  # now; None: no fresh data
    forecast_rps: float | None = None
    steps: tuple[Step, ...] = ()  # taken
    refusals: tuple[Refusal, ...] = ()
    conditions: tuple[Condition, ...] = ()
    shares: Mapping[Target, float] = field(default_factory=dict)  # of the weights confirmed
    ready_capacity_rps: float = 0.0
    progress: Progress | None = None  # None: nothing was looked at
    blocks: Mapping[Target, Block] = field(default_factory=dict)
    planned: bool = False  # this look solved the problem
    plan_changed: bool = False
    solve_s: float | None = None
    error: str | None = None  # reason of the DemandError or of BodyUnavailable
    error_message: str = ""


async def look(
    service: Service,
    memory: Memory,
    demand: Demand,
    cluster: Cluster,
    router: Router,
    now_s: float,
    shared_causes: frozenset[Cause] = frozenset(),
    tried_elsewhere: frozenset[Cause] = frozenset(),
) -> Look:
    """
    One turn; raises nothing that a body may raise. `shared_causes` keep pods from coming in
    several services, as who looks after all of them knows; one service tries a pod for all.
    """
    if service.mode is Mode.PAUSED:
        return _blind(service, memory, now_s, "Paused")
    try:
        observed = await cluster.observe(now_s)
        observed = replace(
            observed,
            weights=await router.weights(),
            sent_weights=memory.sent_weights,
            superseded=frozenset(p for p, until_s in memory.superseded.items() if until_s > now_s),
            shared_causes=shared_causes,
            tried_elsewhere=tried_elsewhere,
            moved_at_s=memory.milestone.at_s,
        )
    except BodyUnavailable as error:
        blind = _blind(service, memory, now_s, error.reason)
        return replace(blind, error=error.reason, error_message=str(error))
    observed = with_leaving(marked(observed, memory.infeasible_resizes), memory.removed_pods)
    observed = with_refusals(observed, memory.refused, now_s, service.patience.start_s)
    memory = await _learning(service, memory, demand, observed, now_s)
    service = as_learnt(service, memory.learnt)
    memory = replace(memory, blocks=blocks_after(service, memory.blocks, observed, now_s))
    plan = memory.decision.plan if memory.decision else None
    there = present(service, observed, memory.blocks, plan, now_s)
    try:
        planning = await _plan(service, memory, demand, there.counted, now_s)
    except (SolverFailed, InvalidProblem) as error:
        if memory.decision is None:
            blind = _blind(service, memory, now_s, type(error).__name__)
            return replace(blind, error=type(error).__name__, error_message=str(error))
        planning = _Planning(decision=memory.decision, demand_rps=None, error=error)
    return await _act(service, memory, planning, there, cluster, router, now_s)


async def _learning(
    service: Service, memory: Memory, demand: Demand, observed: Observed, now_s: float
) -> Memory:
    """A lesson an interval, while there are data: who does not answer is not asked twice a look."""
    last_s = memory.learnt.at_s
    is_soon = last_s is not None and last_s <= now_s < last_s + service.interval_s
    if is_soon or memory.data_missing_since_s is not None:
        return memory
    delivered = await demand.delivered(service.interval_s, now_s)
    learnt = learnt_from(service, memory.learnt, observed, delivered, now_s)
    return replace(memory, learnt=learnt)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planning:
    """What a look knows before it acts."""

    decision: Decision
    demand_rps: float | None
    soon_rps: float | None = None  # what it comes to while it rises
    solve_s: float | None = None
    error: DemandError | SolverFailed | InvalidProblem | None = None

    @property
    def reason(self) -> str | None:
        if self.error is None or isinstance(self.error, DemandError):
            return self.error.reason if self.error else None
        return type(self.error).__name__


async def _plan(
    service: Service, memory: Memory, demand: Demand, observed: Observed, now_s: float
) -> _Planning:
    """The decision in force, made anew when an interval has passed or the load has outgrown it."""
    try:
        return await _planned(service, memory.decision, demand, observed, now_s)
    except DemandError as error:
        if memory.decision is not None and not _is_to_be_left(service, memory.decision, observed):
            return _Planning(decision=memory.decision, demand_rps=None, error=error)
        started_s = time.perf_counter()
        first = await asyncio.to_thread(warming, service, observed, now_s)
        solve_s = time.perf_counter() - started_s
        return _Planning(decision=first, demand_rps=None, solve_s=solve_s, error=error)


def _is_to_be_left(service: Service, decision: Decision, observed: Observed) -> bool:
    """Also without data: it names what is gone, or what does not come while nothing serves."""
    serves = any(pod.ready and not pod.leaving for pod in observed.pods)
    fails = exceeds(observed, decision.plan) and not serves
    return fails or _is_of_another_spec(service, decision)


async def _planned(
    service: Service,
    decision: Decision | None,
    demand: Demand,
    observed: Observed,
    now_s: float,
) -> _Planning:
    due = decision is None or is_due(service, decision, now_s) or exceeds(observed, decision.plan)
    if decision is not None and not due:
        recent = (await demand.history(look_window_s(), now_s)).samples
        demand_rps = rate_now_rps(recent)
        soon_rps = demand_now_rps(service, recent)
        if not burst(service, observed, decision, soon_rps):
            return _Planning(decision=decision, demand_rps=demand_rps, soon_rps=soon_rps)
    history = await _planning_history(service, demand, now_s)
    demand_rps = rate_now_rps(history.samples)
    started_s = time.perf_counter()
    fresh = await asyncio.to_thread(decide, service, history, observed, decision, now_s)
    solve_s = time.perf_counter() - started_s
    soon_rps = demand_now_rps(service, history.samples)
    return _Planning(decision=fresh, demand_rps=demand_rps, soon_rps=soon_rps, solve_s=solve_s)


async def _planning_history(service: Service, demand: Demand, now_s: float) -> History:
    """A long history may come in large steps: what is planned for now is never read from those."""
    history = await demand.history(planning_window_s(service), now_s)
    if history.step_s <= COARSE_S:
        return history
    return history.refined(await demand.history(recent_window_s(service), now_s))


def _is_of_another_spec(service: Service, decision: Decision) -> bool:
    groups = decision.plan.groups
    return bool(groups) and not known_groups(service, Observed(), groups)


def is_due(service: Service, decision: Decision, now_s: float) -> bool:
    """
    An interval after the last decision; also when the clock was set back.

    At once when that was made without any load, or for variants that the spec no longer has.
    """
    if decision.source in (Source.WARMING, Source.ADOPTED):
        return True
    if _is_of_another_spec(service, decision):
        return True
    return not decision.decided_at_s <= now_s < decision.decided_at_s + service.interval_s


async def _act(
    service: Service,
    memory: Memory,
    planning: _Planning,
    there: Present,
    cluster: Cluster,
    router: Router,
    now_s: float,
) -> Look:
    decision, demand_rps, observed = planning.decision, planning.demand_rps, there.counted
    acts = service.mode is Mode.AUTO
    due = turn(service, decision, observed, planning.soon_rps, now_s) if acts else None
    taken = await take(with_absent(due.steps, there.absent), cluster, router) if due else Taken()
    progress = _with_blocks(due.progress, memory.blocks, now_s) if due else None
    refusals = [(refusal.reason, refusal.message) for refusal in taken.refusals]
    signals = signals_of(
        decision, observed, due, refusals, planning.reason, now_s, progress, memory.blocks
    )
    return Look(
        service=service,
        now_s=now_s,
        memory=_remember(memory, planning, observed, due, taken, now_s),
        decision=_reported(memory, planning),
        observed=there.everything,
        demand_rps=demand_rps,
        forecast_rps=decision.forecast_rps,
        steps=taken.steps,
        refusals=taken.refusals,
        conditions=conditions(service, signals),
        shares=_shares(observed),
        ready_capacity_rps=ready_capacity_rps(service, observed.pods),
        progress=progress,
        blocks=memory.blocks,
        planned=planning.solve_s is not None,
        plan_changed=_has_changed(memory.decision, decision),
        solve_s=planning.solve_s,
        error=planning.reason,
        error_message=str(planning.error or ""),
    )


def _with_blocks(progress: Progress, blocks: Mapping[Target, Block], now_s: float) -> Progress:
    """A plan that is reached without what does not come is a rest, and has that name."""
    causes = {block.cause for block in blocks.values() if now_s < block.until_s and not block.come}
    reached = progress.phase is Phase.DONE or not progress.moves
    if progress.rest is not None or not reached or not causes:
        return progress
    rest = _RESTS.get(min(causes), Rest.START_FAILED) if len(causes) == 1 else Rest.START_FAILED
    return replace(progress, rest=rest)


_RESTS = {Cause.NO_NODE: Rest.NO_NODE, Cause.RESIZE: Rest.RESIZE_REFUSED}


def _remember(
    memory: Memory,
    planning: _Planning,
    observed: Observed,
    due: Turn | None,
    taken: Taken,
    now_s: float,
) -> Memory:
    attempted = attempted_weights(due.steps) if due else None
    since_s = memory.data_missing_since_s
    missing_since_s = now_s if since_s is None else since_s
    return Memory(
        decision=planning.decision,
        data_missing_since_s=missing_since_s if planning.error else None,
        last_data_s=memory.last_data_s if planning.error else now_s,
        sent_weights=memory.sent_weights if attempted is None else attempted,
        superseded=superseded_pods(
            memory.superseded, memory.sent_weights, attempted, observed, now_s
        ),
        infeasible_resizes=still_refused(memory.infeasible_resizes, observed, taken),
        removed_pods=(memory.removed_pods & {pod.name for pod in observed.pods})
        | removed_pods(taken),
        learnt=memory.learnt,
        blocks=memory.blocks,
        refused=refused_starts(memory.refused, taken, memory.blocks, now_s),
        milestone=milestone_after(
            memory.milestone,
            _shape(planning.decision),
            due.progress if due else None,
            observed,
            now_s,
        ),
    )


def _reported(memory: Memory, planning: _Planning) -> Decision:
    if planning.error is not None and memory.decision is not None:
        return replace(planning.decision, source=Source.HELD)
    return planning.decision


def _has_changed(before: Decision | None, now: Decision) -> bool:
    """In what runs; that its pods deliver a little more or less is no news."""
    return before is None or _shape(before) != _shape(now)


def _shape(decision: Decision) -> tuple[object, ...]:
    groups = decision.plan.groups
    return decision.plan.feasible, [(g.target, g.allocation.size, g.pods) for g in groups]


def _shares(observed: Observed) -> Mapping[Target, float]:
    """Among the pods that are there: a router may still name one that has just gone."""
    targets = {pod.name: pod.target for pod in observed.pods}
    known = {pod: weight for pod, weight in observed.weights.items() if pod in targets}
    return by_target((targets[pod], share) for pod, share in shares_of(known).items())


def _blind(service: Service, memory: Memory, now_s: float, reason: str) -> Look:
    """Nothing was seen, so nothing is done."""
    signals = Signals(decision=memory.decision, unseen=reason)
    return Look(
        service=service,
        now_s=now_s,
        memory=memory,
        decision=memory.decision,
        conditions=conditions(service, signals),
    )
