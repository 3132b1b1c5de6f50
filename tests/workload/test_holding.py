"""What pods held, and for how long it was more than the budget."""

import pytest

from infadapter_workload.holding import Level, holding

HELD = [
    Level(at_s=-5.0, millicores=1000, cost=1.0),
    Level(at_s=2.0, millicores=1500, cost=1.5),
    Level(at_s=4.0, millicores=1200, cost=1.2),
    Level(at_s=6.0, millicores=500, cost=0.5),
    Level(at_s=7.0, millicores=1100, cost=1.1),
]


def test_cores_are_held_from_a_look_to_the_next_and_to_the_end() -> None:
    assert holding(HELD[:4], 800, 0.0, 10.0).core_seconds == pytest.approx(2 + 3 + 2.4 + 4 * 0.5)


def test_only_what_is_more_than_the_budget_is_over_it() -> None:
    found = holding(HELD, 1000, 0.0, 10.0)
    assert found.peak_cores == 1.5
    assert found.core_seconds_over_budget == pytest.approx(2 * 0.5 + 2 * 0.2 + 3 * 0.1)
    assert found.longest_over_budget_s == pytest.approx(4.0)


def test_a_moment_within_the_budget_ends_a_time_above_it() -> None:
    assert holding(HELD, 800, 0.0, 10.0).longest_over_budget_s == pytest.approx(6.0)
    assert holding(HELD, 800, 6.0, 9.0).longest_over_budget_s == pytest.approx(2.0)


def test_nothing_is_held_before_the_first_pod() -> None:
    assert holding([], 800, 0.0, 10.0).peak_cores == 0.0
    assert holding(HELD[4:], 800, 0.0, 10.0).cost_seconds == pytest.approx(3.3)
    assert holding(HELD[4:], 800, 0.0, 10.0).core_seconds == pytest.approx(3.3)
