"""Every damaged file is answered with one sentence, which says where."""

import bz2
import gzip
import json
import lzma
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_workload.formats import numbers, packed, stamps, stream
from infadapter_workload.formats.known import FORMATS
from infadapter_workload.reading import read_trace
from infadapter_workload.trace import MAX_SECONDS, TraceError
from tests.deep import drawn

HEADER_2019 = "HashOwner,HashApp,HashFunction,Trigger,1,2\n"
HEADER_2021 = "app,func,end_timestamp,duration\n"
LOGGED = '1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1\n'
EPOCH = "1700000000.5\n"


def assert_sentence(text: str) -> None:
    assert re.fullmatch(r"[^\n]+\.", text)


def problem(path: Path, form: str | None = None) -> str:
    with pytest.raises(TraceError) as caught:
        read_trace(path, format=form)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert_sentence(sentence)
    assert len(sentence) < 300 + len(str(path))
    return sentence


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "trace.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("1\n-2\n", 2, "must be from 0 to 1,000,000, not '-2'"),
        ("1\nnan\n", 2, "must be from 0 to 1,000,000, not 'nan'"),
        ("nan\n", 1, "not 'nan'"),
        ("1\ninf\n", 2, "not 'inf'"),
        ("1\n1e300\n", 2, "not '1e300'"),
        ("1e300\n", 1, "not '1e300'"),
        ("3\n2000000000\n", 2, "must be from 0"),
        ("1\n# fine\n\nmany\n", 4, "'many' is not a number of requests"),
        ("hello\nworld\n", 2, "'world' is not a number of requests"),
        ("4O\n5\n", 1, "'4O' is not a number of requests"),
        ("1\n2 3\n", 2, "'2 3' is not a number of requests"),
        (b"1\n\xff\xfe\n", 2, "this is not text"),
        (b"\x89PNG\r\n\x1a\n\0\0", 1, "this is not text"),
        (b"1\n2\0\n", 2, "this is not text"),
        ("1\n" + "2" * 70_000, 2, "65,536 bytes or more"),
        ("second,requests\n0,3\n1,-4\n", 3, "must be from 0"),
        ("second,requests\n0,3\n1,nan\n", 3, "must be from 0"),
        ("second,requests\n0,2000000\n1,4\n", 2, "must be from 0 to 1,000,000"),
        ("second,requests\n0,2000000\n", 2, "must be from 0 to 1,000,000"),
        ("second,rps\n0,2000000\n60,4\n", 2, "must be from 0 to 1,000,000"),
        ("second,requests\n0,3\n1,4,5\n", 3, "must be two columns, a time and a number, not 3"),
        ("second,requests\n0,3\n1\n", 3, "must be two columns, a time and a number, not 1"),
        ("second,requests\n0,3\nsoon,4\n", 3, "'soon' is not a time"),
        ("second,requests\n0,3\nnan,4\n", 3, "'nan' is not a time"),
        ("second,requests\n1,3\n0,4\n", 3, "'0' does not come after '1'"),
        ("second,requests\n0,3\n1,4\n1,4\n", 4, "'1' does not come after '1'"),
        ("second,requests\n0,3\n1,4\n3,5\n", 4, "'3' does not follow '1' by 1 s"),
        ("second,requests\n0,3\n0.5,4\n", 3, "whole number of seconds"),
        ("second,requests\n0,3\n1e9,4\n", 3, "whole number of seconds"),
        (EPOCH + "1700000000.25\n", 2, "is before that of the request above"),
        (EPOCH + "5\n", 2, "is before that of the request above"),
        (EPOCH + "nan\n", 2, "'nan' is not a time"),
        (EPOCH + "1e300\n", 2, "'1e300' is not a time"),
        (EPOCH + "1e999999999999\n", 2, "is not a time"),
        (EPOCH + "2023-13-45T00:00:00Z\n", 2, "is not a time"),
        (EPOCH + "9999-01-01T00:00:00Z\n", 2, "is not a time"),
        ("id,timestamp,x\n1,1700000000.5,2\n2\n", 3, "there is no column 2 with a time"),
        (LOGGED + "10.0.0.1 hello\n", 2, "there is no time of a request in '10.0.0.1 hello'"),
        (LOGGED + LOGGED.replace("10/Oct", "99/Oct"), 2, "is not a time"),
        (LOGGED + LOGGED.replace("Oct", "Okt"), 2, "'10/Okt/2000:13:55:36 -0700' is not a time"),
        (HEADER_2019 + "o,a,f,http,1\n", 2, "there must be 6 columns"),
        (HEADER_2019 + "o,a,f,http,1,-3\n", 2, "not '-3'"),
        (HEADER_2019 + "o,a,f,http,1,x\n", 2, "'x' is not a number of requests"),
        (HEADER_2019 + "o,a,f,http,1,inf\n", 2, "not 'inf'"),
        (HEADER_2019 + "o,a,f,http,1,1e300\n", 2, "not '1e300'"),
        ("HashOwner,HashApp,HashFunction,Trigger\n", 1, "there must be columns of minutes"),
        (HEADER_2021 + "a,f,1\n", 2, "there must be 4 columns"),
        (HEADER_2021 + "a,f,1,x\n", 2, "must be an end and a duration"),
        (HEADER_2021 + "a,f,1e300,1\n", 2, "must be an end and a duration"),
        (HEADER_2021 + "a,f,1,-1\n", 2, "the duration '-1' is negative"),
        ('{"status":\n oops}', 2, "in the JSON"),
    ],
)
def test_what_is_wrong_in_a_line_is_said_with_its_number(
    tmp_path: Path, content: str | bytes, line: int, words: str
) -> None:
    path = written(tmp_path, content)
    sentence = problem(path)
    assert sentence.startswith(f"{path}:{line}: ")
    assert words in sentence


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no numbers"),
        ("\n\n# nothing\n", "holds no numbers"),
        ("second,requests\n", "holds no numbers"),
        ("0\n" * 50, "holds no requests, only 50 s of zeros"),
        ("0\n" * 5, "holds no requests, only 5 s of zeros"),
        (
            "a,b,c\n1,2,3\n",
            "columns in no known format, none of them clearly a time",
        ),
        (EPOCH + "1800000000.5\n", "is longer than 8,035,200 s"),
        (LOGGED + LOGGED.replace("2000", "2001"), "is longer than 8,035,200 s"),
        (HEADER_2019, "holds no requests"),
        (HEADER_2021, "holds no requests"),
        (gzip.compress(b"1\n" * 9000, mtime=0)[:30], "its compressed data is damaged"),
        (gzip.compress(b"1\n2\n", mtime=0)[:-8] + b"\1" * 8, "its compressed data is damaged"),
        (b"\x1f\x8b\x08\x00 no gzip data at all", "its compressed data is damaged"),
        (bz2.compress(b"1\n" * 9000)[:30], "its compressed data is damaged"),
        (b"BZh9 no bzip2 data at all", "its compressed data is damaged"),
        (lzma.compress(b"1\n" * 9000)[:-30], "its compressed data is damaged"),
        (b"\xfd7zXZ no xz data at all", "its compressed data is damaged"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    assert words in problem(written(tmp_path, content))


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ([[1, "NaN"]], "NaN, infinite or below 0, the first at the time 1: no numbers"),
        ([[1, "+Inf"]], "NaN, infinite or below 0, the first at the time 1: no numbers"),
        ([[1, "-1"]], "NaN, infinite or below 0, the first at the time 1: no numbers"),
        ([[1, "x"]], "without pairs of time and value"),
        ([[1, None]], "without pairs of time and value"),
        ([[1]], "without pairs of time and value"),
        (7, "without pairs of time and value"),
        ([["1", "2"]], "in place of a time"),
        ([[1e300, "2"]], "in place of a time"),
        ([[1, "2"], [1.5, "2"]], "no whole number of seconds"),
        ([[0, "2"], [15, "2"], [45, "2"]], "has no sample at the time 30"),
        ([[0, "2"], [9e9, "2"]], "longer than 8,035,200 s"),
        ([], "holds no samples"),
        ([[1, "0"]], "only 1 s of zeros"),
    ],
)
def test_no_data_of_a_range_query_is_not_zero(tmp_path: Path, series: object, words: str) -> None:
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": series}]}
    path = written(tmp_path, json.dumps({"status": "success", "data": data}))
    assert words in problem(path)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "error", "error": "bad query"}, "is an error of Prometheus, 'bad query'"),
        ({"status": "success", "data": {"resultType": "vector", "result": []}}, "is a matrix"),
        ({"data": {"resultType": "matrix", "result": 5}}, "is a matrix"),
        ({"data": {"resultType": "matrix", "result": [5]}}, "without pairs of time and value"),
        ({"data": 5}, "is a matrix"),
        ({}, "is a matrix"),
    ],
)
def test_other_answers_of_prometheus_are_refused(
    tmp_path: Path, answer: object, words: str
) -> None:
    assert words in problem(written(tmp_path, json.dumps(answer)))


