import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_workload.arrivals import arrival_times, constant_rate, given_count, played
from infadapter_workload.shaping import sliced
from infadapter_workload.trace import Array, Trace, TraceError, per_second

COUNTS = st.lists(st.integers(0, 200), min_size=1, max_size=60)


def counted(rates: object) -> Trace:
    return Trace(name="counted", rates=np.array(rates, dtype=float), counted=True)


@given(counts=COUNTS, seed=st.integers(0, 2**40))
def test_counted_requests_arrive_in_exactly_that_number_each_second(
    counts: list[int], seed: int
) -> None:
    times = arrival_times(counted(counts), seed)
    assert (np.diff(times) >= 0).all()
    assert per_second(times, len(counts)).tolist() == counts


def test_no_request_slips_into_the_next_second_late_in_a_long_trace() -> None:
    rates = np.zeros(28 * 86_400)
    rates[-2] = 1_000_000
    assert arrival_times(counted(rates), seed=1).max() < len(rates) - 1


def test_counted_requests_are_uniform_within_the_second() -> None:
    places = arrival_times(counted([50] * 4000), seed=3) % 1
    quarters = np.histogram(places, bins=4, range=(0, 1))[0]
    assert quarters == pytest.approx(50_000, rel=0.02)


def test_rates_are_those_of_a_poisson_process() -> None:
    rates = np.full(20_000, 7.5)
    times = arrival_times(Trace(name="rates", rates=rates), seed=2)
    counts = per_second(times, len(rates))
    assert counts.mean() == pytest.approx(7.5, rel=0.02)
    assert counts.var() == pytest.approx(7.5, rel=0.05)
    gaps = np.diff(times)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)


def test_own_time_stamps_are_kept_and_cannot_be_spoilt_from_outside() -> None:
    own = np.array([0.25, 0.25, 2.5])
    trace = Trace(name="own", rates=np.array([2.0, 0, 1]), arrivals_s=own, counted=True)
    times = arrival_times(trace, seed=1)
    times[0] = 9
    assert arrival_times(trace, seed=2).tolist() == own.tolist()


@pytest.mark.parametrize("is_counted", [True, False])
def test_a_seed_gives_the_same_and_a_shorter_trace_a_prefix(is_counted: bool) -> None:
    rates = np.arange(4000) % 30
    trace = Trace(name="saw", rates=rates.astype(float), counted=is_counted)

    def times(seconds: int, seed: int) -> Array:
        return arrival_times(sliced(trace, 0, seconds), seed)

    assert np.array_equal(times(4000, 5), times(4000, 5))
    assert not np.array_equal(times(4000, 5)[:100], times(4000, 6)[:100])
    shorter = times(2500, 5)
    assert np.array_equal(times(4000, 5)[: len(shorter)], shorter)


def test_a_second_without_load_has_no_requests() -> None:
    assert len(arrival_times(Trace(name="zero", rates=np.zeros(5)), seed=1)) == 0


def test_more_requests_than_memory_holds_are_refused() -> None:
    trace = Trace(name="huge", rates=np.full(86_400, 1e6))
    with pytest.raises(TraceError, match="huge has 86,400,000,000 requests, more than"):
        arrival_times(trace, seed=1)


@given(
    rates=st.lists(st.floats(0, 50), min_size=1, max_size=30),
    seed=st.integers(0, 2**32),
    step_s=st.floats(0.1, 5),
)
def test_in_time_lapse_arrivals_are_sorted_and_lie_in_steps_that_have_a_rate(
    rates: list[float], seed: int, step_s: float
) -> None:
    arrivals = played(Trace(name="rates", rates=np.array(rates)), seed, step_s=step_s)
    assert np.all(np.diff(arrivals) >= 0)
    steps = np.floor(arrivals / step_s + 1e-9).astype(int)
    assert all(rates[min(step, len(rates) - 1)] > 0 for step in steps)


@pytest.mark.parametrize("is_counted", [True, False])
def test_what_is_compressed_keeps_its_rates_for_a_shorter_time(is_counted: bool) -> None:
    rates = np.array([20.0] * 3000 + [80.0] * 3000)
    trace = Trace(name="step", rates=rates, counted=is_counted)
    arrivals = played(trace, 1, scale=2.0, step_s=0.1)
    counts = per_second(arrivals, 600)
    assert counts[:300].mean() == pytest.approx(40, rel=0.03)
    assert counts[300:].mean() == pytest.approx(160, rel=0.03)
    assert counts[300:].var() == pytest.approx(160, rel=0.25)


def test_time_stamps_in_time_lapse_are_thinned_out_where_they_were() -> None:
    own = np.sort(np.concatenate([np.arange(2000) / 100, 40 + np.arange(6000) / 100]))
    trace = Trace(name="own", rates=per_second(own, 100), arrivals_s=own, counted=True)
    arrivals = played(trace, 2, step_s=0.5)
    assert set((arrivals / 0.5).tolist()) <= set(own.tolist())
    assert np.sum(arrivals < 10) == pytest.approx(1000, rel=0.1)
    assert np.sum(arrivals >= 20) == pytest.approx(3000, rel=0.1)


def test_at_its_own_pace_a_trace_is_played_as_it_is() -> None:
    trace = counted([3, 0, 5])
    assert np.array_equal(played(trace, 7), arrival_times(trace, 7))


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


def test_other_seeds_give_other_arrivals_and_the_same_seed_the_same() -> None:
    one, same, other = (constant_rate(50, 10, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@given(requests=st.integers(0, 500), seconds=st.floats(0.1, 100), seed=st.integers(0, 2**32))
def test_a_given_count_is_met_exactly(requests: int, seconds: float, seed: int) -> None:
    arrivals = given_count(requests, seconds, seed=seed)
    assert len(arrivals) == requests
    assert np.all(np.diff(arrivals) >= 0)
    assert np.all((arrivals >= 0) & (arrivals < seconds))


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_a_rate_that_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(TraceError, match="must have rates from 0 to 1,000,000"):
        constant_rate(rate, 10, seed=0)
