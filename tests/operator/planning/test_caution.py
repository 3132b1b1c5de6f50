"""Caution: what plans may give up while the error budget burns, and what not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.load import History, Sample
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.caution import (
    MOST_RESERVE,
    caution,
    decide_with_caution,
    reserve_factor,
    trade_allowed,
)
from infadapter_operator.planning.decide import decide
from infadapter_operator.planning.planning_demand import (
    Load,
    PlanningDemand,
    at_most,
    measured_load,
    with_reserve,
)
from infadapter_operator.planning.problem import problem_for
from infadapter_solver import Plan, evaluate
from tests.builders import GROUPED, SMALL, a_pod, a_service

NOTHING = Observed()


def steady(rps: float) -> History:
    return History(tuple(Sample(float(at_s), rps) for at_s in range(1, 601)))


def load(rps: float) -> Load:
    return measured_load(a_service(), steady(rps))


def decided(
    pressure: float,
    rps: float = 20.0,
    previous: Decision | None = None,
    service: Service | None = None,
    observed: Observed = NOTHING,
) -> Decision:
    known = service or a_service()
    return decide_with_caution(known, load(rps), observed, previous, 600.0, pressure)


# --- levels -------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_pressure_is_never_less_caution(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert caution(less) <= caution(more)
    assert 1 <= reserve_factor(less) <= reserve_factor(more) <= MOST_RESERVE
    assert 1 >= trade_allowed(less) >= trade_allowed(more) >= 0


def test_pressure_counts_by_whole_levels() -> None:
    assert [caution(p) for p in (0.0, 0.12, 0.13, 0.37, 0.9, 1.0)] == [
        0.0,
        0.0,
        0.25,
        0.25,
        1.0,
        1.0,
    ]
    assert (reserve_factor(0.0), trade_allowed(0.0)) == (1.0, 1.0)
    assert (reserve_factor(1.0), trade_allowed(1.0)) == (MOST_RESERVE, 0.0)


# --- reserve ------------------------------------------------------------------------------------

DEMAND = PlanningDemand(
    rps=60.0,
    least_rps=55.0,
    kept_rps=80.0,
    forecast_rps=60.0,
    observed_rps=80.0,
    now_rps=40.0,
    rates=np.array([40.0]),
)


def test_the_reserve_is_multiplied_and_the_rate_of_now_is_what_it_is() -> None:
    more = with_reserve(DEMAND, 2.0)
    assert (more.rps, more.least_rps, more.kept_rps) == (80.0, 75.0, 80.0)
    assert (more.now_rps, more.forecast_rps, more.observed_rps) == (40.0, 60.0, 80.0)
    assert with_reserve(DEMAND, 1.0) == DEMAND


def test_a_steady_load_has_a_reserve_to_multiply() -> None:
    steadily = replace(
        DEMAND, rps=40.0, least_rps=40.0, kept_rps=40.0, forecast_rps=40.0, observed_rps=40.0
    )
    assert with_reserve(steadily, 3.0).rps == pytest.approx(48.0)


def test_a_bound_takes_the_reserve_and_nothing_that_was_seen() -> None:
    bounded = at_most(with_reserve(DEMAND, 3.0), 65.0)
    assert (bounded.rps, bounded.least_rps, bounded.kept_rps) == (65.0, 65.0, 80.0)


# --- decisions ----------------------------------------------------------------------------------


def test_without_pressure_it_is_the_decision_of_before() -> None:
    assert decided(0.0) == decide(a_service(), load(20.0), NOTHING, None, 600.0)


@settings(deadline=None, max_examples=30)
@given(st.floats(1.0, 300.0), st.floats(0.01, 1.0))
def test_pressure_makes_no_demand_that_the_budget_can_not_serve(
    rps: float, pressure: float
) -> None:
    calm, careful = decided(0.0, rps), decided(pressure, rps)
    assert careful.plan.feasible == calm.plan.feasible
    assert careful.demand_rps >= calm.demand_rps - 1e-9
    assert careful.plan.capacity_rps >= careful.demand_rps - 1e-6 or not careful.plan.feasible


@settings(deadline=None, max_examples=30)
@given(st.floats(1.0, 100.0), st.floats(0.0, 1.0))
def test_what_is_said_of_a_plan_is_what_its_variants_are(rps: float, pressure: float) -> None:
    found = decided(pressure, rps)
    problem = problem_for(a_service(), NOTHING, found.demand_rps)
    assert found.plan.accuracy == pytest.approx(evaluate(problem, found.plan.groups).accuracy)


def test_under_full_pressure_the_cheapest_capacity_is_planned() -> None:
    calm, careful = decided(0.0, 12.0), decided(1.0, 12.0)
    assert {g.target.variant for g in careful.plan.groups} == {"small"}
    assert {g.target.variant for g in calm.plan.groups} != {"small"}
    assert "8 × the reserve, and accuracy with 0% of its weight" in careful.why[-1]


def test_at_first_only_the_reserve_grows() -> None:
    assert [trade_allowed(level) for level in (0.25, 0.5, 0.75, 1.0)] == [1.0, 1.0, 0.5, 0.0]
    assert [reserve_factor(level) for level in (0.25, 0.5, 0.75, 1.0)] == [2.75, 4.5, 6.25, 8.0]
    assert decided(0.25, 12.0).why[-1] == "the error budget burns: planned with 2.75 × the reserve"


def test_a_plan_that_is_kept_is_the_same_object_with_the_same_reasons() -> None:
    first = decided(1.0, 12.0)
    pods = tuple(
        a_pod(f"{g.target.variant}-{n}", g.allocation.cpu_millicores)
        for g in first.plan.groups
        for n in range(g.pods)
    )
    again = decided(1.0, 12.0, previous=first, observed=Observed(pods=pods))
    assert again.plan is first.plan
    assert again.why == first.why


def test_a_plan_of_variants_that_are_gone_is_left() -> None:
    first = decided(0.0, 12.0)
    others = tuple(
        v
        for v in a_service().variants
        if v.name not in {g.target.variant for g in first.plan.groups}
    )
    found = decided(0.5, 12.0, previous=first, service=a_service(variants=others))
    assert {g.target.variant for g in found.plan.groups} <= {v.name for v in others}


def test_a_plan_that_does_is_left_for_a_better_one_only_without_pressure() -> None:
    first = decided(1.0, 12.0)
    pods = tuple(
        a_pod(f"{g.target.variant}-{n}", g.allocation.cpu_millicores)
        for g in first.plan.groups
        for n in range(g.pods)
    )
    there = Observed(pods=pods)
    careful = decided(0.25, 12.0, previous=first, observed=there)
    assert careful.plan.groups == first.plan.groups
    calm = decided(0.0, 12.0, previous=first, observed=there)
    assert calm.plan.accuracy > first.plan.accuracy


# --- operating points ----------------------------------------------------------------------------

MIXED = a_service(variants=(GROUPED, SMALL))
"""A variant with operating points, which answers less accurately at higher load, and another."""


def exact(plan: Plan) -> Plan:
    """Return the plan evaluated without caution."""
    return evaluate(problem_for(MIXED, NOTHING, sum(plan.served_rps.values())), plan.groups)


@pytest.mark.parametrize("rps", [8.0, 30.0, 90.0, 140.0])
@pytest.mark.parametrize("pressure", [0.25, 0.75, 1.0])
def test_caution_tells_points_as_accurate_as_they_are(rps: float, pressure: float) -> None:
    careful = decided(pressure, rps, service=MIXED)
    known = {a.size: a.points for a in GROUPED.allocations}
    for group in careful.plan.groups:
        assert group.allocation.points == (
            known[group.allocation.size] if group.target.variant == "grouped" else ()
        )
    assert careful.plan.accuracy == pytest.approx(exact(careful.plan).accuracy)


@pytest.mark.parametrize("pressure", [0.25, 0.75, 1.0])
def test_a_plan_with_points_is_kept_by_caution_as_it_stands(pressure: float) -> None:
    """If nothing changes, the plan must be the same object: nothing to report, no pod to move."""
    first = decided(pressure, 30.0, service=MIXED)
    pods = tuple(
        a_pod(f"{group.target.variant}-{n}", group.allocation.cpu_millicores)
        for group in first.plan.groups
        for n in range(group.pods)
    )
    again = decided(pressure, 30.0, first, MIXED, Observed(pods=pods))
    assert again.plan is first.plan
