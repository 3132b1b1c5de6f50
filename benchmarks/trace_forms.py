"""
One load in every form that traces come in, and what each is taken for: docs/images/trace-forms.png.

    python -m benchmarks.trace_forms --output docs/images/trace-forms.png
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np

from infadapter.traces import TraceOptions, trace_of
from infadapter_workload.formats.azure import HEADER_2019, HEADER_2021
from infadapter_workload.trace import Array, Trace

START_S = 1_709_287_200
SECONDS = 600
STEP_S = 60


def load() -> Array:
    """Requests in each of ten minutes' seconds: a wave, and a burst on it."""
    at_s = np.arange(SECONDS)
    burst = 20 * np.exp(-(((at_s - 420) / 40) ** 2))
    rates: Array = np.rint(16 + 8 * np.sin(at_s / 80) + burst)
    return rates


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of one form, and what has to be said of it."""

    title: str
    text: Callable[[Array], str]
    said: dict[str, str] = field(default_factory=dict)


def sample_trace(sample: Sample, folder: Path) -> Trace:
    path = folder / "sample"
    path.write_text(sample.text(load()), encoding="utf-8")
    return trace_of(TraceOptions(trace=(str(path),), **sample.said))  # type: ignore[arg-type]


def _rows(header: str, line: Callable[[int, float], str]) -> Callable[[Array], str]:
    """By the second."""
    return lambda rates: "\n".join([header, *(line(at, rate) for at, rate in enumerate(rates))])


def _steps(header: str, line: Callable[[int, float], str]) -> Callable[[Array], str]:
    """By the minute, of means."""

    def text(rates: Array) -> str:
        means = rates.reshape(-1, STEP_S).mean(axis=1)
        return "\n".join([header, *(line(STEP_S * at, mean) for at, mean in enumerate(means))])

    return text


def _requests(line: Callable[[float], str], header: str = "") -> Callable[[Array], str]:
    """A line for each request, evenly within its second."""

    def text(rates: Array) -> str:
        lines = [line(at_s) for at_s in _moments(rates)]
        return "\n".join([*([header] if header else []), *lines]) + "\n"

    return text


def _moments(rates: Array) -> Iterator[float]:
    for second, rate in enumerate(rates.astype(int)):
        yield from (second + (index + 0.5) / rate for index in range(rate))


def _at(at_s: float, form: str) -> str:
    return datetime.fromtimestamp(START_S + at_s, UTC).strftime(form)


def _answer(rates: Array) -> str:
    means = rates.reshape(-1, STEP_S).mean(axis=1)
    values = [[START_S + STEP_S * at, str(mean)] for at, mean in enumerate(means)]
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
    return json.dumps({"status": "success", "data": data})


def _promtool(rates: Array) -> str:
    return json.dumps(json.loads(_answer(rates))["data"]["result"])


def _azure_2019(rates: Array) -> str:
    sums = rates.reshape(-1, 60).sum(axis=1).astype(int)
    minutes = ",".join(str(1 + at) for at in range(len(sums)))
    return f"{','.join(HEADER_2019)},{minutes}\no,a,f,http,{','.join(map(str, sums))}\n"


def _counter(rates: Array) -> str:
    sums = np.cumsum(np.concatenate([[1e6], rates.reshape(-1, 15).sum(axis=1)]))
    rows = (f"{START_S + 15 * at},{count:.0f}" for at, count in enumerate(sums))
    return "\n".join(["timestamp,http_requests_total", *rows])


_CLF = "%d/%b/%Y:%H:%M:%S"
_ISO = "%Y-%m-%dT%H:%M:%S.%fZ"

SAMPLES = (
    Sample("one number a line", lambda rates: "\n".join(f"{rate:.0f}" for rate in rates)),
    Sample("CSV by the second", _rows("second,requests", lambda at, rate: f"{at},{rate:.0f}")),
    Sample("CSV of rates by the minute", _steps("time,rps", lambda at, mean: f"{at},{mean}")),
    Sample(
        "semicolons, decimal comma, unit",
        _steps(
            "Zeit;Last",
            lambda at, mean: _at(at, "%d.%m.%Y %H:%M;") + f"{mean:.2f} req/s".replace(".", ","),
        ),
    ),
    Sample(
        "Grafana, a column for each pod",
        _steps(
            '"Time","a","b"',
            lambda at, mean: f'"{_at(at, "%Y-%m-%d %H:%M:%S")}",{mean / 4},{3 * mean / 4}',
        ),
        {"trace_columns": "value=*", "trace_values": "rates"},
    ),
    Sample("a counter", _counter, {"trace_values": "counter"}),
    Sample("time stamps, ISO 8601", _requests(lambda at: _at(at, _ISO))),
    Sample(
        "time stamps in ms, a table",
        _requests(
            lambda at: f"{1000 * (START_S + at):.0f},home,200", "timeStamp,label,responseCode"
        ),
    ),
    Sample(
        "nginx",
        _requests(lambda at: f'1.2.3.4 - - [{_at(at, _CLF)} +0000] "GET / HTTP/1.1" 200 9 "-" "c"'),
    ),
    Sample(
        "Apache, microseconds",
        _requests(lambda at: f'1.2.3.4 - - [{_at(at, _CLF + ".%f")} +0000] "GET / HTTP/1.1" 200 9'),
    ),
    Sample("Envoy", _requests(lambda at: f'[{_at(at, _ISO)}] "GET / HTTP/2" 204 - 154 0 226 100')),
    Sample(
        "HAProxy",
        _requests(
            lambda at: (
                f"haproxy[9]: 1.2.3.4:3 [{_at(at, _CLF + '.%f')[:-3]}] in a/b 1/0/3/6/9 200 5 "
                '- - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"'
            )
        ),
    ),
    Sample(
        "AWS balancer",
        _requests(
            lambda at: f'http {_at(at, _ISO)} app/lb/5 1.2.3.4:2 - 0 0 0 200 200 0 5 "GET x"'
        ),
    ),
    Sample(
        "CloudFront, IIS: #Fields",
        _requests(
            lambda at: _at(at, "%Y-%m-%d\t%H:%M:%S\tGET\t/\t200"),
            "#Version: 1.0\n#Fields: date time cs-method cs-uri-stem sc-status",
        ),
    ),
    Sample(
        "Envoy, JSON lines",
        _requests(lambda at: json.dumps({"start_time": _at(at, _ISO), "response_code": 200})),
    ),
    Sample(
        "Caddy, JSON lines",
        _requests(lambda at: json.dumps({"level": "info", "ts": START_S + at, "status": 200})),
    ),
    Sample(
        "Mooncake, JSON lines",
        _requests(
            lambda at: json.dumps(
                {"timestamp": int(1000 * at), "input_length": 9, "output_length": 5, "hash_ids": []}
            )
        ),
    ),
    Sample("Prometheus, range answer", _answer),
    Sample("promtool -o json", _promtool),
    Sample("Azure Functions 2019", _azure_2019),
    Sample(
        "Azure Functions 2021",
        _requests(lambda at: f"a,f,{at + 1:.4f},1", ",".join(HEADER_2021)),
    ),
)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(output: Path) -> None:
    """Draw what each is taken for."""
    from benchmarks.trace_sheet import sheet

    with tempfile.TemporaryDirectory() as folder:
        traces = [(sample.title, sample_trace(sample, Path(folder))) for sample in SAMPLES]
    for title, trace in traces:
        click.echo(f"{title:34}{trace.mean_rps:8.2f} rps  {trace.form}")
    sheet(traces, output)


if __name__ == "__main__":
    main()
