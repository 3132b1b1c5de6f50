"""The decision: a pure function of service, load, pods and time."""

from dataclasses import replace

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.choice import chosen, kept_by_the_window
from infadapter_operator.planning.hysteresis import CurrentPlan, previous_plan
from infadapter_operator.planning.planning_demand import (
    REACHED_WITHIN_S,
    Load,
    PlanningDemand,
    is_young,
)
from infadapter_operator.planning.problem import adoptable, problem_for, solved
from infadapter_operator.planning.reasons import with_reasons
from infadapter_operator.planning.servable_demand import extrapolated, servable_demand
from infadapter_solver import Plan


def decide(
    service: Service,
    load: Load,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
    *,
    explains: bool = True,
) -> Decision:
    """
    Return the plan for the demand expected from the history, or the previous plan while it still
    holds.

    While the history is young, and when the demand has outgrown the plan, capacity may only be
    added.
    """
    found = choose(service, load, observed, previous, now_s)
    return with_reasons(service, observed, found, previous, explains=explains)


def choose(
    service: Service,
    load: Load,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
    reserve_factor: float = 1.0,
) -> Decision:
    """
    Return the decision without its reasons, which cost one solution per variant.

    `reserve_factor` multiplies the usual reserve while the error budget burns. A plan in force that
    satisfies it is then kept, even against a better one, unless the rises that are expected would
    miss requests with it.
    """
    demand = servable_demand(service, load, observed, now_s, reserve_factor)
    young = is_young(service, load.history)
    if previous is None:
        floor_rps = _running_rps(service, observed) if young else 0.0
        first = solved(problem_for(service, observed, demand.rps, floor_rps))
        return _decision(demand, demand.rps, first, now_s)
    careful = reserve_factor > 1
    before = previous_plan(service, observed, demand, previous.plan)
    kept = None if young else kept_by_the_window(before, now_s, careful=careful)
    if kept is not None:
        return _decision(demand, demand.kept_rps, kept, now_s)
    outgrown = _outgrown(before, previous, now_s)
    if before.is_in_a_rise(outgrown):
        demand = extrapolated(service, observed, demand, previous, now_s)
    floor_rps = before.capacity_rps if young or before.is_outgrown else 0.0
    problem = before.problem(demand.rps, floor_rps)
    best = chosen(before, problem, now_s, careful=careful)
    found = _decision(demand, demand.rps, best, now_s)
    return replace(found, outgrown=0 if _is_borne_on(before, best) else outgrown)


def _running_rps(service: Service, observed: Observed) -> float:
    return sum(group.capacity_rps for group in adoptable(service, observed))


def _outgrown(before: CurrentPlan, previous: Decision, now_s: float) -> int:
    """Return how many plans in a row the load has outgrown before they could be reached."""
    if not previous.is_from_load:
        return 0
    is_soon = 0 < now_s - previous.decided_at_s <= REACHED_WITHIN_S
    return previous.outgrown + 1 if is_soon and before.is_outgrown else 0


def _is_borne_on(before: CurrentPlan, best: Plan) -> bool:
    """
    Whether the current plan stays. Then no further plan was outgrown, however much the load exceeds
    it.
    """
    return best.feasible and best.groups == before.groups


def _decision(demand: PlanningDemand, rps: float, plan: Plan, now_s: float) -> Decision:
    return Decision(
        plan=plan,
        decided_at_s=now_s,
        demand_rps=rps,
        forecast_rps=demand.forecast_rps,
        observed_rps=demand.observed_rps,
        source=Source.GREEDY if plan.gap > 0 else Source.OPTIMAL,
    )
