"""What a capacity would have missed of the rises that were seen."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting.reserve import LEAST_MEMORY_S
from infadapter_forecasting.rises import missed_share

APART_S, START_S = 20, 10


def rising(times: int, length: int = 1800) -> np.ndarray:
    rates = np.full(length, 20.0)
    for start in range(100, 100 + 200 * times, 200):
        rates[start : start + 60] = 100.0
    return rates


def test_what_never_rose_beyond_the_limit_costs_nothing() -> None:
    assert missed_share(rising(3), 100.0, 10.0, START_S, APART_S) == 0.0


def test_every_rise_is_missed_for_a_start_less_what_serves_meanwhile() -> None:
    rates = rising(3)
    below_s = len(rates) - 3 * 60
    wanted = 3 * START_S * (100 - 40) / (rates.mean() * below_s)
    assert missed_share(rates, 50.0, 40.0, START_S, APART_S) == pytest.approx(wanted)


def test_a_dip_shorter_than_what_is_kept_begins_no_other_rise() -> None:
    rates = rising(1)
    rates[130:140] = 20.0
    once = missed_share(rates, 50.0, 50.0, START_S, APART_S)
    rates[120:145] = 20.0
    assert missed_share(rates, 50.0, 50.0, START_S, APART_S) == pytest.approx(2 * once, rel=0.05)


def test_one_rise_of_a_short_history_is_no_habit_yet() -> None:
    short, long = rising(1, 400), rising(1, LEAST_MEMORY_S)
    mean_ratio = short.mean() / long.mean()
    found = missed_share(short, 50.0, 50.0, START_S, APART_S) * mean_ratio
    assert found == pytest.approx(missed_share(long, 50.0, 50.0, START_S, APART_S))


@given(
    st.lists(st.sampled_from([10.0, 60.0, 90.0]), min_size=1, max_size=300),
    st.integers(1, 60),
)
def test_what_is_missed_is_what_walking_through_the_seconds_finds(
    rates: list[float], apart_s: int
) -> None:
    missed, last = 0.0, -math.inf
    for at, rps in enumerate(rates):
        if rps > 50.0:
            if at - last > apart_s:
                missed += sum(max(0.0, each - 30.0) for each in rates[at : at + START_S])
            last = at
    below_s = max(len(rates), LEAST_MEMORY_S) - sum(rps > 50.0 for rps in rates)
    wanted = missed / (sum(rates) / len(rates) * below_s)
    assert missed_share(np.array(rates), 50.0, 30.0, START_S, apart_s) == pytest.approx(wanted)


@given(
    st.lists(st.floats(0, 1e3), max_size=300),
    st.floats(0, 1e3),
    st.floats(0, 1e3),
    st.floats(0, 500),
)
def test_the_more_is_served_meanwhile_the_less_is_missed(
    rates: list[float], limit_rps: float, meanwhile_rps: float, more_rps: float
) -> None:
    needed = np.array(rates)
    missed = missed_share(needed, limit_rps, meanwhile_rps, START_S, APART_S)
    assert missed >= 0
    assert missed_share(needed, limit_rps, meanwhile_rps + more_rps, START_S, APART_S) <= missed
