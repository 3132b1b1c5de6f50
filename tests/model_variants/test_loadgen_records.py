import io
from pathlib import Path

import orjson

from infadapter_server.loadgen.records import Start, Tail, csv_writer, jsonl_writer
from infadapter_server.loadgen.report import render
from infadapter_workload.outcomes import Outcome, summarise

START = Start(start_monotonic_s=12.5, start_unix_s=1e9, requests=2)


def outcome(latency_s: float = 0.1, code: int = 200, late_s: float = 0.0) -> Outcome:
    return Outcome(scheduled_s=0, sent_s=late_s, done_s=latency_s, code=code, variant="v")


def test_without_requests_a_report_has_no_numbers() -> None:
    assert "p99 – ms" in render(summarise([], slo_s=0.1))


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
        "scheduled_s,sent_s,done_s,code,variant,error,point",
        "1,1,2,0,,timed out,",
    ]
