"""Files of the kinds that users of monitors and load testers reported, with the right answer."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main

START_S = 1_709_287_200
MINUTES = [datetime(2024, 3, 1) + timedelta(minutes=minute) for minute in range(120)]
HOURS = [datetime(2013, 10, 1) + timedelta(hours=hour) for hour in range(72)]


class File(NamedTuple):
    reported: str
    text: str
    mean_rps: float
    says: str = ""
    options: tuple[str, ...] = ()


class Refused(NamedTuple):
    reported: str
    text: str
    says: str


def lines(rows: Iterable[str], head: str = "") -> str:
    return "\n".join([*([head] if head else []), *rows]) + "\n"


def answer(
    *values: Iterable[float], labels: Iterable[Mapping[str, str]] = ({},), **beside: object
) -> str:
    """Of a range query, in steps of 15 s."""
    series = [
        {"metric": dict(names), "values": [[START_S + 15 * i, str(v)] for i, v in enumerate(each)]}
        for names, each in zip(labels, values, strict=True)
    ]
    data = {"resultType": "matrix", "result": series}
    return json.dumps({"status": "success", "data": data, **beside})


RISING = [10_000 + 375 * step for step in range(40)]
STEADY = [25.0] * 40

REFUSED = {
    "a counter that is not named as one": Refused(
        "https://github.com/prometheus/prometheus/issues/7826",
        answer(RISING, labels=[{"__name__": "nginx_ingress_controller_requests"}]),
        "has values that never fall, from 10,000 to 24,625, as a counter",
    ),
    "the count of a timer": Refused(
        "https://github.com/micrometer-metrics/micrometer/issues/1615",
        answer(RISING, labels=[{"__name__": "http_server_requests_seconds_count"}]),
        "is http_server_requests_seconds_count itself, which its name says is a counter",
    ),
    "buckets beside a code, each request once for each": Refused(
        "https://github.com/jupyterhub/grafana-dashboards/pull/150",
        answer(STEADY, STEADY, labels=[{"code": "200", "le": le} for le in ("0.1", "+Inf")]),
        "has a series for each 'le', parts of a histogram",
    ),
    "one bucket, by name": Refused(
        "https://github.com/prometheus/client_python/issues/697",
        answer(STEADY, labels=[{"__name__": "request_latency_seconds_bucket", "le": "0.75"}]),
        "has a series for each 'le', parts of a histogram",
    ),
    "a load balancer that writes nothing for no requests": Refused(
        "https://github.com/structurely/ecs-autoscale/issues/34",
        lines(
            (f"{m.isoformat()}Z,6000" for m in MINUTES if m.minute % 3), "Timestamp,RequestCount"
        ),
        "say --trace-gaps keep if that is load of 0, or drop if it was not recorded",
    ),
    "a load tester's phases of a request": Refused(
        "https://github.com/rakyll/hey/pull/126",
        lines(
            (f"0.05,0.002,0,0.0001,0.046,0.0001,200,{i / 20}" for i in range(600)),
            "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset",
        ),
        "say --trace-columns time=NAME, or --trace-every SECONDS",
    ),
    "a load tester's summary of each target": Refused(
        "https://github.com/eggjs/benchmark/pull/6",
        lines(
            ["koa hello,165.0,180171,17834.64", "toa hello,168.0,193770,19177.83"],
            "name,latency_min,requests,req_per_sec",
        ),
        "say --trace-columns time=NAME, or --trace-every SECONDS",
    ),
    "several numbers of operations": Refused(
        "https://github.com/minio/warp/issues/261",
        lines(
            (f"{i},GET,51,50,0,50,2023-04-14T20:27:{i:02d}+02:00" for i in range(50)),
            "index,op,ops_started,ops_ended,errors,ops_ended_per_sec,start_time",
        ),
        "several columns that may be load, 'ops_started', 'ops_ended', 'ops_ended_per_sec'",
    ),
    "milliseconds as a spreadsheet rounded them": Refused(
        "https://github.com/microsoft/azure-load-testing/issues/67",
        lines(
            (f"1.64797E+12,{50 + i % 7},GET,200" for i in range(50)), "timeStamp,elapsed,label,code"
        ),
        "say its unit with --trace-unit",
    ),
    "hours without a name": Refused(
        "https://github.com/jdlrobson/weekipedia/issues/143",
        lines(f"{h:%Y%m%d%H},360000" for h in HOURS),
        "say --trace-values rates if it is per second, or counts if it is per step",
    ),
}

READ = {
    "hours as one number, one of them missing": File(
        "https://github.com/reidpr/quac/issues/82, https://github.com/MusikAnimal/pageviews/issues/17",
        lines((f"{h:%Y%m%d%H},360000" for h in HOURS if h != HOURS[30]), "timestamp,requests"),
        100.0,
        "left out 1 gap with 3,600 s without data, the first at 108,000 s",
    ),
    "a minute that a collector missed": File(
        "https://github.com/prometheus/cloudwatch_exporter/issues/95",
        lines(
            (f"{m.isoformat()}Z,6000" for m in MINUTES if m != MINUTES[50]),
            "Timestamp,RequestCount",
        ),
        100.0,
        "left out 1 gap with 60 s without data, the first at 3,000 s",
    ),
    "minutes without requests, of which that is said": File(
        "https://github.com/grafana/grafana/pull/22331",
        lines(
            (f"{m.isoformat()}Z,6000" for m in MINUTES if m.minute % 3), "Timestamp,RequestCount"
        ),
        67.23,
        "39 gaps with 2,340 s without data are taken as load of 0",
        ("--trace-gaps", "keep"),
    ),
    "warnings beside the data": File(
        "https://github.com/thanos-io/thanos/pull/2995",
        answer(STEADY, warnings=["store not available"]),
        25.0,
        "the answer came with a warning: store not available",
    ),
    "warnings of several namespaces": File(
        "https://github.com/m3db/m3/pull/2836",
        answer(STEADY, warnings=["m3db exceeded query limit"]),
        25.0,
        "the answer came with a warning: m3db exceeded query limit",
    ),
    "a counter, of which that is said, with a restart": File(
        "https://github.com/prometheus/client_js/issues/364",
        answer(
            [*RISING[:20], *range(375, 7_501, 375)], labels=[{"__name__": "http_requests_total"}]
        ),
        25.0,
        options=("--trace-values", "counter"),
    ),
    "a load tester's offsets, as they ended": File(
        "https://github.com/rakyll/hey/pull/126",
        lines((f"0.05,200,{(i ^ 1) / 20}" for i in range(600)), "response-time,status-code,offset"),
        20.0,
        options=("--trace-format", "timestamps:offset"),
    ),
}


def trace(tmp_path: Path, text: str, *options: str) -> Result:
    path = tmp_path / "reported"
    path.write_text(text)
    result = CliRunner().invoke(main, ["trace", str(path), "--format", "json", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_not_surely_load_is_asked_for(tmp_path: Path, case: Refused) -> None:
    result = trace(tmp_path, case.text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert case.says in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_what_is_surely_load_is_read_and_what_was_changed_is_said(
    tmp_path: Path, case: File
) -> None:
    result = trace(tmp_path, case.text, *case.options)
    assert result.exit_code == 0, result.output
    found: Any = json.loads(result.stdout)
    assert found["mean_rps"] == pytest.approx(case.mean_rps, rel=0.03)
    assert case.says in "; ".join(found["notes"])
