"""How much to keep in reserve for the next seconds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.load import Sample
from infadapter_operator.planning.rates import every_second, rate_now_rps, rate_soon_rps
from infadapter_operator.planning.reserve import (
    MEMORY_S,
    exponential_mean,
    highest_need_rps,
    needed_soon,
    worthwhile_sureness,
)
from tests.builders import a_service

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


def test_more_sureness_is_worth_its_price_where_the_load_is_low() -> None:
    service = a_service(quantile=0.5)
    low, high = (worthwhile_sureness(service, rps) for rps in (5.0, 100.0))
    assert high < low < 1.0


def test_what_is_rare_is_less_known_the_fewer_requests_there_were() -> None:
    dear_to_lose = a_service(quantile=0.5, cost_weight=0.0)
    few, many = (worthwhile_sureness(dear_to_lose, rps) for rps in (2.0, 200.0))
    assert few < 0.99 < many < 1.0


def test_what_the_spec_asks_for_is_the_least() -> None:
    assert worthwhile_sureness(a_service(quantile=0.97), 1e6) == 0.97
    assert worthwhile_sureness(a_service(quantile=0.999), 1.0) == 0.999


def test_without_a_price_for_accuracy_the_spec_decides() -> None:
    assert worthwhile_sureness(a_service(accuracy_weight=0.0, quantile=0.9), 5.0) == 0.9


# --- the rate while it rises ---------------------------------------------------------------------


def every(*rates: float) -> tuple[Sample, ...]:
    return tuple(Sample(float(i), rate) for i, rate in enumerate(rates))


def test_a_steep_rise_is_followed_ahead_of_it_after_three_rising_seconds() -> None:
    early = every(*[20.0] * 30, 50.0, 80.0)
    assert rate_soon_rps(early, rate_now_rps(early)) == rate_now_rps(early)
    samples = every(*[20.0] * 30, 50.0, 80.0, 110.0)
    assert rate_soon_rps(samples, rate_now_rps(samples)) > 110.0 + 15.0
    assert rate_now_rps(samples) <= 110.0


@pytest.mark.parametrize("within", [20.0, 40.0, 60.0, 80.0, 100.0])
def test_a_step_counts_once_wherever_within_a_second_it_falls(within: float) -> None:
    for seconds in range(1, 5):
        samples = every(*[20.0] * 30, within, *[100.0] * seconds)
        assert rate_soon_rps(samples, rate_now_rps(samples)) <= 100.0


def test_a_steady_load_is_not_taken_for_a_rise() -> None:
    noise = np.random.default_rng(3).poisson(40.0, 600).astype(float)
    samples = every(*noise)
    looks = [samples[: i + 1] for i in range(30, 600)]
    assert sum(rate_soon_rps(look, rate_now_rps(look)) > rate_now_rps(look) for look in looks) <= 3


def test_a_fall_is_not_followed_ahead() -> None:
    samples = every(*[100.0] * 30, 80.0, 50.0, 20.0)
    assert rate_soon_rps(samples, rate_now_rps(samples)) == rate_now_rps(samples)


# --- seconds from samples ------------------------------------------------------------------------


def test_seconds_between_coarse_samples_have_the_later_one_s_rate() -> None:
    samples = (Sample(0.0, 1.0), Sample(5.0, 2.0), Sample(10.0, 3.0))
    assert list(every_second(samples, 100)) == [1.0, *[2.0] * 5, *[3.0] * 5]


def test_what_was_before_a_long_gap_is_left_out() -> None:
    samples = (*every(*[9.0] * 20), Sample(500.0, 1.0), Sample(501.0, 2.0))
    assert list(every_second(samples, 100)) == [1.0, 2.0]


def test_no_more_seconds_than_are_asked_for() -> None:
    assert list(every_second(every(1.0, 2.0, 3.0, 4.0), 2)) == [3.0, 4.0]
