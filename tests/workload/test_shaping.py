import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_workload.arrivals import arrival_times
from infadapter_workload.shaping import scaled, sliced, without_gaps
from infadapter_workload.trace import Array, Trace, TraceError, per_second

RATES = np.array([3.0, 0, 5, 2])


def counted(rates: Array | list[float]) -> Trace:
    return Trace(name="counted", rates=np.array(rates, dtype=float), counted=True)


def stamped(times: Array, seconds: int) -> Trace:
    return Trace(name="own", rates=per_second(times, seconds), arrivals_s=times, counted=True)


def poisson(rates: Array, seed: int) -> Trace:
    return stamped(arrival_times(Trace(name="rates", rates=rates), seed), len(rates))


def test_scaled_rates_are_multiplied_and_no_longer_counted() -> None:
    trace = scaled(counted(RATES), 0.5, seed=1)
    assert trace.rates.tolist() == [1.5, 0, 2.5, 1]
    assert not trace.counted
    assert trace.notes == ("scaled by 0.5",)


def test_scaling_by_one_changes_nothing() -> None:
    trace = counted(RATES)
    assert scaled(trace, 1, seed=1) is trace


@pytest.mark.parametrize("factor", [0.2, 0.9, 1.5, 2, 3.7])
def test_scaled_time_stamps_keep_the_shape_and_remain_counted(factor: float) -> None:
    rates = np.repeat([20.0, 100.0, 40.0], 300)
    trace = scaled(poisson(rates, seed=1), factor, seed=2)
    assert trace.counted
    assert trace.arrivals_s is not None
    assert (np.diff(trace.arrivals_s) >= 0).all()
    thirds = trace.rates.reshape(3, 300).mean(axis=1)
    assert thirds == pytest.approx(np.array([20, 100, 40]) * factor, rel=0.1)


def test_whole_copies_keep_every_request_and_do_not_coincide() -> None:
    original = poisson(np.full(200, 10.0), seed=1)
    doubled = scaled(original, 2, seed=2)
    assert original.arrivals_s is not None
    assert doubled.arrivals_s is not None
    assert doubled.requests == 2 * original.requests
    assert np.isin(original.arrivals_s, doubled.arrivals_s).all()
    assert len(np.unique(doubled.arrivals_s)) == doubled.requests


@given(
    times=st.lists(st.floats(0, 20, exclude_max=True), min_size=1, max_size=30).map(sorted),
    factor=st.floats(0.01, 5),
    seed=st.integers(0, 1000),
)
def test_scaled_time_stamps_are_always_a_trace(
    times: list[float], factor: float, seed: int
) -> None:
    trace = scaled(stamped(np.array(times), 20), factor, seed)
    assert trace.seconds == 20
    assert trace.requests <= np.ceil(factor) * len(times)
    again = scaled(stamped(np.array(times), 20), factor, seed)
    assert np.array_equal(trace.rates, again.rates)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf"), 1e300, 1e308])
def test_a_factor_that_leaves_no_trace_is_refused(factor: float) -> None:
    for trace in (counted(RATES), stamped(np.array([0.5]), 1)):
        with pytest.raises(TraceError, match=r"[Ss]caled by .*\.$"):
            scaled(trace, factor, seed=1)


def test_a_slice_starts_at_its_own_second_zero() -> None:
    assert sliced(counted(RATES), 1, 3).rates.tolist() == [0, 5]
    times = np.array([0.5, 1.25, 2.0, 2.5])
    part = sliced(stamped(times, 3), 1, 3)
    assert part.rates.tolist() == [1, 2]
    assert part.arrivals_s is not None
    assert part.arrivals_s.tolist() == [0.25, 1.0, 1.5]


@pytest.mark.parametrize(("from_s", "to_s"), [(-1, 2), (2, 2), (3, 1), (0, 5), (7, 9)])
def test_a_part_that_the_trace_does_not_have_is_refused(from_s: int, to_s: int) -> None:
    with pytest.raises(TraceError, match="lasts 4 s; it has no part from"):
        sliced(counted(RATES), from_s, to_s)


def test_long_runs_of_zeros_are_dropped_with_a_note_and_short_ones_kept() -> None:
    trace = without_gaps(counted([4, *[0] * 9, 5, *[0] * 10, 6, *[0] * 30]))
    assert trace.rates.tolist() == [4, *[0] * 9, 5, 6]
    assert trace.notes == (
        "dropped 40 s in 2 runs of 10 s or more without a request, as gaps of the collector",
    )


def test_a_trace_without_gaps_is_left_alone_and_so_is_one_of_time_stamps() -> None:
    for trace in (counted(RATES), stamped(np.array([0.5, 25.5]), 30)):
        assert without_gaps(trace) is trace
