"""The recourse of a plan: after rises, growth by resizes is worth something."""

from dataclasses import replace

import numpy as np

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.growth_path import vertical_limit_rps
from infadapter_operator.planning.problem import problem_for, solved
from infadapter_operator.planning.recourse import Recourse, recourse_of, with_recourse
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import Objective, Plan, PodGroup, evaluate
from infadapter_solver.problem import CPU, Allocation, PodSize, Target, Variant
from tests.builders import a_pod, a_service

NOTHING = Observed()


def variant(name: str, accuracy: float, a_core_rps: float) -> Variant:
    sizes = (
        Allocation(size=PodSize(resources={CPU: 1000 * n}), capacity_rps=a_core_rps * n)
        for n in range(1, 9)
    )
    return Variant(name=name, accuracy=accuracy, load_time_s=8.0, allocations=tuple(sizes))


def service(surge: int = 0) -> Service:
    return replace(
        a_service(variants=(variant("fast", 0.70, 20.0), variant("slow", 0.80, 10.0))),
        max_surge={CPU: surge},
        objective=Objective(budget={CPU: 8000}, cost_weight=0.01, loading_weight=0.0),
    )


def rising_to(high_rps: float) -> np.ndarray:
    rates = np.full(1800, 30.0)
    for start in range(100, 1700, 300):
        rates[start : start + 100] = high_rps
    return rates


def planned(asked: Service, rates: np.ndarray, *, kept: Plan | None = None) -> tuple[Plan, Plan]:
    problem = problem_for(asked, NOTHING, 55.0)
    best = solved(problem)
    switch = Switch(service=asked, observed=NOTHING, problem=problem, now_s=100.0, dwell_s=60.0)
    return best, with_recourse(best, kept, switch, recourse(asked, rates))


def recourse(asked: Service, rates: np.ndarray) -> Recourse:
    problem = problem_for(asked, NOTHING, 30.0)
    now = Switch(service=asked, observed=NOTHING, problem=problem, now_s=100.0, dwell_s=60.0)
    return recourse_of(now, rates)


def test_where_the_load_rises_again_and_again_the_plan_has_a_way_on() -> None:
    best, plan = planned(service(), rising_to(130.0))
    assert {g.target.variant for g in best.groups} == {"slow"}
    assert {g.target.variant for g in plan.groups} == {"fast", "slow"}
    assert plan.feasible
    assert vertical_limit_rps(service(), NOTHING, plan.groups) >= 130.0


def test_what_was_seen_within_reach_of_the_plan_changes_nothing() -> None:
    best, plan = planned(service(), rising_to(70.0))
    assert plan is best


def test_one_rise_in_half_an_hour_is_not_prepared_for() -> None:
    rates = np.full(1800, 30.0)
    rates[1000:1005] = 85.0
    best, plan = planned(service(), rates)
    assert plan is best


def test_a_plan_in_force_that_has_a_way_on_stays() -> None:
    _, kept = planned(service(), rising_to(130.0))
    _, plan = planned(service(), rising_to(130.0), kept=kept)
    assert plan is kept


def test_what_another_controller_s_pods_serve_of_a_rise_is_not_missed() -> None:
    asked = service()
    theirs = Observed(pods=(a_pod("fast-1", 4000),), untouchable=frozenset({Target("fast")}))
    problem = problem_for(asked, theirs, 110.0)
    plan = solved(problem)
    assert plan.feasible

    def cost(high_rps: float) -> float:
        now = Switch(service=asked, observed=theirs, problem=problem, now_s=100.0, dwell_s=60.0)
        return recourse_of(now, rising_to(high_rps)).cost(plan)

    assert cost(110.0) == 0.0 < cost(150.0)


def test_more_room_makes_the_recourse_of_a_plan_no_dearer() -> None:
    rates = rising_to(130.0)
    plan = solved(problem_for(service(), NOTHING, 55.0))
    costs = [recourse(service(surge), rates).cost(plan) for surge in (0, 2000, 4000, 8000)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 0


def test_a_start_for_which_what_serves_makes_way_is_worth_less_than_one_that_has_room() -> None:
    fast, slow = service().variants
    from_two_cores = replace(
        fast, allocations=fast.allocations[1:]
    )  # a smaller one would have room

    def worth(surge: int) -> float:
        asked = replace(service(surge), variants=(from_two_cores, slow))
        full = Observed(pods=(a_pod("slow-1", 8000),), weights={"slow-1": 1})
        problem = problem_for(asked, full, 75.0)
        switch = Switch(service=asked, observed=full, problem=problem, now_s=100.0, dwell_s=30.0)
        groups = (("slow", 5), ("fast", 2))
        return switch.worth(evaluate(problem, [group(asked, *each) for each in groups]))

    assert worth(0) < worth(1000) < worth(2000)


def group(asked: Service, name: str, cores: int) -> PodGroup:
    known = next(variant for variant in asked.variants if variant.name == name)
    size = next(a for a in known.allocations if a.cpu_millicores == 1000 * cores)
    return PodGroup(target=Target(name), allocation=size, pods=1)


def test_the_first_pod_of_a_target_may_start_at_its_smallest_and_others_at_their_size() -> None:
    asked = service()
    held = Observed(pods=(a_pod("fast-1", 2000),), weights={"fast-1": 1})
    problem = problem_for(asked, held, 75.0)
    switch = Switch(service=asked, observed=held, problem=problem, now_s=100.0, dwell_s=30.0)
    two_fast = replace(group(asked, "fast", 2), pods=2)
    plan = evaluate(problem, [two_fast, group(asked, "slow", 4)])
    assert switch.first_starts(plan) == {Target("slow"): {CPU: 1000}, Target("fast"): {CPU: 2000}}