def test_json_of_any_depth_and_form_is_refused(tmp_path: Path) -> None:
    assert "no JSON that can be read" in problem(written(tmp_path, '{"a":' + "[" * 100_000))
    assert "is no answer" in problem(written(tmp_path, "[1]"), "prometheus")
    assert "no JSON that can be read" in problem(written(tmp_path, b'{"\xff": 1}'))


def test_a_folder_and_a_missing_file_are_said_to_be_that(tmp_path: Path) -> None:
    assert "Is a directory" in problem(tmp_path)
    assert "No such file" in problem(tmp_path / "none.csv")


def test_more_than_three_months_are_refused_at_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_SECONDS == 93 * 86_400
    by_day = "time,requests\n" + "".join(f"{day * 86_400},9\n" for day in range(95))
    assert ":95: the trace is longer than" in problem(written(tmp_path, by_day))
    monkeypatch.setattr(numbers, "MAX_SECONDS", 1000)
    assert ":1001: the trace is longer than" in problem(written(tmp_path, "1\n" * 1005))


def test_a_small_file_that_unpacks_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "65,536 bytes or more" in problem(written(tmp_path, gzip.compress(b"1" * 10**7)))
    assert "larger than 32 MiB" in problem(written(tmp_path, gzip.compress(b"{" + b" " * 2**25)))
    monkeypatch.setattr(stream, "MAX_SKIPPED", 2**20)
    endless = written(tmp_path, gzip.compress(b"1\n" + b"1" * 10**7))
    assert "has a line of more than 1 MiB" in problem(endless)
    monkeypatch.setattr(packed, "_LONGEST_HOLE", 2**20)
    assert "begins with more than 1 MiB of NUL bytes" in problem(Path("/dev/zero"))
    monkeypatch.setattr(stream, "MAX_LINES", 1000)
    assert "has more than 1,000 lines" in problem(written(tmp_path, gzip.compress(b"\n" * 2000)))
    monkeypatch.setattr(stamps, "MAX_STAMPS", 100)
    assert ":101: there are more than 100 requests" in problem(written(tmp_path, EPOCH * 200))


