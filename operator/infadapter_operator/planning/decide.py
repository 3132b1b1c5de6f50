"""The decision: pure, and told the time."""

from dataclasses import replace

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.load import History
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.growth_path import with_growth_path
from infadapter_operator.planning.hysteresis import (
    WORTH_MOVING,
    CurrentPlan,
    previous_plan,
    slack_rps,
)
from infadapter_operator.planning.planning_demand import (
    REACHED_WITHIN_S,
    PlanningDemand,
    at_most,
    extrapolated_rps,
    is_young,
    planning_demand,
    warming_demand_rps,
    with_reserve,
)
from infadapter_operator.planning.problem import (
    adoptable,
    problem_for,
    solved,
    untouchable_rps,
)
from infadapter_operator.planning.reasons import explained
from infadapter_operator.planning.recourse import recourse_of, with_recourse
from infadapter_operator.planning.shortage import is_borne, is_under_way, surge_is_short
from infadapter_operator.planning.stabilization import lasting_in_place, stabilized
from infadapter_operator.planning.switching_cost import Switch, dwell_s
from infadapter_solver import Plan, Problem, evaluate

_FROM_LOAD = (Source.OPTIMAL, Source.GREEDY)

MOST_FOR_A_PATH = 0.05
"""
In objective, a mean over the dwell: what a plan with a growth path may be worth less once the load
has outgrown one. It pays for fast variants in place of accurate ones, and not for a start for which
much of what serves makes way.
"""


def decide(
    service: Service,
    history: History,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
    reserve_factor: float = 1.0,
    *,
    explains: bool = True,
) -> Decision:
    """
    The plan for the demand that the history lets expect, or the previous one where it still holds.

    `reserve_factor`: how many times the usual reserve, while the error budget burns; what is in
    force and does for that is then left for nothing that is only better, but for what rises are
    expected to miss of it.
    While the history is young, and when demand has outgrown the plan, capacity may only be added.
    """
    found = choose(service, history, observed, previous, now_s, reserve_factor)
    return with_reasons(service, observed, found, previous, explains=explains)


def choose(
    service: Service,
    history: History,
    observed: Observed,
    previous: Decision | None,
    now_s: float,
    reserve_factor: float = 1.0,
) -> Decision:
    """The same decision without its reasons, which take a solution for every variant."""
    demand = _demand(service, history, observed, now_s, reserve_factor)
    careful = reserve_factor > 1
    before = previous_plan(service, observed, demand, previous.plan) if previous else None
    outgrown = _outgrown(before, previous, now_s)
    if previous is not None and before is not None and before.is_in_a_rise(outgrown):
        demand = _extrapolated(service, observed, demand, previous, now_s)
    young = is_young(service, history)
    if before is not None and not young and before.is_kept_by_the_window:
        held = stabilized(before)
        if held is not None:
            problem = problem_for(service, observed, demand.kept_rps)
            switch = _switch(service, observed, problem, demand, now_s)
            plan = held if careful else _unless_more_accurate(held, switch)
            return _decision(demand, demand.kept_rps, plan, now_s)
    floor_rps = _floor_rps(before, young=young)
    if previous is None and young:
        floor_rps = sum(group.capacity_rps for group in adoptable(service, observed))
    problem = problem_for(service, observed, demand.rps, floor_rps)
    if before is None:
        best = solved(problem)
    else:
        switch = _switch(service, observed, problem, demand, now_s)
        noisy = _with_noise(problem)
        best = before.unbeaten(noisy) or _chosen(before, noisy, switch, floor_rps, careful=careful)
        if best.feasible:
            best = _with_recourse(best, switch, before)
        if best.feasible and best.capacity_rps > before.capacity_rps:
            best = _with_path(best, switch, before)
    found = _decision(demand, demand.rps, best, now_s)
    return replace(found, outgrown=0 if _is_borne_on(before, best) else outgrown)


def _outgrown(before: CurrentPlan | None, previous: Decision | None, now_s: float) -> int:
    """How many plans in turn the load has outgrown before they could be reached."""
    if before is None or previous is None or previous.source not in _FROM_LOAD:
        return 0
    is_soon = 0 < now_s - previous.decided_at_s <= REACHED_WITHIN_S
    return previous.outgrown + 1 if is_soon and before.is_outgrown else 0


def _is_borne_on(before: CurrentPlan | None, best: Plan) -> bool:
    """A plan that is not left is no further one, however much the load exceeds it."""
    return before is not None and best.feasible and best.groups == before.groups


def _extrapolated(
    service: Service,
    observed: Observed,
    demand: PlanningDemand,
    previous: Decision,
    now_s: float,
) -> PlanningDemand:
    """No more than the budget serves: nobody has asked for that yet."""
    age_s = now_s - previous.decided_at_s
    grown_rps = extrapolated_rps(previous.demand_rps, age_s, demand.now_rps)
    served_rps = _served_rps(service, observed, grown_rps)
    return replace(demand, rps=max(demand.rps, min(grown_rps, served_rps)))


