import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_server.loadgen import traces
from infadapter_server.loadgen.moments import of_rate, of_trace, read_moments
from infadapter_server.loadgen.traces import (
    Trace,
    TraceError,
    compressed,
    cut,
    read_trace,
    scaled,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "3\n0\n2.5\n",
        "3\n0\n2.5",
        "# made by hand\n\n3\n0\n\n2.5\n",
        "\ufeff3\r\n0\r\n2.5\r\n",
        "second,requests\n0,3\n1,0\n2,2.5\n",
        "0,3\n1,0\n2,2.5\n",
        "1600000000, 3\n1600000001, 0\n1600000002, 2.5\n",
    ],
)
def test_both_forms_are_read_with_and_without_header(tmp_path: Path, text: str) -> None:
    trace = read_trace(written(tmp_path, text))
    assert trace.rates_rps.tolist() == [3, 0, 2.5]
    assert trace.duration_s == 3


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.txt.gz"
    path.write_bytes(gzip.compress(b"1\n2\n"))
    assert read_trace(path).rates_rps.tolist() == [1, 2]


@given(rates=st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_what_was_written_is_read(
    rates: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.txt"
    path.write_text("\n".join(map(repr, rates)))
    assert read_trace(path).rates_rps.tolist() == rates


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no numbers"),
        ("second,requests\n", "holds no numbers"),
        ("1\n-2\n", ":2: a number of requests must be from 0 to 1,000,000, not -2."),
        ("1\nnan\n", ":2: a number of requests must be from 0 to 1,000,000, not nan."),
        ("1\ninf\n", ":2: a number of requests must be from 0 to 1,000,000, not inf."),
        ("1\n\nmany\n", ":3: 'many' is not a number of requests."),
        ("0,1\n1,1\n1,1\n", ":3: second 1 comes after second 1."),
        ("0,1\n1,1\n0,1\n", ":3: second 0 comes after second 1."),
        ("0,1\n2,1\n", ":2: second 1 is missing before 2"),
        ("0,1\n1\n", ":2: a line must hold one number or second,requests throughout"),
        ("0,1,2\n", ":1: a line must hold one number or second,requests throughout"),
        ("0,1\nx,1\n", ":2: 'x' is not a second."),
        ("1" * 300, ":1: the line is longer than 200 characters."),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_its_place(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file"):
        read_trace(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match="not a text or gzip file"):
        read_trace(tmp_path / "binary.csv")
    (tmp_path / "torn.gz").write_bytes(gzip.compress(b"1\n2\n")[:-6])
    with pytest.raises(TraceError, match="not a text or gzip file"):
        read_trace(tmp_path / "torn.gz")


def test_a_trace_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "MAX_SECONDS", 5)
    with pytest.raises(TraceError, match="longer than 5 s"):
        read_trace(written(tmp_path, "1\n" * 6))


def test_a_trace_is_cut_scaled_and_compressed() -> None:
    trace = Trace(rates_rps=np.array([1.0, 2, 3, 4]))
    assert cut(trace, start_s=1, duration_s=2).rates_rps.tolist() == [2, 3]
    assert cut(trace, duration_s=1.5).rates_rps.tolist() == [1, 2]
    assert scaled(trace, 0.5).rates_rps.tolist() == [0.5, 1, 1.5, 2]
    short = compressed(trace, 2)
    assert (short.step_s, short.duration_s) == (0.5, 2)
    assert short.rates_rps.tolist() == trace.rates_rps.tolist()


def test_nothing_can_be_made_of_nothing() -> None:
    trace = Trace(rates_rps=np.array([1.0, 2]))
    with pytest.raises(TraceError, match="leave nothing"):
        cut(trace, start_s=5, duration_s=2)
    with pytest.raises(TraceError, match="positive number only"):
        scaled(trace, 0)
    with pytest.raises(TraceError, match="longer than 0 s"):
        compressed(trace, 0)


def test_a_run_is_bounded_in_time_and_number() -> None:
    with pytest.raises(TraceError, match="may last 86400 s"):
        of_rate(1, 1e6, seed=0)
    with pytest.raises(TraceError, match="may send 5,000,000 requests, not 100,000,000"):
        of_trace(
            Trace(rates_rps=np.array([1e6] * 100)),
            scale=1,
            seed=0,
            duration_s=None,
            compress_s=None,
        )


def test_arrivals_are_read_as_they_are_or_refused(tmp_path: Path) -> None:
    assert read_moments(written(tmp_path, "0.5\n0.5\n2\n")).tolist() == [0.5, 0.5, 2]
    for text in ("2\n1\n", "-1\n", "nan\n", "0 1\n1 2\n"):
        with pytest.raises(TraceError, match="finite, sorted and not below 0"):
            read_moments(written(tmp_path, text))
    with pytest.raises(TraceError, match="one number a line"):
        read_moments(written(tmp_path, "soon\n"))


def test_the_traces_at_hand_are_read() -> None:
    path = SHARED / "twitter2021" / "day15_bursty_1260s.csv"
    if not path.exists():
        pytest.skip("the folder of shared data is not beside the repository")
    trace = read_trace(path)
    assert (trace.duration_s, trace.rates_rps.max()) == (1260, 274)
