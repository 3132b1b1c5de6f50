import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_workload.reading import read_trace
from infadapter_workload.trace import Trace, TraceError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

NGINX = (
    '10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 23 "-" "curl/8"\n'
    '10.0.0.1 - - [10/Oct/2000:13:55:38 -0700] "GET /[x] HTTP/1.1" 200 23 "-" "curl/8"\n'
    '10.0.0.2 - bob [10/Oct/2000:13:55:36 -0700] "GET /b HTTP/1.1" 404 23\n'
)
ENVOY = (
    '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28"\n'
    '[2016-04-15T20:17:01.050Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28"\n'
    '[2016-04-15T20:17:00.900Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28"\n'
)
HEADER_2019 = "HashOwner,HashApp,HashFunction,Trigger,1,2\n"


def read(folder: Path, text: str, form: str | None = None, keep_zeros: bool = False) -> Trace:
    path = folder / "trace.txt"
    path.write_text(text, encoding="utf-8")
    return read_trace(path, keep_zeros, form)


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the folder of shared data is not beside the repository")
    return path


def arrivals(trace: Trace) -> list[float]:
    assert trace.arrivals_s is not None
    return [float(moment) for moment in trace.arrivals_s]


@pytest.mark.parametrize(
    "text",
    [
        "3\n0\n5\n",
        "3\n0\n5",
        "# made by hand\n\n3\n0\n\n5\n",
        "\ufeff3\r\n0\r\n5\r\n",
        "requests\n3\n0\n5\n",
        "second,requests\n0,3\n1,0\n2,5\n",
        "0,3\n1,0\n2,5\n",
        "1600000000, 3\n1600000001, 0\n1600000002, 5\n",
        ",requests\n0,3\n1,0\n2,5\n",
        "time;count\n10;3\n11;0\n12;5\n",
        "Time\tvalue\n1600000000123\t3\n1600000001123\t0\n1600000002123\t5\n",
        '"Time","requests"\n"2021-08-15 01:22:00","3"\n"2021-08-15 01:22:01","0"\n'
        '"2021-08-15 01:22:02","5"\n',
    ],
)
def test_requests_per_second_are_read_in_every_form(tmp_path: Path, text: str) -> None:
    trace = read(tmp_path, text)
    assert trace.rates.tolist() == [3, 0, 5]
    assert trace.counted
    assert (trace.name, trace.notes, trace.arrivals_s) == ("trace", (), None)


