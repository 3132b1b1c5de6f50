"""Every policy gets the same arrivals, and they follow the trace."""

from pathlib import Path

import numpy as np
import pytest

from infadapter_local.workload import LEAD_IN_S, burst, load_trace, peak_rps, workload
from infadapter_workload.trace import Trace, TraceError


def test_the_default_trace_is_a_burst_of_about_five_times_its_base() -> None:
    rates = burst(seed=1).rates
    base, top = np.median(rates[:80]), peak_rps(burst(seed=1))
    assert 3.5 < top / base < 6.5
    assert rates[-1] < 0.5 * top


def test_the_same_seed_gives_the_same_arrivals() -> None:
    first, second = (workload(burst(3), duration_s=30, scale=1.0, seed=3) for _ in range(2))
    assert np.array_equal(first.arrivals_s, second.arrivals_s)
    other = workload(burst(3), duration_s=30, scale=1.0, seed=4)
    assert not np.array_equal(first.arrivals_s[:50], other.arrivals_s[:50])


def test_the_whole_trace_is_played_in_the_time_given_after_a_lead_in() -> None:
    trace = Trace(name="step", rates=np.array([10.0] * 50 + [100.0] * 50))
    load = workload(trace, duration_s=20, scale=2.0, seed=1)
    assert (load.duration_s, load.end_s) == (20.0, 20.0 + LEAD_IN_S)
    in_time = load.arrivals_s - LEAD_IN_S
    assert np.all(np.diff(load.arrivals_s) >= 0)
    assert np.sum((in_time >= 0) & (in_time < 10)) == pytest.approx(200, rel=0.3)
    assert np.sum(in_time >= 10) == pytest.approx(2000, rel=0.1)
    assert np.sum(in_time < 0) == pytest.approx(20 * LEAD_IN_S, rel=0.3)


def test_a_single_high_second_is_no_peak() -> None:
    rates = np.full(200, 10.0)
    rates[100] = 500.0
    assert peak_rps(Trace(name="peak", rates=rates)) < 100


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"nothing\.csv"):
        load_trace(str(tmp_path / "nothing.csv"), seed=1)


def test_a_trace_without_requests_is_refused(tmp_path: Path) -> None:
    (tmp_path / "idle.csv").write_text("0\n" * 40)
    with pytest.raises(TraceError, match=r"idle\.csv holds no requests, only 40 s of zeros"):
        load_trace(str(tmp_path / "idle.csv"), seed=1)


@pytest.mark.parametrize(("scale", "requests"), [(1e7, "[0-9,]{13,}"), (1e300, "[0-9.]+e.30[0-9]")])
def test_more_requests_than_one_run_may_send_are_refused(scale: float, requests: str) -> None:
    with pytest.raises(TraceError, match=f"5,000,000 requests, not {requests};"):
        workload(burst(1), duration_s=30, scale=scale, seed=1)


def test_a_scale_beyond_all_numbers_is_refused() -> None:
    trace = Trace(name="high", rates=np.full(10, 1e6))
    with pytest.raises(TraceError, match="not inf"):
        workload(trace, duration_s=3600, scale=1e308, seed=1)


def test_a_scale_that_leaves_no_request_is_refused() -> None:
    with pytest.raises(TraceError, match="no request in 30 s"):
        workload(burst(1), duration_s=30, scale=1e-9, seed=1)


def test_long_silence_of_a_recorded_trace_is_played_and_a_made_up_trace_by_its_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "pause.csv").write_text("50\n" * 30 + "0\n" * 20 + "60\n" * 30)
    assert load_trace(str(tmp_path / "pause.csv"), seed=1).seconds == 80
    assert load_trace("synthetic:bursty:7", seed=1).name == "synthetic:bursty:7"
