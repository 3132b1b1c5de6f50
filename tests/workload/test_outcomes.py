from hypothesis import given
from hypothesis import strategies as st

from infadapter_workload.outcomes import Outcome, accuracy_in_time, percentile, summarise


def outcome(latency_s: float = 0.1, code: int = 200, late_s: float = 0.0) -> Outcome:
    return Outcome(scheduled_s=0, sent_s=late_s, done_s=latency_s, code=code, variant="v")


def test_each_request_is_counted_once() -> None:
    outcomes = [outcome(0.1), outcome(0.1000001), outcome(code=503), outcome(code=429)]
    outcomes += [outcome(code=500), outcome(code=0), outcome(code=404)]
    summary = summarise(outcomes, slo_s=0.1, duration_s=2)
    assert (summary.arrived, summary.ok, summary.late) == (7, 1, 1)
    assert (summary.refused, summary.failed) == (2, 3)
    assert summary.achieved_rps == 3.5  # over the planned 2 s


@given(codes=st.lists(st.sampled_from([0, 200, 204, 302, 400, 429, 500, 503])))
def test_the_parts_add_up(codes: list[int]) -> None:
    summary = summarise([outcome(code=code) for code in codes], slo_s=0.05)
    parts = summary.ok + summary.late + summary.refused + summary.failed
    assert parts == summary.arrived == len(codes)


def test_without_requests_there_are_no_numbers_rather_than_zeros() -> None:
    summary = summarise([], slo_s=0.1)
    assert summary.p99_ms is summary.send_late_p99_ms is summary.achieved_rps is None


def test_percentiles_are_latencies_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, p) for p in (50, 99, 99.9)] == [50, 99, 100]


def test_without_an_slo_any_answer_is_in_time() -> None:
    assert [outcome(9.0, code).in_time(None) for code in (200, 204, 429, 500, 0)] == [
        *(True, True, False, False, False),
    ]


def test_accuracy_is_that_of_what_answered_in_time() -> None:
    outcomes = [outcome(0.1), outcome(0.2), outcome(0.3), outcome(0.1, code=503)]
    assert accuracy_in_time(outcomes, {"v": 0.75}, slo_s=0.2) == 1.5
    assert accuracy_in_time(outcomes, {"other": 0.75}, slo_s=0.2) == 0
