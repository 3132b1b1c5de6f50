"""
A more accurate variant whose pods never come makes a plan with it, and one without; then one pod is
tried beside the plan, and a plan is made when it has come.
"""

from dataclasses import replace

import pytest

from benchmarks.always_arrive.loads import steps
from benchmarks.always_arrive.playing import Arrived, State, played
from benchmarks.always_arrive.states import levels, troubles

STATES = {state.name: state for state in troubles()}
PLANS_OF_A_LEVEL = 2


@pytest.fixture(scope="module", params=list(STATES.values()), ids=list(STATES))
def arrived(request: pytest.FixtureRequest) -> Arrived:
    state: State = request.param
    return played(state)


def test_it_makes_two_plans_in_ten_minutes(arrived: Arrived) -> None:
    assert arrived.plan_changes <= PLANS_OF_A_LEVEL


def test_nothing_is_missed_meanwhile_and_the_rest_has_a_name(arrived: Arrived) -> None:
    assert arrived.missed == 0
    assert arrived.end.startswith("as planned, ")


@pytest.mark.parametrize("cores", [4, 6])
def test_at_each_of_three_levels_of_load_it_makes_two_plans_at_most(cores: int) -> None:
    """Each attempt was a plan, and its end another, where the load left the failing pod no room."""
    rising, _ = levels((cores,), ("crash loop",))
    assert played(rising).plan_changes <= 3 * PLANS_OF_A_LEVEL


BACK_S = 400.0
RETRIED_S = 575.0
"""The fourth back-off ends at 559 s; then come an interval, a start of 5 s, and the exchange."""


def test_one_whose_cause_disappears_comes_back_with_one_plan_after_its_back_off() -> None:
    rising, _ = levels((4,), ("crash loop",), until_s=BACK_S)
    workload = steps((60, 30.0), (300, 30.0), (300, 60.0), from_s=60)
    found = played(replace(rising, workload=workload, event_s=BACK_S))
    assert (found.plan_changes, found.missed, found.end) == (1, 0, "as planned")
    assert found.reached_s is not None
    assert found.reached_s <= RETRIED_S - BACK_S


def test_one_that_was_waited_for_is_kept_when_it_comes() -> None:
    """It was taken down as it became Ready, since no plan had it, and started anew later."""
    rising, _ = levels((8,), ("crash loop",), until_s=200.0)
    workload = steps((60, 30.0), (300, 30.0), from_s=60)
    found = played(replace(rising, workload=workload))
    assert (found.plan_changes, len(found.starts_s), found.end) == (3, 2, "as planned")


def test_where_budget_and_surge_are_full_it_waits_at_a_rest_with_a_name() -> None:
    """Requests that are served now are not given up for a variant that may not come."""
    rising, _ = levels((4,), ("crash loop",), surge_cores=0)
    workload = steps((60, 70.0), (200, 70.0), from_s=60)
    found = played(replace(rising, workload=workload))
    assert (found.plan_changes, len(found.starts_s)) == (PLANS_OF_A_LEVEL, 2)
    assert found.end == "as planned, NoSurge"
