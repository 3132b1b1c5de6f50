"""Pods released to make room for starts, and no capacity released for uncertain growth."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.choice import chosen
from infadapter_operator.planning.hysteresis import CurrentPlan, previous_plan
from infadapter_operator.planning.making_way import released_capacity_rps
from infadapter_operator.planning.problem import problem_for
from infadapter_solver import Plan, evaluate
from infadapter_solver.problem import CPU, Objective, PodGroup, Target
from tests.builders import LARGE, SMALL, a_pod, a_service, a_steady_demand, sizes

CORES = range(1, 9)
MIDDLE = replace(
    LARGE, name="middle", accuracy=0.75, allocations=sizes(12, *(1000 * n for n in CORES))
)
SLOW = replace(LARGE, name="slow", allocations=sizes(10, *(1000 * n for n in CORES)))
FAST = replace(SMALL, name="fast", load_time_s=7.0, allocations=sizes(20, *range(2000, 8001, 1000)))
KNOWN = {variant.name: variant for variant in (MIDDLE, SLOW, FAST)}


def service(surge: int = 0) -> Service:
    return replace(
        a_service(variants=(FAST, MIDDLE, SLOW)),
        max_surge={CPU: surge},
        objective=Objective(budget={CPU: 8000}, cost_weight=0.01, loading_weight=0.0),
    )


def plan(**cores: int) -> Plan:
    groups = (
        PodGroup(
            target=Target(name),
            allocation=next(a for a in KNOWN[name].allocations if a.cpu_millicores == 1000 * n),
            pods=1,
        )
        for name, n in cores.items()
        if n
    )
    return evaluate(problem_for(service(), Observed(), 50.0), tuple(groups))


def lost(millicores: int, ready: tuple[Pod, ...], **planned: int) -> float:
    return released_capacity_rps(service(), ready, plan(**planned), millicores)


def test_what_is_not_planned_shrinks_as_far_as_room_is_lacking() -> None:
    assert lost(2000, (a_pod("slow-1", 5000),), fast=2) == pytest.approx(20.0)


def test_a_pod_without_a_smaller_size_goes_whole() -> None:
    assert lost(1000, (a_pod("fast-1", 2000),), slow=6) == pytest.approx(40.0)


def test_what_is_planned_as_it_is_makes_no_way() -> None:
    pods = (a_pod("slow-1", 4000), a_pod("fast-1", 2000))
    assert lost(2000, pods, slow=4, middle=2) == pytest.approx(40.0)


def test_where_one_is_not_enough_several_make_way() -> None:
    pods = (a_pod("slow-1", 1000), a_pod("middle-1", 1000))
    assert lost(2000, pods, fast=2) == pytest.approx(10.0 + 12.0)


def test_a_pod_without_cpu_frees_nothing_and_is_left_out() -> None:
    pods = (a_pod("slow-1", 1000), a_pod("middle-1", 0))
    assert lost(2000, pods, fast=2) == pytest.approx(10.0)


@given(slow=st.integers(1, 4), middle=st.integers(1, 4), kept=st.integers(0, 4))
def test_what_makes_way_is_the_least_that_brute_force_finds(
    slow: int, middle: int, kept: int
) -> None:
    pods = (a_pod("slow-1", 1000 * slow), a_pod("middle-1", 1000 * middle))
    least = min(slow, kept)
    found = lost(1000, pods, slow=kept, fast=2)
    ways = product(range(least, slow + 1), range(middle + 1))
    wanted = min(10.0 * (slow - s) + 12.0 * (middle - m) for s, m in ways if s + m < slow + middle)
    assert found == pytest.approx(wanted)


THERE = Observed(
    pods=(a_pod("slow-1", 4000), a_pod("middle-1", 4000)),
    weights={"slow-1": 1, "middle-1": 1},
)


def outgrown(asked: Service, needed_rps: float) -> CurrentPlan:
    """Return the current plan at a steady load slightly beyond its capacity."""
    demand = a_steady_demand(needed_rps, 1200)
    return previous_plan(asked, THERE, demand, plan(slow=4, middle=4))


def planned(surge: int) -> Plan:
    before = outgrown(service(surge), 90.0)
    assert before.is_outgrown
    return chosen(before, before.problem(90.0), 100.0, careful=False)


def test_no_growth_path_is_taken_for_which_what_serves_makes_way() -> None:
    found = planned(surge=0)
    assert found.feasible
    assert Target("fast") not in {group.target for group in found.groups}


def test_a_growth_path_that_starts_beside_what_serves_is() -> None:
    assert Target("fast") in {group.target for group in planned(surge=2000).groups}