@given(rates=st.lists(st.floats(0, 1e6), min_size=1, max_size=50).filter(any))
def test_what_was_written_is_read(
    rates: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trace")
    trace = read(folder, "\n".join(map(repr, rates)), keep_zeros=True)
    assert trace.rates.tolist() == rates
    assert trace.counted == all(rate.is_integer() for rate in rates)


def test_a_compressed_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    for name in ("trace.txt.gz", "trace.txt"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(b"1\n2\n"))
        trace = read_trace(path)
        assert trace.rates.tolist() == [1, 2]
        assert trace.name == "trace"


def test_counts_per_minute_are_spread_and_no_longer_counted(tmp_path: Path) -> None:
    trace = read(tmp_path, "minute,requests\n0,120\n60,30\n")
    assert trace.rates.tolist() == [2] * 60 + [0.5] * 60
    assert not trace.counted
    assert trace.notes == ("its counts of 60 s are spread evenly over them",)


def test_a_column_of_rates_is_held_and_not_divided(tmp_path: Path) -> None:
    trace = read(tmp_path, "time,rps\n0,120\n15,30\n")
    assert trace.rates.tolist() == [120] * 15 + [30] * 15
    assert trace.notes == ("its rates of 15 s are spread evenly over them",)


def test_gaps_of_a_collector_are_dropped_unless_they_are_to_be_kept(tmp_path: Path) -> None:
    text = "50\n" * 30 + "0\n" * 20 + "60\n" * 30
    dropped = read(tmp_path, text)
    assert dropped.seconds == 60
    assert "dropped 20 s in 1 run of" in dropped.notes[0]
    kept = read(tmp_path, text, keep_zeros=True)
    assert (kept.seconds, kept.notes) == (80, ())


def test_the_silence_of_a_low_load_is_no_gap(tmp_path: Path) -> None:
    assert read(tmp_path, ("1\n" + "0\n" * 19) * 5).seconds == 100


@pytest.mark.parametrize(
    "text",
    [
        "1700000000.25\n1700000000.25\n1700000002.5\n",
        "1700000000250\n1700000000250\n1700000002500\n",
        "1700000000250000000\n1700000000250000000\n1700000002500000000\n",
        "2023-11-14T22:13:20.25Z\n2023-11-14T22:13:20.250Z\n2023-11-14T22:13:22.5Z\n",
        "2023-11-14T23:13:20.25+01:00\n2023-11-14 22:13:20.250\n2023-11-14T21:13:22.5-0100\n",
        "timestamp\n1700000000.25\n1700000000.25\n1700000002.5\n",
        "id,timestamp,size\na,1700000000.25,9\nb,1700000000.25,9\nc,1700000002.5,9\n",
        "a,1700000000.25,9\nb,1700000000.25,9\nc,1700000002.5,9\n",
        "timestamp,latency\n1700000000.25,9\n1700000000.25,9\n1700000002.5,9\n",
    ],
)
def test_a_time_stamp_for_each_request_is_read_in_every_form(tmp_path: Path, text: str) -> None:
    trace = read(tmp_path, text)
    assert arrivals(trace) == [0.25, 0.25, 2.5]
    assert trace.rates.tolist() == [2, 0, 1]
    assert trace.counted


def test_seven_digits_of_a_second_are_kept(tmp_path: Path) -> None:
    text = (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319601,3180,8\n"
    )
    assert arrivals(read(tmp_path, text)) == [0.97996, 1.0319601]


def test_whole_seconds_are_counted_and_their_silence_is_no_gap(tmp_path: Path) -> None:
    trace = read(tmp_path, "1700000000\n" * 100 + "1700000020\n" * 50)
    assert trace.arrivals_s is None
    assert trace.counted
    assert trace.rates.tolist() == [100, *[0] * 19, 50]
    assert "whole seconds" in trace.notes[0]


def test_the_number_alone_tells_a_rate_from_a_time_stamp_unless_one_says_so(
    tmp_path: Path,
) -> None:
    assert read(tmp_path, "0.5\n7\n").rates.tolist() == [0.5, 7]
    assert arrivals(read(tmp_path, "0.5\n7\n", "timestamps")) == [0.5, 7]
    assert read(tmp_path, "800000000\n").seconds == 1


def test_the_column_of_the_times_can_be_named(tmp_path: Path) -> None:
    text = "timestamp,arrived\n1700000009,1700000000.5\n1700000009,1700000001.5\n"
    assert arrivals(read(tmp_path, text, "timestamps:arrived")) == [0.5, 1.5]


def test_a_table_with_times_from_a_start_is_requests_only_if_one_says_so(tmp_path: Path) -> None:
    text = "id,time,size\n1,0.5,20\n2,1.5,30\n"
    with pytest.raises(TraceError, match="does not mean a number of requests"):
        read(tmp_path, text)
    assert arrivals(read(tmp_path, text, "timestamps")) == [0.5, 1.5]


def test_access_logs_are_read_and_sorted_by_the_start_of_the_request(tmp_path: Path) -> None:
    nginx = read(tmp_path, NGINX)
    assert nginx.rates.tolist() == [2, 0, 1]
    assert any("sorted: 1 of" in note for note in nginx.notes)
    envoy = read(tmp_path, ENVOY)
    assert arrivals(envoy) == [0.31, 0.9, 1.05]
    assert envoy.notes == ("sorted: 1 of its requests began before the one above",)


def test_functions_of_2019_are_summed_or_one_is_chosen(tmp_path: Path) -> None:
    text = HEADER_2019 + "o,a,f,http,60,0\no,a,g,timer,6,120\n"
    trace = read(tmp_path, text)
    assert trace.rates.tolist() == [1.1] * 60 + [2] * 60
    assert not trace.counted
    one = read(tmp_path, text, "azure-functions-2019:g")
    assert one.rates.tolist() == [0.1] * 60 + [2] * 60


def test_functions_of_2021_start_their_duration_before_their_end(tmp_path: Path) -> None:
    text = "app,func,end_timestamp,duration\na,f,2.5,0.25\na,g,3.5,3.0\na,f,4.75,0.5\n"
    assert arrivals(read(tmp_path, text)) == [0.5, 2.25, 4.25]
    assert arrivals(read(tmp_path, text, "azure-functions-2021:f")) == [0.25, 2.25]


def test_the_series_of_a_range_query_are_summed_and_held_over_the_step(tmp_path: Path) -> None:
    series = [
        {"metric": {"pod": "a"}, "values": [[1700000000.781, "1.5"], [1700000015.781, "2"]]},
        {"metric": {"pod": "b"}, "values": [[1700000015.781, "40"]]},
    ]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": series}}
    trace = read(tmp_path, json.dumps(answer, indent=1))
    assert trace.rates.tolist() == [1.5] * 15 + [42] * 15
    assert not trace.counted


@pytest.mark.parametrize(
    ("name", "seconds", "requests", "peak"),
    [
        ("twitter2021/day15_bursty_1260s.csv", 1260, 121_697, 274),
        ("autothrottle/bursty.txt", 3600, 587_788, 397),
        ("azure_llm_2023/AzureLLMInferenceTrace_code.csv", 3437, 8819, 67),
    ],
)
def test_the_traces_at_hand_are_read(name: str, seconds: int, requests: int, peak: int) -> None:
    trace = read_trace(shared(name))
    assert (trace.seconds, trace.requests, trace.peak_rps) == (seconds, requests, peak)
    assert trace.counted


def test_two_weeks_of_counts_lose_their_daily_gap(tmp_path: Path) -> None:
    trace = read_trace(shared("twitter2021/requests_per_second_days_01_14.txt.gz"))
    assert trace.seconds == 14 * 86_400 - 25_302
    assert "25,302 s in 41 runs" in trace.notes[0]
    assert np.isclose(trace.mean_rps, 64.9, atol=0.1)
