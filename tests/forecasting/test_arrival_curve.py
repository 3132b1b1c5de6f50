"""What capacity arrivals need, held against a queue that is emptied second by second."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting.reserve import (
    WAIT_SHARE,
    WINDOWS_S,
    highest_ahead,
    latest_need_rps,
    needs,
)

SLO_S = 0.75
ROOM_S = WAIT_SHARE * SLO_S

rates_lists = st.lists(st.floats(0, 500), min_size=1, max_size=60)


def test_a_steady_load_needs_little_less_than_its_rate() -> None:
    steady = needs(np.full(60, 53.0), SLO_S)
    assert steady[-1] == pytest.approx(53.0 * 10 / (10 + ROOM_S))


def test_a_single_second_of_twice_the_load_needs_no_more() -> None:
    rates = np.full(60, 50.0)
    rates[30] = 80.0
    assert needs(rates, SLO_S).max() == pytest.approx(80 / 1.6, rel=0.1)
    assert needs(rates, SLO_S).max() < 53.0


def test_ten_such_seconds_do() -> None:
    rates = np.full(60, 50.0)
    rates[30:40] = 80.0
    assert needs(rates, SLO_S).max() > 75.0


@given(rates_lists)
def test_the_need_of_now_is_the_last_of_all(rates: list[float]) -> None:
    every = needs(np.array(rates), SLO_S, WINDOWS_S)
    assert latest_need_rps(rates, SLO_S, WINDOWS_S) == every[-1]


@given(rates_lists)
def test_a_server_of_that_capacity_makes_nobody_wait_longer_than_allowed(
    rates: list[float],
) -> None:
    """Over every window that is looked at: what is left over fits into the waiting time."""
    capacity = max(needs(np.array(rates), SLO_S).max(), 1e-9)
    for window in WINDOWS_S:
        for last in range(window, len(rates) + 1):
            arrived = sum(rates[last - window : last])
            assert arrived - capacity * window <= capacity * ROOM_S * (1 + 1e-9)


@given(rates_lists, st.floats(0.1, 10))
def test_needs_grow_in_proportion(rates: list[float], factor: float) -> None:
    once = needs(np.array(rates), SLO_S)
    assert needs(factor * np.array(rates), SLO_S) == pytest.approx(factor * once, abs=1e-9)


@given(st.lists(st.floats(0, 100), max_size=30), st.integers(1, 8))
def test_the_highest_ahead_is_that_of_the_next_values(values: list[float], horizon: int) -> None:
    found = highest_ahead(np.array(values), horizon)
    wanted = [max(values[i + 1 : i + 1 + horizon]) for i in range(len(values) - horizon)]
    assert list(found) == wanted