def _served_rps(service: Service, observed: Observed, demand_rps: float) -> float:
    """What the budget serves of it."""
    most = solved(problem_for(service, observed, demand_rps))
    return sum(most.served_rps.values()) + untouchable_rps(service, observed)


def _demand(
    service: Service, history: History, observed: Observed, now_s: float, reserve_factor: float
) -> PlanningDemand:
    """With more reserve no more than the budget serves, for the same reason."""
    demand = planning_demand(service, history, now_s)
    if reserve_factor == 1:
        return demand
    grown = with_reserve(demand, reserve_factor)
    served_rps = _served_rps(service, observed, grown.rps) * (1 - 1e-9)
    return at_most(grown, max(demand.rps, served_rps))


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


def _with_noise(problem: Problem) -> Problem:
    """That what is planned also serves the noise of the rate of now."""
    return replace(problem, demand_rps=problem.demand_rps + slack_rps(problem.demand_rps))


def _lasting(problem: Problem, noisy: Problem) -> Plan:
    """The best that also serves the noise of the rate of now, if the budget allows one."""
    plan = solved(noisy)
    return plan if plan.feasible else solved(problem)


def _unless_more_accurate(held: Plan, switch: Switch) -> Plan:
    """
    What is kept within the window, or a more accurate plan that would do for all that the window
    saw: that is not for a load that is over, and a load that never rests would wait for ever.
    """
    best = solved(switch.problem)
    if not best.feasible or best.accuracy <= held.accuracy:
        return held
    kept = evaluate(switch.problem, held.groups)
    return best if switch.worth(best) - switch.worth(kept) > WORTH_MOVING else held


def _chosen(
    before: CurrentPlan, noisy: Problem, switch: Switch, floor_rps: float, *, careful: bool
) -> Plan:
    """
    The plan in force, the best one, or the best that starts nothing: by what each is worth. Who is
    careful stays, as long as the plan in force may; and all stay where to leave it misses more.
    """
    best = _lasting(switch.problem, noisy)
    waits = careful or is_under_way(before)
    if before.still_holds(best) or (waits and before.may_stay(best)):
        return before.kept(best)
    found = [best]
    nearby = lasting_in_place(before, floor_rps)
    if nearby.feasible >= best.feasible and nearby.groups:
        found.append(nearby)
    chosen = max(found, key=switch.worth)
    if not before.may_stay(best):
        return before.for_what_it_serves() if is_borne(before, chosen, switch) else chosen
    gain = switch.worth(chosen) - switch.worth(before.kept(best))
    return chosen if gain > WORTH_MOVING else before.kept(best)


def _with_path(best: Plan, switch: Switch, before: CurrentPlan) -> Plan:
    """
    With a growth path; before a load has outgrown anything, only one that serves as much, and then
    one that is worth nearly as much: where what serves would make way for its start, it waits.
    """
    found = with_growth_path(best, switch)
    if found is best or not before.is_outgrown:
        return found if found.capacity_rps >= best.capacity_rps else best
    return found if switch.worth(best) - switch.worth(found) <= MOST_FOR_A_PATH else best


def _with_recourse(best: Plan, switch: Switch, before: CurrentPlan) -> Plan:
    """With what the rises of the last half hour make it worth to have a way on for."""
    demand = before.demand
    if not surge_is_short(before.service):
        return best
    now = replace(switch, problem=before.problem(demand.now_rps))
    kept = before.kept(best) if before.may_stay(best) else None
    return with_recourse(best, kept, switch, recourse_of(now, demand.rates))


def _decision(demand: PlanningDemand, rps: float, plan: Plan, now_s: float) -> Decision:
    return Decision(
        plan=plan,
        decided_at_s=now_s,
        demand_rps=rps,
        forecast_rps=demand.forecast_rps,
        observed_rps=demand.observed_rps,
        source=Source.GREEDY if plan.gap > 0 else Source.OPTIMAL,
    )


def with_reasons(
    service: Service,
    observed: Observed,
    decision: Decision,
    previous: Decision | None,
    *,
    explains: bool = True,
) -> Decision:
    """
    With the reasons of the plan, which do not change while it is kept; of a new one only where it
    `explains`.
    """
    if previous and decision.plan is previous.plan and previous.source in _FROM_LOAD:
        return _with_reasons_of(decision, previous)
    if not explains:
        return decision
    return explained(service, problem_for(service, observed, decision.demand_rps), decision)


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


def _floor_rps(before: CurrentPlan | None, *, young: bool) -> float:
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
