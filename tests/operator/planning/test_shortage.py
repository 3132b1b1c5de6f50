"""A shortage is borne if the transition would miss more requests; starts are waited for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_forecasting.forecaster import Rates
from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.hysteresis import CurrentPlan, previous_plan
from infadapter_operator.planning.problem import problem_for
from infadapter_operator.planning.shortage import is_under_way, tolerates_shortage
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import Plan, evaluate
from infadapter_solver.problem import CPU, Objective, PodGroup, Target
from tests.builders import LARGE, SMALL, a_pod, a_service, a_steady_demand, sizes

SLOW = replace(LARGE, name="slow", allocations=sizes(10, *range(1000, 8001, 1000)))
FAST = replace(SMALL, name="fast", load_time_s=7.0, allocations=sizes(20, *range(1000, 8001, 1000)))
FULL = Observed(pods=(a_pod("slow-1", 8000),), weights={"slow-1": 1})


def service(surge: int = 0) -> Service:
    return replace(
        a_service(variants=(FAST, SLOW)),
        max_surge={CPU: surge},
        objective=Objective(budget={CPU: 8000}, cost_weight=0.01, loading_weight=0.0),
    )


def groups(**cores: int) -> tuple[PodGroup, ...]:
    known = {"fast": FAST, "slow": SLOW}
    return tuple(
        PodGroup(target=Target(name), allocation=known[name].allocations[n - 1], pods=1)
        for name, n in cores.items()
    )


def plan(asked: Service, rps: float, **cores: int) -> Plan:
    return evaluate(problem_for(asked, FULL, rps), groups(**cores))


def in_force(
    asked: Service,
    needed_rps: float,
    observed: Observed = FULL,
    *,
    rate_rps: float | None = None,  # default: the needed rate
    rates: Rates | None = None,  # default: ten minutes at that rate
) -> CurrentPlan:
    demand = a_steady_demand(needed_rps, 600, rate_rps=rate_rps)
    if rates is not None:
        demand = replace(demand, rates=rates)
    return previous_plan(asked, observed, demand, plan(asked, 79.0, slow=8))


def borne(
    needed_rps: float,
    *,
    surge: int = 0,
    dwell_s: float = 30.0,
    rate_rps: float | None = None,
    rates: Rates | None = None,
) -> bool:
    asked = service(surge)
    before = in_force(asked, needed_rps, rate_rps=rate_rps, rates=rates)
    switch = Switch(
        service=asked,
        observed=FULL,
        problem=before.problem(needed_rps),
        now_s=100.0,
        dwell_s=dwell_s,
    )
    return tolerates_shortage(before, plan(asked, needed_rps, slow=5, fast=3), switch)


def test_a_load_that_exceeds_a_full_plan_by_little_is_borne() -> None:
    assert borne(82.0)


def test_a_load_that_exceeds_it_by_much_is_not() -> None:
    assert not borne(105.0)


def test_a_load_that_has_lasted_is_not_borne_any_longer() -> None:
    assert not borne(82.0, dwell_s=600.0)


def lately(rps: float, seconds: int) -> Rates:
    """Return rates of ten minutes at 75 rps, with the last `seconds` at `rps`."""
    return np.concatenate([np.full(600 - seconds, 75.0), np.full(seconds, rps)])


def test_an_excess_that_is_new_in_an_old_level_is_borne() -> None:
    assert borne(83.0, dwell_s=600.0, rates=lately(83.0, 30))


def test_an_excess_that_has_cost_as_much_as_the_way_is_not_borne_any_longer() -> None:
    assert not borne(83.0, dwell_s=600.0, rates=lately(83.0, 120))


def test_a_jump_is_not_borne_although_nothing_has_been_missed_yet() -> None:
    assert not borne(105.0, dwell_s=600.0, rates=lately(105.0, 2))


def test_the_noise_of_single_seconds_is_no_excess() -> None:
    noisy = np.tile([100.0, 56.0], 300)
    assert borne(81.0, dwell_s=600.0, rates=noisy)


def test_for_a_reserve_alone_nothing_makes_way_that_is_needed() -> None:
    assert borne(90.0, rate_rps=75.0, dwell_s=600.0)


def test_a_reserve_is_kept_where_that_misses_nothing() -> None:
    assert not borne(90.0, rate_rps=60.0)


@pytest.mark.parametrize("needed_rps", [81.0, 90.0, 105.0])
def test_where_a_successor_starts_beside_nothing_is_borne(needed_rps: float) -> None:
    assert not borne(needed_rps, surge=8000)


@settings(deadline=None)
@given(st.floats(80.5, 109), st.floats(0, 20), st.floats(30, 600), st.floats(0, 300))
def test_what_is_not_borne_is_not_where_it_is_more_or_lasts_longer(
    needed_rps: float, more_rps: float, dwell_s: float, longer_s: float
) -> None:
    if not borne(needed_rps, dwell_s=dwell_s):
        most_rps = min(needed_rps + more_rps, 109.0)  # capacity of the other plan
        assert not borne(most_rps, dwell_s=min(600.0, dwell_s + longer_s))


def starting(name: str, *, surge: int = 0, needed_rps: float = 55.0) -> bool:
    pods: tuple[Pod, ...] = (a_pod("slow-1", 6000), a_pod(f"{name}-1", 2000, ready=False))
    asked = service(surge)
    before = in_force(asked, needed_rps, Observed(pods=pods, weights={"slow-1": 1}))
    return is_under_way(replace(before, groups=groups(slow=6, fast=2)))


def test_a_plan_is_under_way_while_what_it_starts_is_not_ready() -> None:
    assert starting("fast")


def test_what_starts_is_not_waited_for_where_what_is_ready_does_not_do() -> None:
    assert not starting("fast", needed_rps=70.0)


def test_what_starts_for_no_plan_is_not_waited_for() -> None:
    assert not starting("other")


def test_where_all_can_start_beside_nothing_is_waited_for() -> None:
    assert not starting("fast", surge=8000)