def test_an_unknown_form_is_answered_with_those_there_are(tmp_path: Path) -> None:
    path = written(tmp_path, "1\n")
    with pytest.raises(TraceError, match=r"no trace format 'avro'; there are rates, table, .*\.$"):
        read_trace(path, format="avro")


def test_a_function_or_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER_2019 + "o,a,f,http,1,1\n")
    assert "of the function 'zip'" in problem(path, "azure-functions-2019:zip")
    path = written(tmp_path, HEADER_2021 + "a,f,1,1\n")
    assert "of the function 'zip'" in problem(path, "azure-functions-2021:zip")
    path = written(tmp_path, "timestamp\n1700000000\n")
    assert ":1: there is no column 'arrived'" in problem(path, "timestamps:arrived")


FRAGMENTS = st.sampled_from(
    [
        *("1", "0", "-1", "nan", "1e300", "1e9", "1700000000.5", "2023-11-14T22:13:20.25Z", "x"),
        *(",", ",", "\n", "\n", ";", "\t", '"', "#", "[", "]", "{", "\0", "é", "second,requests\n"),
        *(HEADER_2019, HEADER_2021, LOGGED, '{"data":{"resultType":"matrix","result":['),
    ]
)


@given(
    content=st.one_of(
        st.binary(max_size=60), st.lists(FRAGMENTS).map(lambda f: "".join(f).encode())
    ),
    form=st.sampled_from([None, *FORMATS]),
)
@settings(max_examples=drawn(150), deadline=None)
def test_no_file_is_answered_with_anything_but_a_trace_or_a_sentence(
    content: bytes, form: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    try:
        assert read_trace(path, format=form).requests > 0
    except TraceError as error:
        assert_sentence(str(error))


@pytest.mark.parametrize(
    "content", [b"time,count\r0,10\r60,20\r", b"10\r20\r30\r", b"10\r20\r\n30\r"]
)
def test_lines_that_end_with_cr_alone_are_called_that_and_can_be_mended(
    tmp_path: Path, content: bytes
) -> None:
    assert r":1: its lines end with CR alone: write them with tr '\r' '\n'" in problem(
        written(tmp_path, content)
    )
    mended = written(tmp_path, content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    read_trace(mended)
