"""The vertical limit: the capacity that a plan's pods can reach by resizes, and its use."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning import growth_path
from infadapter_operator.planning.growth_path import (
    vertical_limit_rps,
    with_growth_path,
    with_standby,
)
from infadapter_operator.planning.problem import problem_for, solved
from infadapter_operator.planning.shortage import surge_is_short
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import Objective, Plan, PodGroup
from infadapter_solver.problem import CPU, Allocation, PodSize, Target, Variant
from tests.builders import a_pod, a_service

NOTHING = Observed()
CORES = range(1, 17)


def variant(name: str, accuracy: float, a_core_rps: float) -> Variant:
    return Variant(
        name=name,
        accuracy=accuracy,
        load_time_s=8.0,
        allocations=tuple(
            Allocation(size=PodSize(resources={CPU: 1000 * n}), capacity_rps=a_core_rps * n)
            for n in CORES
        ),
    )


def service(surge: int = 0) -> Service:
    return replace(
        a_service(variants=(variant("fast", 0.70, 20.0), variant("slow", 0.80, 10.0))),
        max_surge={CPU: surge},
        objective=Objective(budget={CPU: 8000}, cost_weight=0.01, loading_weight=0.0),
    )


def group(name: str, cores: int, pods: int = 1) -> PodGroup:
    of = next(v for v in service().variants if v.name == name)
    return PodGroup(target=Target(name), allocation=of.allocations[cores - 1], pods=pods)


def switch_of(asked: Service, demand_rps: float) -> Switch:
    return Switch(
        service=asked,
        observed=NOTHING,
        problem=problem_for(asked, NOTHING, demand_rps),
        now_s=100.0,
        dwell_s=30.0,
    )


def planned(asked: Service, demand_rps: float) -> tuple[Plan, Plan]:
    best = solved(problem_for(asked, NOTHING, demand_rps))
    return best, with_growth_path(best, switch_of(asked, demand_rps))


@given(
    slow=st.integers(0, 2),
    fast=st.integers(0, 2),
    surge=st.sampled_from([0, 2000, 8000]),
)
def test_the_limit_is_that_of_brute_force(slow: int, fast: int, surge: int) -> None:
    groups = tuple(group(n, 1, pods) for n, pods in (("slow", slow), ("fast", fast)) if pods)
    cores = (8000 + surge) // 1000
    sizes = [
        (s, f)
        for s in range(min(slow * 16, cores) + 1)
        for f in range(min(fast * 16, cores) + 1)
        if s + f <= cores
    ]
    expected = max(10.0 * s + 20.0 * f for s, f in sizes)
    assert vertical_limit_rps(service(surge), NOTHING, groups) == pytest.approx(expected)


def test_accurate_pods_that_fill_the_budget_get_a_standby_that_can_take_over() -> None:
    best, plan = planned(service(), 55.0)
    assert {g.target.variant for g in best.groups} == {"slow"}
    assert {g.target.variant for g in plan.groups} == {"fast", "slow"}
    assert plan.feasible
    assert vertical_limit_rps(service(), NOTHING, plan.groups) >= 0.9 * 8 * 20.0


def test_a_plan_that_gets_far_enough_by_itself_stays() -> None:
    best, plan = planned(service(), 155.0)
    assert plan is best


@settings(deadline=None)  # the first one of a process takes longer
@given(demand_rps=st.floats(1.0, 159.0), surge=st.integers(8000, 16_000))
def test_where_a_successor_can_start_beside_it_a_plan_needs_no_standby(
    demand_rps: float, surge: int
) -> None:
    """With enough surge for every replacement, the best plan is chosen unchanged."""
    assert not surge_is_short(service(surge))
    best, plan = planned(service(surge), demand_rps)
    assert plan is best


@settings(deadline=None)  # the first one of a process takes longer
@given(demand_rps=st.floats(1.0, 159.0), surge=st.sampled_from([0, 1000, 4000]))
def test_no_plan_with_a_standby_serves_less_or_gets_less_far(demand_rps: float, surge: int) -> None:
    asked = service(surge)
    best, plan = planned(asked, demand_rps)
    assert plan.feasible == best.feasible
    assert sum(g.resources[CPU] for g in plan.groups) <= 8000
    assert vertical_limit_rps(asked, NOTHING, plan.groups) >= vertical_limit_rps(
        asked, NOTHING, best.groups
    )


@settings(deadline=None)
@given(slow=st.integers(0, 2), fast=st.integers(0, 2), held=st.integers(0, 9))
def test_beside_what_else_is_held_the_limit_is_that_of_a_smaller_surge(
    slow: int, fast: int, held: int
) -> None:
    groups = tuple(group(n, 1, pods) for n, pods in (("slow", slow), ("fast", fast)) if pods)
    beside = {CPU: 1000 * held, "memory": 512}
    found = vertical_limit_rps(service(2000), NOTHING, groups, beside)
    cores = max(0, 10 - held)
    smaller = replace(service(), objective=Objective(budget={CPU: 1000 * cores}, cost_weight=0.01))
    assert found == pytest.approx(vertical_limit_rps(smaller, NOTHING, groups))


@settings(deadline=None)
@given(
    demand_rps=st.floats(1.0, 200.0),
    running=st.lists(st.tuples(st.sampled_from(["slow", "fast"]), st.integers(1, 4)), max_size=4),
)
def test_no_standby_is_left_out_that_would_do(
    demand_rps: float, running: list[tuple[str, int]]
) -> None:
    pods = tuple(a_pod(f"{name}-{at}", 1000 * cores) for at, (name, cores) in enumerate(running))
    observed = Observed(pods=pods)
    asked = service()
    problem = problem_for(asked, observed, demand_rps)
    for least_rps in (0.1, demand_rps):
        switch = Switch(
            service=asked, observed=observed, problem=problem, now_s=100.0, dwell_s=30.0
        )
        found = list(with_standby(switch, least_rps))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(growth_path, "ROUNDED_UP", 1e6)  # no candidate is left out
            switch = replace(switch)
            assert found == list(with_standby(switch, least_rps))
