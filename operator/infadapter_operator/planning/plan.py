"""The planning stage of a reconcile cycle: from a situation to the decision in force. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.error_budget import ErrorBudget
from infadapter_operator.domain.load import History
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import CapacityCalibration, Failure, Situation
from infadapter_operator.planning.backoff import blocks_after, waiting_for_room
from infadapter_operator.planning.calibration import calibrated_by, with_calibration
from infadapter_operator.planning.caution import decide_with_caution
from infadapter_operator.planning.due import burst, is_awaited_pod_ready, is_due, is_to_be_left
from infadapter_operator.planning.error_budget import error_budget, held, with_plan
from infadapter_operator.planning.planning_demand import Load, measured_load
from infadapter_operator.planning.presence import Present, present
from infadapter_operator.planning.probe import Probe, probe_of, wanted_of
from infadapter_operator.planning.problem import (
    OVERLOAD_TOLERANCE,
    exceeds,
    untouchable_rps,
)
from infadapter_operator.planning.quotas import within_quotas
from infadapter_operator.planning.warming import warming
from infadapter_solver import InvalidProblem
from infadapter_solver.milp import SolverFailed
from infadapter_solver.problem import Target


class NoPlan(Exception):
    """The solver has no answer, and there is no earlier decision to hold."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The decision in force after a cycle, with everything that it was derived from."""

    service: Service  # with delivered capacities, and the surge that quotas leave
    present: Present
    calibration: CapacityCalibration
    blocks: Mapping[Target, Block]  # targets that fail to start
    decision: Decision
    is_solved: bool  # in this cycle
    load_rps: float | None = None  # current; None: no fresh data
    soon_rps: float | None = None  # extrapolated while it rises
    failure: Failure | None = None  # no data or no solution: the decision is held
    error_budget: ErrorBudget = field(default_factory=ErrorBudget)
    probe: Probe | None = None  # a pod that may be started beside the plan
    without_room: tuple[Target, ...] = ()  # would be planned, but a probe has no room


def plan(situation: Situation, *, explains: bool = True) -> Planned:
    """
    Return the decision in force. Raises NoPlan.

    A new one is made when an interval has passed, when planned pods fail to come, or when the load
    has outgrown the plan. `explains=False` skips the reasons of a new plan, which cost one solution
    per variant.
    """
    state, now_s = situation.state, situation.now_s
    calibration = _calibration(situation)
    service = with_calibration(situation.service, calibration)
    service = within_quotas(service, situation.observed.quotas)
    blocks = blocks_after(service, state.blocks, situation.observed, now_s, state.awaited)
    before = state.decision.plan if state.decision else None
    there = present(service, situation.observed, blocks, before, now_s, state.awaited)
    budget = _error_budget(situation)
    found = _found(service, situation, there, budget.pressure, explains=explains)
    if found.decision.plan is not before:  # awaited pods must leave room for the plan in force
        plan = found.decision.plan
        there = present(service, situation.observed, blocks, plan, now_s, state.awaited)
    probe, without_room = _tried_beside(service, situation, there, found)
    load = found.load
    return Planned(
        service=service,
        present=there,
        calibration=calibration,
        blocks=waiting_for_room(service, blocks, without_room, now_s),
        error_budget=_with_plan(budget, service, there.counted, found.decision, now_s),
        decision=found.decision,
        is_solved=found.is_solved,
        load_rps=load.now_rps if load else None,
        soon_rps=load.soon_rps if load else None,
        failure=found.failure,
        probe=probe,
        without_room=without_room,
    )


def _tried_beside(
    service: Service, situation: Situation, there: Present, found: "_Found"
) -> tuple[Probe | None, tuple[Target, ...]]:
    """
    Return the probe pod that may start beside the plan, and the targets for which there is no room.

    Both are decided when a plan is made. If the solver has no answer nothing is probed.
    """
    waiting = situation.state.without_room
    still = None, tuple(target for target in there.without_room if target in waiting)
    if not found.is_solved or found.load is None:
        return still
    question = service, found.load, there.counted, found.decision
    now_s = situation.now_s
    try:
        probe = probe_of(*question, there.due, there.room, now_s)
        without = tuple(t for t in there.without_room if wanted_of(*question, t, now_s))
    except (SolverFailed, InvalidProblem):
        return still
    return probe, without


