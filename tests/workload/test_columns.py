"""Which column is the load, by its name; what is not sure is asked."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_workload.formats.names import Kind, meaning_of_name, words_of

EPOCH = 1709287200
ROWS = range(30)

Read = Callable[..., Any]


def table(header: str, row: Callable[[int], str]) -> str:
    return "\n".join([header, *map(row, ROWS)]) + "\n"


def by_minute(name: str, first: int) -> str:
    return table(f"time,{name}", lambda i: f"{60 * i},{first + i}")


def test_the_requests_are_read_beside_errors(read: Read) -> None:
    text = table("timestamp,requests,errors", lambda i: f"{EPOCH + i},{100 + i},0")
    trace = read(text)
    assert (trace.seconds, trace.mean_rps) == (30, 114.5)
    assert trace.notes == ("not read: errors",)
    assert "'requests' counted in steps of 1 s, from 2024-03-01 10:00:00 UTC" in trace.form


GRAFANA = table('"Time","pod-a","pod-b"', lambda i: f'"2024-03-01 10:{i:02}:00",{100 + i},{50 + i}')


def test_a_column_for_each_pod_is_asked_for_and_summed(read: Read, asks: Read) -> None:
    assert "--trace-columns value=pod-a, or value=pod-a+pod-b for their sum" in asks(GRAFANA)
    for value in ("value=*", "value=pod-a+pod-b", "value=2+3"):
        assert "say --trace-values rates" in asks(GRAFANA, columns=value)
        assert read(GRAFANA, columns=value, values="rates").mean_rps == 179
    one = read(GRAFANA, columns="time=Time,value=POD-B", values="counts")
    assert one.mean_rps == pytest.approx(64.5 / 60)


def test_columns_of_a_monitor_are_no_requests_where_its_steps_are_uneven(asks: Read) -> None:
    """As exports of several series are: https://github.com/grafana/grafana/pull/4041"""
    uneven = table(
        "Time;valA;valB", lambda i: f"2015-06-11T11:{i:02}:{i * i % 7:02}.000Z;{i}.1;2.0"
    )
    assert "'valA', 'valB'" in asks(uneven)
    sparse = table("Time,a,b", lambda i: f"2024-03-01 {10 + i % 5}:{i}:{i * i % 60:02},1,2")
    assert "'a', 'b'" in asks(sparse)


@pytest.mark.parametrize(
    "name",
    [
        *("requests per second", "RequestsPerSec", "tps", "Requests/s", "req/s", "reqps", "qps"),
        *(
            "http_requests_per_second",
            "rps (avg)",
            "request_rate",
            "Throughput (req/s)",
            "Anfragen/s",
        ),
    ],
)
def test_rates_are_held_over_the_step(read: Read, name: str) -> None:
    trace = read(by_minute(name, 100))
    assert (trace.mean_rps, trace.seconds) == (114.5, 1800)


@pytest.mark.parametrize(
    "name",
    [
        *("operate_count", "generated requests", "requests", "n_requests", "RequestCount", "hits"),
        *("# requests", "requests per minute", "rpm", "req/min", "REQUESTS"),
    ],
)
def test_counts_of_a_minute_and_rates_per_minute_are_divided(read: Read, name: str) -> None:
    assert read(by_minute(name, 6000)).mean_rps == pytest.approx(6014.5 / 60)


@pytest.mark.parametrize("name", ["krps", "kreq/s", "Kreq/s"])
def test_thousands_per_second_are_multiplied(read: Read, name: str) -> None:
    assert read(table(f"time,{name}", lambda i: f"{60 * i},1.5")).mean_rps == 1500


@pytest.mark.parametrize(
    "name",
    ["requests (k)", "requests in thousands", "rps_per_pod", "requests per second per instance"],
)
def test_thousands_and_parts_of_the_load_are_asked_for(asks: Read, name: str) -> None:
    assert "which may be load or something else" in asks(by_minute(name, 100))


@pytest.mark.parametrize("other", ["predicted_requests", "target_rps", "pending_requests"])
def test_what_is_not_yet_served_is_no_load(read: Read, asks: Read, other: str) -> None:
    assert read(table(f"time,requests,{other}", lambda i: f"{i},6,7")).mean_rps == 6
    assert f"has {other!r}" in asks(table(f"time,{other}", lambda i: f"{i},6"))


@pytest.mark.parametrize("name", ["t", "elapsed_s", "step", "index", "x"])
def test_the_first_of_two_columns_is_the_time_under_whatever_name(read: Read, name: str) -> None:
    assert read(table(f"{name},requests", lambda i: f"{i},100")).seconds == 30


@pytest.mark.parametrize("header", ["year,month,day,requests", "date,hour,requests"])
def test_a_time_in_several_columns_is_asked_for(asks: Read, header: str) -> None:
    start = "2024,3" if "year" in header else "2024-03-01"
    assert "its time in several columns" in asks(table(header, lambda i: f"{start},{i + 1},36000"))


@pytest.mark.parametrize("time", ["time", "timestamp"])
@pytest.mark.parametrize(
    "name",
    [
        *("duration", "latency_ms", "response time", "elapsed", "errors", "cpu %", "tokens"),
        *("bytes/s", "status", "error rate", "p99", "active users", "request_duration_seconds"),
        *("Failures/s", "error_count", "tokens per second", "Request tokens"),
    ],
)
def test_what_is_no_load_by_its_name_is_refused(asks: Read, time: str, name: str) -> None:
    first = EPOCH if time == "timestamp" else 0
    sentence = asks(table(f"{time},{name}", lambda i: f"{first + i},{100 + i}"))
    assert (
        f"has {name!r} beside the time, whose name does not mean a number of requests" in sentence
    )


