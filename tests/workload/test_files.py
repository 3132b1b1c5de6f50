"""Packed, in other encodings, several, from the standard input, months long, and cut."""

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infadapter_workload.read_options import ReadOptions, parse_options
from infadapter_workload.reading import named_trace, read_trace
from infadapter_workload.series import Series, joined
from infadapter_workload.trace import TraceError

Read = Callable[..., Any]

TABLE = "second,requests\n" + "".join(f"{i},{100 + i}\n" for i in range(30))
CLF = '1.2.3.4 - - [10/Oct/2000:13:{:02}:{:02} -0700] "GET /a HTTP/1.1" 200 2\n'


TARRED = gzip.compress(b"trace.csv".ljust(257, b"\0") + b"ustar" + b"a" * 300, mtime=0)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read(read: Read, pack: Callable[[bytes], bytes]) -> None:
    assert read(pack(TABLE.encode())).mean_rps == 114.5


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read(read: Read, encoding: str) -> None:
    assert read(TABLE.replace("\n", "\r\n").encode(encoding)).mean_rps == 114.5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x28\xb5\x2f\xfd" + b"a" * 300, "zstd -dc FILE"),
        (b"PK\x03\x04" + b"a" * 300, "a zip archive or a workbook"),
        (b"PAR1" + b"a" * 300, "Parquet"),
        (TARRED, "a tar archive"),
    ],
)
def test_what_is_no_text_is_named(asks: Read, content: bytes, said: str) -> None:
    assert said in asks(content)


def test_a_last_row_that_is_cut_off_is_left_out(read: Read) -> None:
    trace = read(TABLE + "30")
    assert (trace.mean_rps, trace.notes) == (114.5, ("left out the last line, which is cut off",))


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_of_one_row_needs_no_newline_at_its_end(read: Read, end: str) -> None:
    assert read(f"time,requests\n0,5{end}").rates.tolist() == [5]
    assert read(f"2024-03-01T10:00:00Z{end}").requests == 1
    assert read(f'{{"start_time":"2024-03-01T10:00:00Z","status":200}}{end}').requests == 1


def test_the_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TABLE.encode()))))
    trace = named_trace("-")
    assert (trace.name, trace.mean_rps) == ("standard input", 114.5)


def written(folder: Path, *contents: str) -> list[str]:
    paths = [folder / f"{index}.log" for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    return [str(path) for path in paths]


def test_several_logs_are_one_trace_in_the_order_of_their_times(tmp_path: Path) -> None:
    newer = "".join(CLF.format(1, i // 10) for i in range(100))
    older = "".join(CLF.format(0, 50 + i // 10) for i in range(100))
    trace = named_trace(written(tmp_path, newer, older))
    assert (trace.seconds, trace.requests) == (20, 200)
    assert trace.form.startswith("2 files, by their times: an access log")


def test_logs_of_two_pods_at_once_are_added(tmp_path: Path) -> None:
    log = "".join(CLF.format(0, i // 10) for i in range(100))
    assert named_trace(written(tmp_path, log, log)).mean_rps == 20
    exact = "".join(f"2024-03-01T10:00:0{i}.5Z\n" for i in range(9))
    together = named_trace(written(tmp_path, exact, exact))
    assert together.arrivals_s is not None
    assert together.requests == 18


def test_tables_of_two_days_follow_each_other_and_may_not_overlap(tmp_path: Path) -> None:
    days = [
        "time,requests\n" + "".join(f"{day + 60 * i},6000\n" for i in range(60))
        for day in (1709287200, 1709287200 + 3600)
    ]
    trace = named_trace(written(tmp_path, *reversed(days)))
    assert (trace.seconds, trace.mean_rps) == (7200, 100)
    with pytest.raises(TraceError, match="overlap: 1 begins before"):
        named_trace(written(tmp_path, days[0], days[0]))
    relative = named_trace(written(tmp_path, "5\n6\n", "7\n"))
    assert relative.rates.tolist() == [5, 6, 7]
    with pytest.raises(TraceError, match="made up cannot be read together"):
        named_trace([*written(tmp_path, "5\n"), "synthetic:bursty"])


@pytest.mark.parametrize("turned", [False, True])
def test_joined_files_are_as_coarse_and_as_doubtful_as_any_of_them(turned: bool) -> None:
    fine = Series(name="a", form="", rates=np.ones(60), began_s=0, counted=True)
    coarse = Series(
        name="b", form="", rates=np.ones(60), began_s=60, step_s=15, counted=True, collected=True
    )
    both = joined([coarse, fine] if turned else [fine, coarse])
    assert (both.step_s, both.collected, both.counted) == (15, True, True)


def test_a_month_is_read_and_more_is_cut_while_it_is_read(tmp_path: Path) -> None:
    month = "second,rps\n" + "".join(f"{3600 * i},100\n" for i in range(31 * 24))
    path = tmp_path / "month.csv"
    path.write_text(month)
    assert read_trace(path).seconds == 31 * 86_400
    path.write_text("second,rps\n" + "".join(f"{86_400 * i},100\n" for i in range(400)))
    with pytest.raises(TraceError, match=r":95: the trace is longer .* cut it with --to SECOND"):
        read_trace(path)
    assert read_trace(path, options=ReadOptions(to_s=86_400)).seconds >= 86_400


def test_reading_ends_where_no_more_is_wanted(tmp_path: Path) -> None:
    """What follows cannot be read, and is not looked at."""
    path = tmp_path / "long.txt"
    path.write_text("7\n" * 20_000 + "broken\n")
    assert read_trace(path, options=ReadOptions(to_s=600)).seconds >= 600
    rows = "".join(f"{i},7\n" for i in range(2000))
    path.write_text(f"second,requests\n{rows}broken\n")
    assert read_trace(path, options=ReadOptions(to_s=600)).seconds >= 600
    stamps = "".join(f"{1_700_000_000 + i}.5\n" for i in range(6000))
    path.write_text(stamps + "broken\n")
    trace = read_trace(path, options=ReadOptions(to_s=600))
    assert (trace.seconds, trace.requests) == (600, 600)


def test_a_cut_trace_is_as_long_as_was_asked_though_nothing_came_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "sparse.txt"
    path.write_text("1700000000.5\n1700000900.5\n")
    assert read_trace(path, options=ReadOptions(to_s=600)).seconds == 600


def test_how_far_reading_is_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("7\n" * 200_000)
    told: list[tuple[int, int]] = []
    read_trace(
        path, options=ReadOptions(on_progress=lambda done, total: told.append((done, total)))
    )
    assert told == sorted(told)
    assert len(told) == 3
    assert {total for _, total in told} == {400_000}


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("columns", "requests", "--trace-columns must be time=NAME,value=NAME"),
        ("values", "rate", "--trace-values must be one of rates, counts, counter"),
        ("unit", "hours", "--trace-unit must be one of ns, us"),
        ("every", "1.5", "--trace-every must be whole seconds"),
        ("gaps", "no", "--trace-gaps must be one of ask, keep, drop"),
        ("only", "path", "--trace-only must be such as path=/v2/*"),
    ],
)
def test_what_an_option_cannot_be_is_said(option: str, text: str, said: str) -> None:
    with pytest.raises(TraceError, match=said.replace("*", r"\*")):
        parse_options({option: text})