def _calibration(situation: Situation) -> CapacityCalibration:
    before = situation.state.calibration
    if situation.delivered is None:
        return before
    observed, now_s = situation.observed, situation.now_s
    return calibrated_by(situation.service, before, observed, situation.delivered, now_s)


def _error_budget(situation: Situation) -> ErrorBudget:
    before, service, now_s = situation.state.error_budget, situation.service, situation.now_s
    window_s = service.error_budget_window_s
    if situation.answers is None:
        return held(before, window_s, now_s)
    plans, decision = before.plans, situation.state.decision
    if not plans and decision is not None:  # after a restart
        plans = with_plan((), decision.plan.capacity_rps, now_s)
    return error_budget(situation.answers, plans, service.percentile, window_s, now_s)


def _with_plan(
    budget: ErrorBudget, service: Service, counted: Observed, decision: Decision, now_s: float
) -> ErrorBudget:
    planned_rps = decision.plan.capacity_rps + untouchable_rps(service, counted)
    return replace(budget, plans=with_plan(budget.plans, planned_rps, now_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    decision: Decision
    is_solved: bool = False
    load: Load | None = None  # None: no fresh data
    failure: Failure | None = None


def _found(
    service: Service, situation: Situation, there: Present, pressure: float, *, explains: bool
) -> _Found:
    """
    Return the decision for this cycle. If it cannot be solved, the earlier decision is held, if
    any.
    """
    decision = situation.state.decision
    try:
        if situation.load is None:
            return _without_load(service, situation, there.counted)
        load = situation.load
        return _with_load(service, situation, load, there, pressure, explains=explains)
    except (SolverFailed, InvalidProblem) as error:
        failure = Failure(type(error).__name__, str(error))
        if decision is None:
            raise NoPlan(failure) from error
        return _Found(decision=decision, failure=failure)


def _without_load(service: Service, situation: Situation, counted: Observed) -> _Found:
    """
    Hold the decision, unless it names variants that are gone, or pods that fail while nothing
    serves.
    """
    decision = situation.state.decision
    if decision is not None and not is_to_be_left(service, decision, counted):
        return _Found(decision=decision, failure=situation.no_load)
    first = warming(service, counted, situation.now_s)
    return _Found(decision=first, is_solved=True, failure=situation.no_load)


def _with_load(
    service: Service,
    situation: Situation,
    history: History,
    there: Present,
    pressure: float,
    *,
    explains: bool,
) -> _Found:
    decision, counted, now_s = situation.state.decision, there.counted, situation.now_s
    due = decision is None or is_due(service, decision, now_s) or exceeds(counted, decision.plan)
    due = due or is_awaited_pod_ready(situation)
    load = measured_load(service, history)
    if decision is not None and not due and not burst(service, counted, decision, load.soon_rps):
        return _Found(decision=decision, load=load)
    asked = partial(decide_with_caution, service, load, explains=explains)
    fresh = asked(counted, decision, now_s, pressure)
    for target in () if fresh.plan.feasible else there.without_room:
        one_more = _with_one_more(counted, target)
        found = asked(one_more, decision, now_s, pressure)
        if _serves_more(found, fresh):
            return _Found(decision=found, is_solved=True, load=load)
    return _Found(decision=fresh, is_solved=True, load=load)


def _with_one_more(counted: Observed, target: Target) -> Observed:
    """
    Allow one more pod of a failing target in the plan.

    This applies when capacity is short and a probe has no room beside the plan. Waiting for a lower
    load would lose what the pod could serve.
    """
    limit = counted.pod_limits.get(target, 0)
    return replace(counted, pod_limits={**counted.pod_limits, target: limit + 1})


def _serves_more(found: Decision, other: Decision) -> bool:
    served_rps, others_rps = (sum(d.plan.served_rps.values()) for d in (found, other))
    return served_rps > others_rps * (1 + OVERLOAD_TOLERANCE)