@pytest.mark.parametrize(
    "header",
    ["time,2xx,5xx", "time,avg_rps,max_rps", "time,requests,hits", "time,foo,bar", "time,foo"],
)
def test_several_that_may_be_load_are_asked_for(asks: Read, header: str) -> None:
    width = header.count(",")
    assert "--trace-columns value=" in asks(table(header, lambda i: f"{i}" + ",50" * width))


@pytest.mark.parametrize("header", ["time,value", "time,load", ""])
def test_what_does_not_say_whether_it_is_a_rate_is_asked_for(
    read: Read, asks: Read, header: str
) -> None:
    text = table(header, lambda i: f"{60 * i},{6000 + i % 7}")
    assert "say --trace-values rates if it is per second, or counts" in asks(text)
    assert read(text, values="counts").mean_rps == pytest.approx(100.05, abs=0.01)
    assert read(text, values="rates").mean_rps == pytest.approx(6003, abs=0.5)
    assert read(table(header, lambda i: f"{i},{100 + i % 7}")).counted


def test_the_columns_of_load_testers_are_known(read: Read, asks: Read) -> None:
    """
    https://github.com/locustio/locust/issues/2340 has the first, with numbers of requests that
    only grow beside it; https://github.com/grafana/k6/pull/2829 the second, ten rows a request.
    """
    locust = table(
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,Total Request Count",
        lambda i: f"{EPOCH + i},10,,Aggregated,{100 + i},0,N/A,{1000 + 100 * i}",
    )
    assert read(locust).mean_rps == 114.5
    k6 = "metric_name,timestamp,metric_value\n" + "".join(
        f"http_reqs,{EPOCH + i // 5},1.0\nhttp_req_duration,{EPOCH + i // 5},213.4\n"
        for i in range(100)
    )
    assert "'metric_value'" in asks(k6)
    assert read(k6, "timestamps", only="metric_name=http_reqs").mean_rps == 5


@pytest.mark.parametrize(
    ("values", "mean_rps"),
    [
        (lambda i: f"{100 + i} req/s", 114.5),
        (lambda i: f"{1 + i / 100:.2f} K req/s", 1145),
        (lambda i: f"{6000 + 60 * i} rpm", 114.5),
        (lambda i: f"{100 + i},5 req/s", 115),
        (lambda i: f"1.{100 + i},5 rps", 1115),
        (lambda i: f"1,{100 + i}.5 rps", 1115),
    ],
)
def test_numbers_with_units_thousands_and_decimal_commas_are_read(
    read: Read, values: Callable[[int], str], mean_rps: float
) -> None:
    """Units in each row: https://github.com/grafana/grafana/issues/31319"""
    text = table("time;load", lambda i: f"2024-03-01 10:{i:02}:00;{values(i)}")
    assert read(text).mean_rps == pytest.approx(mean_rps)


def test_thousands_without_quotes_are_read_between_semicolons(read: Read) -> None:
    """https://github.com/grafana/grafana/issues/14578"""
    text = table(
        '"Series";"Time";"Value"', lambda i: f'"[[t]]";"2018-12-12T12:00:{i:02}+11:00";1,721.{i:02}'
    )
    assert read(text).mean_rps == pytest.approx(1721.145)


def test_a_long_table_of_series_is_asked_which(read: Read, asks: Read) -> None:
    """https://github.com/grafana/grafana/issues/2401"""
    text = "Series;Time;Value\n" + "".join(
        f"{name};2024-03-01T10:00:{i:02}Z;{rps}\n"
        for name, rps in (("a", 9), ("b", 5))
        for i in ROWS
    )
    assert "does not come after" in asks(text)
    assert read(text, only="Series=a").mean_rps == 9


@pytest.mark.parametrize(
    ("text", "mean_rps"),
    [
        (table("second rps", lambda i: f"{10 * i} {100 + i}"), 114.5),
        (table("# time requests", lambda i: f"{60 * i} 6000"), 100),
        (table("sep=;\nsecond;requests", lambda i: f"{i};{100 + i}"), 114.5),
        (
            table(",timestamp,requests", lambda i: f"{i},2024-03-01T10:00:{i:02}.000Z,{100 + i}"),
            114.5,
        ),
        (table('"time","requests"', lambda i: f'"{EPOCH + 60 * i}","6,000"'), 100),
        (table(" time , requests ", lambda i: f"{EPOCH + 60 * i} , 6000"), 100),
        (table("date,time,requests", lambda i: f"2024-03-01,10:{i:02}:00,6000"), 100),
        (table("Datum;Anzahl", lambda i: f"{1 + i:02}.01.2024;8640000"), 100),
        (table("second|requests", lambda i: f"{i}|{100 + i}"), 114.5),
    ],
)
def test_tables_are_cut_as_they_are_written(read: Read, text: str, mean_rps: float) -> None:
    trace = read(text)
    assert trace.mean_rps == pytest.approx(mean_rps)
    assert not any("not read" in note for note in trace.notes)


def test_rows_without_a_time_are_asked_how_often_they_come(read: Read, asks: Read) -> None:
    text = table("requests,errors", lambda i: "6000,1")
    assert "--trace-every SECONDS" in asks(text)
    assert read(text, every="60").mean_rps == 100


def test_a_log_of_messages_is_no_trace(asks: Read) -> None:
    text = "".join(f"2024-03-01 10:00:{i:02},123 INFO handled {i}\n" for i in ROWS)
    assert "messages of a server, such as at level 'INFO'" in asks(text)


@given(st.text(max_size=30))
def test_every_name_is_one_of_the_kinds(name: str) -> None:
    assert meaning_of_name(name).kind in Kind
    assert all(words_of(name))
