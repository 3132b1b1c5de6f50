"""A more accurate variant whose pods never come makes a plan with it, and one without."""

import pytest

from benchmarks.always_arrive.playing import Arrived, State, played
from benchmarks.always_arrive.states import troubles

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
