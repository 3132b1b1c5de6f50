import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_workload.arrivals import arrival_times
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
