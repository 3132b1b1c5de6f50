"""How much to keep in reserve for the next seconds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting.reserve import (
    MEMORY_S,
    exponential_mean,
    highest_need_rps,
    needed_soon,
)

SLO_S = 0.75


def test_a_steady_load_needs_next_to_no_reserve() -> None:
    rates = np.random.default_rng(1).poisson(60.0, MEMORY_S).astype(float)
    assert needed_soon(rates, SLO_S, 60.0, 0.98).rps < 66.0


def test_a_load_that_jumps_every_few_minutes_needs_one() -> None:
    rates = np.full(MEMORY_S, 20.0)
    for start in range(100, MEMORY_S, 200):
        rates[start : start + 60] = 100.0
    assert needed_soon(rates, SLO_S, 20.0, 0.99).rps > 60.0


def test_one_jump_in_half_an_hour_is_not_kept_in_reserve_for() -> None:
    rates = np.full(MEMORY_S, 45.0)
    rates[900:] = 150.0
    assert needed_soon(rates, SLO_S, 150.0, 0.98).rps < 160.0


def test_a_history_too_short_to_learn_from_leaves_a_deviation_of_room() -> None:
    assert needed_soon(np.full(5, 25.0), SLO_S, 25.0, 0.98).rps == pytest.approx(30.0)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=400), st.floats(0, 1e4))
def test_never_less_than_the_rate_of_now(rates: list[float], now_rps: float) -> None:
    assert needed_soon(np.array(rates), SLO_S, now_rps, 0.95).rps >= now_rps


def test_the_highest_need_is_that_of_the_window_alone() -> None:
    rates = np.concatenate([np.full(100, 90.0), np.full(40, 10.0)])
    assert highest_need_rps(rates, SLO_S, 20.0) < 11.0
    assert highest_need_rps(rates, SLO_S, 60.0) > 80.0


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=400))
def test_the_exponential_mean_is_that_of_a_loop(values: list[float]) -> None:
    keep = np.exp(-1 / 10.0)
    mean, wanted = float(np.mean(values[:10])), []
    for value in values:
        mean = keep * mean + (1 - keep) * value
        wanted.append(mean)
    assert exponential_mean(np.array(values), 10.0) == pytest.approx(wanted, abs=1e-6)
