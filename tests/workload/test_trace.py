from typing import Any

import numpy as np
import pytest

from infadapter_workload.trace import MAX_SECONDS, Trace, TraceError


def test_a_trace_tells_its_length_mean_and_peak() -> None:
    trace = Trace(name="t", rates=np.array([1.0, 4.5, 0.5]))
    assert (trace.seconds, trace.requests, trace.mean_rps, trace.peak_rps) == (3, 6.0, 2.0, 4.5)


def test_a_trace_cannot_be_written_and_does_not_follow_what_it_was_made_of() -> None:
    rates = np.array([1.0, 2.0])
    trace = Trace(name="t", rates=rates)
    rates[0] = 7
    assert trace.rates.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        trace.rates[0] = 7


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"rates": []}, "must last from 1 to"),
        ({"rates": np.ones(MAX_SECONDS + 1)}, "must last from 1 to"),
        ({"rates": [[1.0]]}, "must last from 1 to"),
        ({"rates": [np.nan]}, "must have rates from 0"),
        ({"rates": [-1.0]}, "must have rates from 0"),
        ({"rates": [np.inf]}, "must have rates from 0"),
        ({"rates": [1.5], "counted": True}, "not whole numbers"),
        ({"rates": [2.0], "arrivals_s": [0.5, 0.1]}, "finite time stamps in ascending order"),
        ({"rates": [1.0], "arrivals_s": [np.nan]}, "finite time stamps in ascending order"),
        ({"rates": [1.0], "arrivals_s": [1.0]}, "outside its 1 s"),
        ({"rates": [1.0], "arrivals_s": [-0.1]}, "outside its 1 s"),
        ({"rates": [2.0], "arrivals_s": [0.1]}, "time stamps that do not match its rates"),
    ],
)
def test_what_no_trace_can_be_is_refused(parts: dict[str, Any], problem: str) -> None:
    with pytest.raises(TraceError, match=rf"^The trace t .*{problem}.*\.$"):
        Trace(name="t", **parts)
