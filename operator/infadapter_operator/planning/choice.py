"""
Choose among the current plan, the best one and the best one that starts nothing, by their value
over their dwell with the cost of the transition included.
"""

from dataclasses import replace

from infadapter_operator.planning.dwell import dwell_s
from infadapter_operator.planning.growth_path import with_growth_path
from infadapter_operator.planning.hysteresis import WORTH_MOVING, CurrentPlan
from infadapter_operator.planning.problem import solved
from infadapter_operator.planning.recourse import recourse_of, with_recourse
from infadapter_operator.planning.shortage import is_under_way, surge_is_short, tolerates_shortage
from infadapter_operator.planning.slack import with_noise
from infadapter_operator.planning.stabilization import lasting_in_place, stabilized
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import Plan, Problem, evaluate

MOST_FOR_A_PATH = 0.05
"""
Objective (a mean over the dwell) that a plan may give up for a growth path once the load has
outgrown a plan. It pays for fast variants in place of accurate ones.
"""


def kept_by_the_window(before: CurrentPlan, now_s: float, *, careful: bool) -> Plan | None:
    """
    Return the plan that the stabilisation window keeps after a fall in load, or None if it keeps
    none.
    """
    held = stabilized(before) if before.is_kept_by_the_window else None
    if held is None or careful:
        return held
    problem = before.problem(before.demand.kept_rps)
    return _unless_more_accurate(held, _switch(before, problem, now_s))


def chosen(before: CurrentPlan, problem: Problem, now_s: float, *, careful: bool) -> Plan:
    """
    Return the plan of most value.

    Where surge is short, a plan is also valued by its growth path for the next rise. Where every
    replacement can start beside what it replaces, every plan has such a path and the check is
    skipped.
    """
    noisy, short = with_noise(problem), surge_is_short(before.service)
    unbeaten = before.unbeaten(noisy)
    if unbeaten is not None and not short:
        return unbeaten
    switch = _switch(before, problem, now_s)
    best = unbeaten or _compared(before, noisy, switch, careful=careful)
    if best.feasible and short:
        best = _with_recourse(best, switch, before)
        if best.feasible and best.capacity_rps > before.capacity_rps:
            best = _with_path(best, switch, before)
    return best


def _switch(before: CurrentPlan, problem: Problem, now_s: float) -> Switch:
    return Switch(
        service=before.service,
        observed=before.observed,
        problem=problem,
        now_s=now_s,
        dwell_s=dwell_s(before.demand.rates, before.demand.now_rps),
    )


def _unless_more_accurate(held: Plan, switch: Switch) -> Plan:
    """
    Return the plan kept by the window, or a more accurate plan that serves everything the window
    saw.

    Such a plan is not made for a load that is over; and with a load that never rests the better
    plan would otherwise wait for ever.
    """
    best = solved(switch.problem)
    if not best.feasible or best.accuracy <= held.accuracy:
        return held
    kept = evaluate(switch.problem, held.groups)
    return best if switch.worth(best) - switch.worth(kept) > WORTH_MOVING else held


def _compared(before: CurrentPlan, noisy: Problem, switch: Switch, *, careful: bool) -> Plan:
    """
    Return the current plan, the best one, or the best one that starts nothing, by value.

    A `careful` caller keeps the current plan while it is allowed. Every caller keeps it if leaving
    it would miss more requests than staying.
    """
    best = _lasting(switch.problem, noisy)
    waits = careful or is_under_way(before)
    if before.still_holds(best) or (waits and before.may_stay(best)):
        return before.kept(best)
    candidates = [best]
    nearby = lasting_in_place(before, switch.problem.capacity_floor_rps)
    if nearby.feasible >= best.feasible and nearby.groups:
        candidates.append(nearby)
    found = max(candidates, key=switch.worth)
    if not before.may_stay(best):
        return before.for_what_it_serves() if tolerates_shortage(before, found, switch) else found
    gain = switch.worth(found) - switch.worth(before.kept(best))
    return found if gain > WORTH_MOVING else before.kept(best)


def _lasting(problem: Problem, noisy: Problem) -> Plan:
    """
    Return the best plan that also absorbs the noise of the current rate, if the budget allows one.
    """
    plan = solved(noisy)
    return plan if plan.feasible else solved(problem)


def _with_recourse(best: Plan, switch: Switch, before: CurrentPlan) -> Plan:
    """
    Return the plan, or one with a growth path if the rises of the last half hour make that worth
    more.
    """
    demand = before.demand
    now = replace(switch, problem=before.problem(demand.now_rps))
    kept = before.kept(best) if before.may_stay(best) else None
    return with_recourse(best, kept, switch, recourse_of(now, demand.rates))


def _with_path(best: Plan, switch: Switch, before: CurrentPlan) -> Plan:
    """
    Return the plan, or one with a growth path.

    Before the load has outgrown a plan, the path must not cost capacity. Afterwards it may cost
    `MOST_FOR_A_PATH`, but must not release more serving capacity than the best plan: requests of
    now are not given up for a rise that may come.
    """
    found = with_growth_path(best, switch)
    if found is best or not before.is_outgrown:
        return found if found.capacity_rps >= best.capacity_rps else best
    if switch.released_capacity_rps(found) > switch.released_capacity_rps(best):
        return best
    return found if switch.worth(best) - switch.worth(found) <= MOST_FOR_A_PATH else best
