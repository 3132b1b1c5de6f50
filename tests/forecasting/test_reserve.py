"""How much to keep in reserve for the next seconds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting.noise import SURPRISE_SIGMAS
from infadapter_forecasting.reserve import (
    MEMORY_S,
    USUAL_S,
    exponential_mean,
    highest_need_rps,
    needed_soon,
    usual_rps,
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
def test_the_usual_rate_is_that_of_a_loop(values: list[float]) -> None:
    for end in range(1, len(values) + 1, 37):
        wanted = float(np.mean(values[max(0, end - USUAL_S[0]) : end]))
        for window in USUAL_S[1:]:
            shorter = values[max(0, end - window) : end]
            mean = float(np.mean(shorter))
            noise = np.sqrt(max(mean, wanted) / len(shorter))
            if abs(mean - wanted) > SURPRISE_SIGMAS * noise + 1e-6:
                wanted = mean
            elif abs(mean - wanted) > SURPRISE_SIGMAS * noise - 1e-6:
                return  # rounding decides
        assert usual_rps(np.array(values))[0][end - 1] == pytest.approx(wanted, abs=1e-6)


def test_the_reserve_for_a_steady_load_stays_while_its_noise_does_not() -> None:
    """Of Poisson arrivals; its deviation was 1.6 rps with the mean of ten seconds as the usual."""
    rates = np.random.default_rng(2).poisson(60.0, 2 * MEMORY_S).astype(float)
    wanted = [
        needed_soon(rates[:end], SLO_S, float(rates[end - 30 : end].mean()), 0.98).rps
        for end in range(MEMORY_S, len(rates), 20)
    ]
    assert np.std(wanted) < 0.8


@pytest.mark.parametrize("after_s", [15, 60])
def test_the_usual_rate_follows_a_change_in_seconds(after_s: int) -> None:
    rates = np.random.default_rng(3).poisson(60.0, 1200).astype(float)
    rates[-after_s:] = np.random.default_rng(4).poisson(90.0, after_s)
    assert usual_rps(rates)[0][-1] == pytest.approx(90.0, rel=0.1)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=400))
def test_the_exponential_mean_is_that_of_a_loop(values: list[float]) -> None:
    keep = np.exp(-1 / 10.0)
    mean, wanted = float(np.mean(values[:10])), []
    for value in values:
        mean = keep * mean + (1 - keep) * value
        wanted.append(mean)
    assert exponential_mean(np.array(values), 10.0) == pytest.approx(wanted, abs=1e-6)
