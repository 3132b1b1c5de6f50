"""The decision: pure, and told the time."""

from dataclasses import replace

from infadapter_operator.decision import Decision, Source
from infadapter_operator.demand import History
from infadapter_operator.observed import Observed
from infadapter_operator.planning.demands import is_young, planning_demand, warming_demand_rps
from infadapter_operator.planning.keep import Previous, previous_plan
from infadapter_operator.planning.problems import (
    adoptable,
    problem_for,
    solved,
    untouchable_rps,
)
from infadapter_operator.planning.reasons import explained
from infadapter_operator.service import Service
from infadapter_solver import evaluate

_FROM_LOAD = (Source.OPTIMAL, Source.GREEDY)


def decide(
    service: Service,
    history: History,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
) -> Decision:
    """
    The plan for the demand that the history lets expect, or the previous one where it still holds.

    While the history is young, and when demand has outgrown the plan, capacity may only be added.
    """
    demand = planning_demand(service, history, now_s)
    before = previous_plan(service, observed, demand, previous.plan) if previous else None
    young = is_young(service, history)
    floor_rps = _floor_rps(before, young=young)
    if previous is None and young:
        floor_rps = sum(group.capacity_rps for group in adoptable(service, observed))
    problem = problem_for(service, observed, demand.rps, floor_rps)
    best = solved(problem)
    keeps = before is not None and before.still_holds(best)
    decision = Decision(
        plan=before.kept(best) if before and keeps else best,
        decided_at_s=now_s,
        demand_rps=demand.rps,
        forecast_rps=demand.forecast_rps,
        observed_rps=demand.observed_rps,
        source=Source.GREEDY if best.gap > 0 and not keeps else Source.OPTIMAL,
    )
    if previous and decision.plan is previous.plan and previous.source in _FROM_LOAD:
        return _with_reasons_of(decision, previous)
    return explained(service, problem, decision)


def warming(service: Service, observed: Observed, now_s: float) -> Decision:
    """The plan when no load was ever seen: what runs, else the smallest that serves."""
    demand_rps = warming_demand_rps(service)
    problem = problem_for(service, observed, demand_rps)
    running = adoptable(service, observed)
    decision = Decision(
        plan=evaluate(problem, running) if running else solved(problem),
        decided_at_s=now_s,
        demand_rps=demand_rps,
        source=Source.ADOPTED if running else Source.WARMING,
    )
    return explained(service, problem, decision)


def burst(service: Service, observed: Observed, decision: Decision, demand_rps: float) -> bool:
    """
    Whether the load has outgrown the plan, so that a new one can't wait for the interval.

    Where the plan has the capacity and only its pods are not Ready yet, there is nothing that
    another plan could do sooner; a plan that spends the whole budget was made for all it could.
    """
    if not decision.plan.feasible:
        return demand_rps > decision.demand_rps
    return demand_rps > decision.plan.capacity_rps + untouchable_rps(service, observed)


def _floor_rps(before: Previous | None, *, young: bool) -> float:
    if before is None or not (young or before.is_outgrown):
        return 0.0
    return before.capacity_rps


def _with_reasons_of(decision: Decision, previous: Decision) -> Decision:
    return replace(
        decision,
        source=previous.source,
        binding=previous.binding,
        why=previous.why,
        rejected=previous.rejected,
        expected_latency_s=previous.expected_latency_s,
    )
