"""The current rate in a rise, and rates per second from samples."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.load import Sample
from infadapter_operator.planning.rates import (
    every_second,
    latest_seconds,
    rate_now_rps,
    rate_soon_rps,
)


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


def test_seconds_between_coarse_samples_have_the_later_one_s_rate() -> None:
    samples = (Sample(0.0, 1.0), Sample(5.0, 2.0), Sample(10.0, 3.0))
    assert list(every_second(samples, 100)) == [1.0, *[2.0] * 5, *[3.0] * 5]


def test_what_was_before_a_long_gap_is_left_out() -> None:
    samples = (*every(*[9.0] * 20), Sample(500.0, 1.0), Sample(501.0, 2.0))
    assert list(every_second(samples, 100)) == [1.0, 2.0]


def test_no_more_seconds_than_are_asked_for() -> None:
    assert list(every_second(every(1.0, 2.0, 3.0, 4.0), 2)) == [3.0, 4.0]


@settings(deadline=None)
@given(
    steps_s=st.lists(st.sampled_from([1.0, 1.0, 1.0, 0.5, 5.0, 90.0]), max_size=20),
    usual=st.booleans(),
    most_s=st.integers(1, 5),
)
def test_the_latest_seconds_are_those_of_the_whole_history(
    steps_s: list[float], usual: bool, most_s: int
) -> None:
    at_s = accumulate([1.0] * len(steps_s) if usual else steps_s, initial=100.0)
    samples = [Sample(at, 7.0 + n % 3) for n, at in enumerate(at_s)]
    assert latest_seconds(samples, most_s) == every_second(samples, most_s).tolist()
