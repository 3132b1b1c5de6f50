"""The decision: pure, and told the time."""

from dataclasses import replace

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.load import History
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.choice import (
    chosen,
    for_rises,
    to_grow,
    unless_more_accurate,
    with_noise,
)
from infadapter_operator.planning.hysteresis import CurrentPlan, previous_plan
from infadapter_operator.planning.planning_demand import (
    REACHED_WITHIN_S,
    PlanningDemand,
    is_young,
)
from infadapter_operator.planning.problem import adoptable, problem_for, solved
from infadapter_operator.planning.reasons import with_reasons
from infadapter_operator.planning.servable_demand import extrapolated, servable_demand
from infadapter_operator.planning.stabilization import stabilized
from infadapter_operator.planning.switching_cost import Switch, dwell_s
from infadapter_solver import Plan, Problem


def decide(
    service: Service,
    history: History,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
    reserve_factor: float = 1.0,
) -> Decision:
    """
    The plan for the demand that the history lets expect, or the previous one where it still holds.

    `reserve_factor`: how many times the usual reserve, while the error budget burns; what is in
    force and does for that is then left for nothing that is only better, but for what rises are
    expected to miss of it.
    While the history is young, and when demand has outgrown the plan, capacity may only be added.
    """
    found = choose(service, history, observed, previous, now_s, reserve_factor)
    return with_reasons(service, observed, found, previous)


def choose(
    service: Service,
    history: History,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
    reserve_factor: float = 1.0,
) -> Decision:
    """The same decision without its reasons, which take a solution for every variant."""
    demand = servable_demand(service, history, observed, now_s, reserve_factor)
    careful = reserve_factor > 1
    before = previous_plan(service, observed, demand, previous.plan) if previous else None
    outgrown = _outgrown(before, previous, now_s)
    if previous is not None and before is not None and before.is_in_a_rise(outgrown):
        demand = extrapolated(service, observed, demand, previous, now_s)
    young = is_young(service, history)
    if before is not None and not young and before.is_kept_by_the_window:
        held = stabilized(before)
        if held is not None:
            problem = problem_for(service, observed, demand.kept_rps)
            switch = _switch(service, observed, problem, demand, now_s)
            plan = held if careful else unless_more_accurate(held, switch)
            return _decision(demand, demand.kept_rps, plan, now_s)
    floor_rps = _floor_rps(before, young=young)
    if previous is None and young:
        floor_rps = sum(group.capacity_rps for group in adoptable(service, observed))
    problem = problem_for(service, observed, demand.rps, floor_rps)
    if before is None:
        best = solved(problem)
    else:
        switch = _switch(service, observed, problem, demand, now_s)
        noisy = with_noise(problem)
        best = before.unbeaten(noisy) or chosen(before, noisy, switch, floor_rps, careful=careful)
        if best.feasible:
            best = for_rises(best, switch, before)
        if best.feasible and best.capacity_rps > before.capacity_rps:
            best = to_grow(best, switch, before)
    found = _decision(demand, demand.rps, best, now_s)
    return replace(found, outgrown=0 if _is_borne_on(before, best) else outgrown)


def _outgrown(before: CurrentPlan | None, previous: Decision | None, now_s: float) -> int:
    """How many plans in turn the load has outgrown before they could be reached."""
    if before is None or previous is None or not previous.is_from_load:
        return 0
    is_soon = 0 < now_s - previous.decided_at_s <= REACHED_WITHIN_S
    return previous.outgrown + 1 if is_soon and before.is_outgrown else 0


def _is_borne_on(before: CurrentPlan | None, best: Plan) -> bool:
    """A plan that is not left is no further one, however much the load exceeds it."""
    return before is not None and best.feasible and best.groups == before.groups


def _switch(
    service: Service,
    observed: Observed,
    problem: Problem,
    demand: PlanningDemand,
    now_s: float,
) -> Switch:
    return Switch(
        service=service,
        observed=observed,
        problem=problem,
        now_s=now_s,
        dwell_s=dwell_s(demand.rates, demand.now_rps),
    )


def _decision(demand: PlanningDemand, rps: float, plan: Plan, now_s: float) -> Decision:
    return Decision(
        plan=plan,
        decided_at_s=now_s,
        demand_rps=rps,
        forecast_rps=demand.forecast_rps,
        observed_rps=demand.observed_rps,
        source=Source.GREEDY if plan.gap > 0 else Source.OPTIMAL,
    )


def _floor_rps(before: CurrentPlan | None, *, young: bool) -> float:
    if before is None or not (young or before.is_outgrown):
        return 0.0
    return before.capacity_rps
