"""Names of columns that are queries, and words for requests in several languages."""

from collections.abc import Callable
from typing import Any

import pytest

EPOCH = 1709287200
Read = Callable[..., Any]


def by_minute(name: str) -> str:
    quoted = name.replace('"', '""')
    rows = [f"{EPOCH + 60 * i},{5990 + 7 * i % 21}" for i in range(60)]
    return f'time,"{quoted}"\n' + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("name", "mean_rps"),
    [
        ("rate(http_requests_total[5m])", 6000),
        ("irate(http_requests_total[1m])", 6000),
        ('sum by (instance) (rate(http_requests_total{code="200"}[5m]))', 6000),
        ('rate(http_requests_total{instance="a",status="200"}[1m])', 6000),
        ("requests:rate5m", 6000),
        ("namespace_pod:http_requests:rate5m", 6000),
        ("increase(http_requests_total[5m])", 20),
        ("job:http_requests:increase1h", 6000 / 3600),
        ("increase(http_requests_total[1h30m:1m])", 6000 / 5400),
        ('count_over_time({app="x"}[1m])', 100),
        ("requests per 5 minutes", 20),
        ("req/5min", 20),
        ("requests every 5 min", 20),
        ("requests per 10s", 600),
        ("Anfragen pro Sekunde", 6000),
        ("Anfragen pro Minute", 100),
        ("Requêtes par seconde", 6000),
        ("solicitudes por segundo", 6000),
        ("richieste al secondo", 6000),
        ("nombre de requêtes", 100),
        ("http_requests_prod", 100),
        ("requests pros", 100),
    ],
)
def test_a_rate_is_per_what_its_query_or_its_words_say(
    read: Read, name: str, mean_rps: float
) -> None:
    """
    Grafana names a series without a legend by its query, https://github.com/grafana/grafana/pull/4041;
    an increase is of its own window at every step, https://github.com/prometheus/prometheus/issues/4995
    and https://github.com/grafana/grafana/pull/6872.
    """
    assert read(by_minute(name)).mean_rps == pytest.approx(mean_rps, rel=0.01)


@pytest.mark.parametrize(
    "name",
    [
        *('rate(http_requests_total{code=~"5.."}[1m])', "5xx/s", "requests_5m", "hits_last_hour"),
        *("req_s", "request payload", "request timeouts", "rejected count", "pod_count"),
        *("session count", "requests denied", "5xx", "unsuccessful requests"),
        *("Anfragen pro Pod", "Requêtes par pod", "prod", "idelta(http_requests_total[5m])"),
    ],
)
def test_parts_of_the_load_and_lengths_without_a_per_are_asked_for(asks: Read, name: str) -> None:
    assert "say --trace-" in asks(by_minute(name))


def test_a_number_of_periods_is_bounded(read: Read) -> None:
    assert read(by_minute(f"requests per {'1' * 5000} s")).mean_rps == pytest.approx(100, rel=0.01)


def test_columns_of_one_name_are_told_apart_by_their_numbers(read: Read, asks: Read) -> None:
    """https://github.com/grafana/grafana/issues/24600"""
    rows = [f"{EPOCH + 60 * i},{100 + i % 7},5,1" for i in range(60)]
    text = "Time,Value,Value,Value\n" + "\n".join(rows)
    assert "say --trace-columns value=2, or value=2+3 for their sum" in asks(text)
    assert "has several columns 'Value': say their number, 2 or 3 or 4" in asks(
        text, columns="value=Value"
    )
    assert read(text, columns="value=2+3", values="rates").mean_rps == pytest.approx(
        107.9, rel=0.01
    )


def test_a_column_for_each_status_is_asked_for(read: Read, asks: Read) -> None:
    """Numbers as names of columns: https://github.com/prometheus/prometheus/issues/2039"""
    text = "Time,200,404,500\n" + "\n".join(f"{EPOCH + i},100,5,1" for i in range(60))
    assert "several columns that may be load, '200', '404', '500'" in asks(text)
    assert read(text, columns="value=*").mean_rps == 106


@pytest.mark.parametrize(
    "number", ["1\u202f200,5", "1\u00a0200,5", "1 200,5", "1'200.5", "1’200.5"]
)
def test_thousands_apart_are_read(read: Read, number: str) -> None:
    """https://github.com/dbeaver/dbeaver/issues/7839, https://github.com/wireservice/csvkit/issues/652"""
    text = "time;rps\n" + "\n".join(f"{EPOCH + 60 * i};{number}" for i in range(60))
    assert read(text).mean_rps == 1200.5


def test_two_numbers_are_not_thousands_apart(asks: Read) -> None:
    text = "time;rps\n" + "\n".join(f"{EPOCH + 60 * i};1000 200" for i in range(60))
    assert "'1000 200' is not a number of requests" in asks(text)
    assert "'100 200' may be one number or two" in asks("100\n200\n100 200\n300\n")
