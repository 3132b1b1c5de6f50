import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_server.loadgen.arrivals import constant_rate, given_count, piecewise_rate

rates = st.lists(st.floats(0, 50), min_size=1, max_size=30)
seeds = st.integers(0, 2**32)


@given(rates=rates, seed=seeds, step_s=st.floats(0.1, 5))
def test_arrivals_are_sorted_and_lie_in_steps_that_have_a_rate(
    rates: list[float], seed: int, step_s: float
) -> None:
    arrivals = piecewise_rate(rates, seed=seed, step_s=step_s)
    assert np.all(np.diff(arrivals) >= 0)
    steps = np.floor(arrivals / step_s + 1e-9).astype(int)
    assert all(rates[min(step, len(rates) - 1)] > 0 for step in steps)


@given(rates=rates, seed=seeds)
def test_the_same_seed_gives_the_same_arrivals(rates: list[float], seed: int) -> None:
    first, second = piecewise_rate(rates, seed=seed), piecewise_rate(rates, seed=seed)
    assert np.array_equal(first, second)


@given(rates=rates, seed=seeds, keep=st.integers(1, 30))
def test_a_shorter_trace_gives_the_beginning_of_the_longer_ones_arrivals(
    rates: list[float], seed: int, keep: int
) -> None:
    whole = piecewise_rate(rates, seed=seed)
    part = piecewise_rate(rates[:keep], seed=seed)
    assert np.array_equal(part, whole[whole < keep])


@given(rate=st.floats(1, 500), seconds=st.floats(5, 100), seed=st.integers(0, 1000))
def test_a_constant_rate_brings_about_as_many_requests_as_it_says(
    rate: float, seconds: float, seed: int
) -> None:
    arrivals = constant_rate(rate, seconds, seed=seed)
    expected = rate * seconds
    assert abs(len(arrivals) - expected) < 6 * np.sqrt(expected)
    assert not len(arrivals) or 0 <= arrivals[0] <= arrivals[-1] < seconds


def test_gaps_are_exponential_also_across_the_seconds() -> None:
    gaps = np.diff(constant_rate(20, 2_000, seed=5))
    assert np.mean(gaps) == pytest.approx(1 / 20, rel=0.03)
    assert np.std(gaps) == pytest.approx(1 / 20, rel=0.03)
    assert np.mean(gaps > 3 / 20) == pytest.approx(np.exp(-3), rel=0.1)


def test_other_seeds_give_other_arrivals() -> None:
    assert not np.array_equal(constant_rate(50, 10, seed=1), constant_rate(50, 10, seed=2))


@given(requests=st.integers(0, 500), seconds=st.floats(0.1, 100), seed=seeds)
def test_a_given_count_is_met_exactly(requests: int, seconds: float, seed: int) -> None:
    arrivals = given_count(requests, seconds, seed=seed)
    assert len(arrivals) == requests
    assert np.all(np.diff(arrivals) >= 0)
    assert np.all((arrivals >= 0) & (arrivals < seconds))


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="finite number from 0 on"):
        piecewise_rate([1.0, rate], seed=0)
    with pytest.raises(ValueError, match="finite number from 0 on"):
        constant_rate(rate, 10, seed=0)
