import io
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from infadapter_server.loadgen.outcomes import Outcome, percentile, summarise
from infadapter_server.loadgen.records import Start, Tail, csv_writer, jsonl_writer
from infadapter_server.loadgen.report import render

START = Start(start_monotonic_s=12.5, start_unix_s=1e9, requests=2)


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
    assert "p99 – ms" in render(summary)


def test_percentiles_are_latencies_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, p) for p in (50, 99, 99.9)] == [50, 99, 100]


def test_a_late_generator_is_warned_of() -> None:
    assert "with care" in render(summarise([outcome(late_s=0.02)]))
    assert "with care" not in render(summarise([outcome(late_s=0.001)]))


def test_a_growing_file_is_followed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    tail = Tail(path)
    assert tail.read_new() == []
    with path.open("w") as file:
        write = jsonl_writer(file, START)
        write(outcome())
        file.flush()
        assert tail.read_new() == [outcome()]
        assert tail.start == START
        line = orjson.dumps(outcome(code=503)).decode()
        file.write(line[:20])
        file.flush()
        assert tail.read_new() == []
        file.write(line[20:] + "\n")
        file.flush()
        assert tail.read_new() == [outcome(code=503)]
    tail.close()


def test_a_csv_has_a_header_and_leaves_unknown_fields_empty() -> None:
    file = io.StringIO()
    csv_writer(file)(Outcome(scheduled_s=1, sent_s=1, done_s=2, code=0, error="timed out"))
    assert file.getvalue().splitlines() == [
        "scheduled_s,sent_s,done_s,code,variant,error",
        "1,1,2,0,,timed out",
    ]
