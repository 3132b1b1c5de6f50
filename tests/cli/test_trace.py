"""`infadapter trace`, what every command says of its trace, and traces from a Prometheus."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from infadapter import stores
from infadapter.command_line import main
from tests.operator.authority import a_company, openssl

EPOCH = 1709287200


def run(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(main, arguments, input=stdin, env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "counts.csv"
    rows = "".join(f"{EPOCH + i},{100 + i},0\n" for i in range(30))
    path.write_text(f"timestamp,requests,errors\n{rows}")
    return str(path)


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


def test_it_prints_form_load_and_notes(table: str) -> None:
    lines = run("trace", table).stdout.splitlines()
    assert lines[0].startswith("Trace counts: a table, its time seconds since 1970, 'requests'")
    assert lines[1] == "  30 s, 3,435 requests, mean 114.5 rps, peak 129 rps"
    assert lines[2] == "  note: not read: errors"


def test_it_prints_json(table: str) -> None:
    found = json.loads(run("trace", table, "--format", "json", "--to", "10").stdout)
    assert (found["seconds"], found["mean_rps"], found["silences"]) == (10, 104.5, [])


def test_it_reads_the_standard_input(table: str) -> None:
    result = run("trace", "-", stdin=Path(table).read_text())
    assert "mean 114.5 rps" in result.stdout


def test_it_asks_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "latency.csv"
    path.write_text("time,latency_ms\n" + "".join(f"{i},30\n" for i in range(30)))
    for command in ("trace", "simulate --policies infadapter --trace"):
        assert "'latency_ms' beside the time" in refused(*command.split(), str(path))


def test_what_it_writes_is_read_as_the_same(table: str, tmp_path: Path) -> None:
    counts = tmp_path / "plain.csv"
    assert run("trace", table, "--out", str(counts)).exit_code == 0
    assert counts.read_text().startswith("second,requests\n0,100\n1,101\n")
    assert "mean 114.5 rps, peak 129 rps" in run("trace", str(counts)).stdout
    rates = tmp_path / "rates.csv"
    named = ("--trace-every", "60", "--trace-values", "counts")
    assert run("trace", table, "--out", str(rates), *named).exit_code == 2  # one second apart
    (tmp_path / "minutes").write_text("6001\n" * 3)
    assert run("trace", str(tmp_path / "minutes"), "--out", str(rates), *named).exit_code == 0
    assert rates.read_text().startswith("second,rps\n0,100.01666")
    assert "180 s, about 18,003 requests" in run("trace", str(rates)).stdout


def test_silence_is_listed_and_drawn(tmp_path: Path) -> None:
    path, picture = tmp_path / "silent.csv", tmp_path / "silent.svg"
    counts = [50] * 300 + [0] * 600 + [50] * 300
    path.write_text("second,requests\n" + "".join(f"{i},{n}\n" for i, n in enumerate(counts)))
    assert "--trace-gaps keep" in refused("trace", str(path))
    result = run("trace", str(path), "--trace-gaps", "keep", "--plot", str(picture))
    assert "silent for 10 s or more, 600 s in all: 300 to 900 s" in result.stdout
    assert "<svg" in picture.read_text()


def test_bad_arguments_of_it(table: str, tmp_path: Path) -> None:
    assert "Give a FILE" in refused("trace")
    assert "must end in .png or .svg" in refused("trace", table, "--plot", "x.jpg")
    assert "can't be written" in refused("trace", table, "--out", str(tmp_path / "no" / "x.csv"))
    assert "either --keep-zeros or" in refused(
        "trace", table, "--keep-zeros", "--trace-gaps", "drop"
    )
    assert "has no part from 40 s" in refused("trace", table, "--from", "40")


def test_the_forms_are_listed(table: str) -> None:
    assert "access-log            nginx, Apache, Envoy" in run("trace", "--forms").stdout
    for command in ("trace", "simulate", "what-if", "demo", "forecast backtest"):
        text = " ".join(run(*command.split(), "--help").stdout.split())
        assert "rates, table, timestamps[:COLUMN], access-log, w3c" in text
        assert "--trace-columns time=NAME,value=NAME" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "--policies", "fixed-resnet18-8", "--no-regret", "--format", "json"),
        ("simulate", "--policies", "fixed-resnet18-8", "--no-regret"),
        ("what-if", "--budget", "8,9", "--format", "json"),
    ],
)
def test_every_command_says_what_it_took_the_trace_for(
    table: str, arguments: tuple[str, ...]
) -> None:
    result = run(*arguments, "--trace", table)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("Trace counts: a table, its time seconds since 1970")
    assert "  30 s, 3,435 requests, mean 114.5 rps, peak 129 rps\n" in result.stderr
    assert "  note: not read: errors\n" in result.stderr
    assert "Trace counts" not in result.stdout


def test_a_part_is_said_beside_the_whole(table: str) -> None:
    result = run(
        *("simulate", "--trace", table, "--from", "10", "--to", "20", "--no-regret"),
        *("--policies", "fixed-resnet18-8"),
    )
    assert "played: 10 s to 20 s, mean 114.5 rps, peak 119 rps" in result.stderr


def test_the_forecast_says_it_too(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("second,requests\n" + "".join(f"{i},{50 + i % 9}\n" for i in range(1500)))
    result = run("forecast", "backtest", "--trace", str(path), "--format", "json")
    assert result.exit_code == 0, result.output
    assert "1,500 s" in result.stderr


def test_the_demo_reads_what_the_simulator_reads(tmp_path: Path) -> None:
    path = tmp_path / "latency.csv"
    path.write_text("time,latency_ms\n" + "".join(f"{i},30\n" for i in range(30)))
    assert "'latency_ms' beside the time" in refused("demo", "--trace", str(path))
    path.write_text("time,a,b\n" + "".join(f"{i},30,1\n" for i in range(30)))
    assert "--trace-columns value=a" in refused("demo", "--trace", str(path))


def test_the_command_starts_without_what_only_simulations_need() -> None:
    code = (
        "import sys; from infadapter.commands import trace; "
        "print([name for name in ('numba', 'matplotlib', 'torch', 'kubernetes') "
        "if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr


class Prometheus(ThreadingHTTPServer):
    """Answers as one does: samples where the range asks for them, at most 11,000 a series."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, str]] = []
        self.authorization: str | None = None
        self.tenant: str | None = None
        self.reply: tuple[int, str, str] | None = None
        self.beside: dict[str, Any] = {}

    def handle_error(self, *_: object) -> None:
        """Who does not trust it goes away."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Prometheus

    def do_GET(self) -> None:
        self.server.authorization = self.headers["Authorization"]
        self.server.tenant = self.headers["X-Scope-OrgID"]
        parts = urlsplit(self.path)
        assert parts.path == "/api/v1/query_range"
        asked = {name: found[0] for name, found in parse_qs(parts.query).items()}
        self.server.asked.append(asked)
        self._send(*(self.server.reply or self._answer(asked)))

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, asked: dict[str, str]) -> tuple[int, str, str]:
        start, end, step = (int(asked[name]) for name in ("start", "end", "step"))
        times = range(start, end + 1, step)
        if len(times) > 11_000:
            problem = "exceeded maximum resolution of 11,000 points per timeseries."
            return 400, "application/json", json.dumps({"status": "error", "error": problem})
        result = [{"metric": {"pod": "a"}, "values": [[at, "50"] for at in times]}]
        data = {"resultType": "matrix", "result": result}
        answer = {"status": "success", "data": data, **self.server.beside}
        return 200, "application/json", json.dumps(answer)

    def _send(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    server = Prometheus()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


QUERY = ("--query", "sum(rate(requests_total[1m]))", "--query-until", "2024-03-01T10:00:00Z")


def test_a_prometheus_is_read_in_bounded_parts(prometheus: Prometheus) -> None:
    """It refuses longer ones: https://github.com/prometheus/prometheus/issues/2253"""
    result = run("trace", prometheus.url, *QUERY, "--query-last", "7d", "--query-step", "30s")
    assert result.exit_code == 0, result.output
    assert "604,800 s, about 30,240,000 requests, mean 50 rps" in result.stdout
    assert "from 2024-02-23 10:00:00 UTC" in result.stdout
    assert [asked["query"] for asked in prometheus.asked] == ["sum(rate(requests_total[1m]))"] * 3
    starts = [int(asked["start"]) for asked in prometheus.asked]
    ends = [int(asked["end"]) for asked in prometheus.asked]
    assert starts[1:] == [end + 30 for end in ends[:-1]]
    assert ends[-1] == EPOCH - 30


def test_a_simulation_can_play_what_a_prometheus_has(prometheus: Prometheus) -> None:
    prometheus.beside = {"warnings": ["No StoreAPIs matched for this query"]}
    result = run(
        *("simulate", "--trace", prometheus.url, *QUERY, "--query-last", "1m", "--no-regret"),
        *("--policies", "fixed-resnet18-8", "--format", "json"),
    )
    assert result.exit_code == 0, result.output
    assert "note: the answer came with a warning: No StoreAPIs" in result.stderr
    assert json.loads(result.stdout)["seconds"] == 60


def test_a_bearer_token_is_sent(prometheus: Prometheus, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    assert run("trace", prometheus.url, *QUERY, "--query-token", str(token)).exit_code == 0
    assert prometheus.authorization == "Bearer secret"
    assert "can't be read" in refused(
        "trace", prometheus.url, *QUERY, "--query-token", str(tmp_path / "none")
    )


def test_a_tenants_header_is_sent_and_a_secret_one_is_in_a_file(
    prometheus: Prometheus, tmp_path: Path
) -> None:
    secret = tmp_path / "key"
    secret.write_text("Basic c2VjcmV0\n")
    headers = ("--query-header", "X-Scope-OrgID=a=b", "--query-header", f"Authorization=@{secret}")
    assert run("trace", prometheus.url, *QUERY, *headers).exit_code == 0
    assert prometheus.authorization == "Basic c2VjcmV0"
    assert prometheus.tenant == "a=b"
    prometheus.reply = (403, "application/json", '{"error":"not Basic c2VjcmV0"}')
    assert "c2VjcmV0" not in refused("trace", prometheus.url, *QUERY, *headers)


def folder_of(certificate: Path, folder: Path) -> Path:
    """
    As a bundle may be, too: https://github.com/psf/requests/issues/2659,
    https://github.com/zulip/python-zulip-api/issues/748
    """
    folder.mkdir()
    (folder / certificate.name).write_bytes(certificate.read_bytes())
    openssl("rehash", folder)
    return folder


def test_certificates_are_shown_and_demanded(prometheus: Prometheus, tmp_path: Path) -> None:
    authority = a_company(tmp_path)
    context = authority.serving(strict=True)
    prometheus.socket = context.wrap_socket(
        prometheus.socket, server_side=True, do_handshake_on_connect=False
    )
    url = prometheus.url.replace("http://", "https://")
    certificate, key = map(str, authority.sign("me"))
    shown = ("--query-cert", certificate, "--query-key", key)
    trusted = {"REQUESTS_CA_BUNDLE": str(authority.file)}
    assert run("trace", url, *QUERY, *shown, "--query-ca", str(authority.file)).exit_code == 0
    assert run("trace", url, *QUERY, *shown, env=trusted).exit_code == 0
    folder = {"REQUESTS_CA_BUNDLE": str(folder_of(authority.file, tmp_path / "trusted"))}
    assert run("trace", url, *QUERY, *shown, env=folder).exit_code == 0
    assert "certificate verify failed" in refused("trace", url, *QUERY, *shown)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--query-header", "no header=secret"), "--query-header must be such as X-Scope-OrgID="),
        (("--query-header", "X=@/nowhere/secret"), "--query-header X: /nowhere/secret can't be"),
        (("--query-key", "key.pem"), "give --query-cert, too"),
        (("--query-ca", "/nowhere/ca.pem"), "/nowhere/ca.pem: no certificate, or key, is read"),
        (("--query-cert", "/nowhere/tls.pem"), "/nowhere/tls.pem: no certificate, or key"),
    ],
)
def test_credentials_that_can_not_be_used_are_refused(
    arguments: tuple[str, str], said: str
) -> None:
    assert said in refused("trace", "https://127.0.0.1:1", *QUERY, *arguments)


@pytest.mark.parametrize("option", ["--query-ca", "--query-cert", "--query-key"])
def test_certificates_that_are_pipes_are_not_waited_for(option: str, tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "tls.pem")
    given = [option, str(pipe)]
    if option == "--query-key":
        given += ["--query-cert", __file__]
    told = refused("trace", "https://127.0.0.1:1", *QUERY, *given)
    assert f"The certificate {pipe} is no regular file: put one there." in told


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            (400, "application/json", '{"status":"error","error":"parse error: x\\ny"}'),
            "answered 400: parse error: x y.",
        ),
        ((503, "text/html", "<html>"), "answered 503: Service Unavailable."),
        ((200, "text/html", "<html>login"), "answered text/html, not JSON: there may be a login"),
        ((200, "text/plain", "<html>login"), "answered text/plain, not JSON: there may be a login"),
        ((403, "text/html", "<html>login"), "answered 403: Forbidden: look at --query-token and"),
        ((200, "application/json", '{"data":{"resultTy'), "answered what is no JSON."),
        ((200, "application/json", ""), "answered what is no JSON."),
        (
            (200, "application/json", '{"status":"error","error":"too slow"}'),
            "is an error of Prometheus, 'too slow'.",
        ),
        (
            (200, "application/json", '{"data":{"resultType":"matrix","result":[]}}'),
            "holds no samples.",
        ),
    ],
)
def test_what_goes_wrong_there_is_one_sentence(
    prometheus: Prometheus, reply: tuple[int, str, str], said: str
) -> None:
    prometheus.reply = reply
    sentence = refused("trace", prometheus.url, *QUERY)
    assert sentence.startswith(f"infadapter: The Prometheus at {prometheus.url} ")
    assert sentence.count("The Prometheus at") == 1
    assert said in sentence


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://127.0.0.1:1", *QUERY), "does not answer: Connection refused."),
        (("http://[::1", *QUERY), "has no valid address: Invalid IPv6 URL."),
        (("http://localhost:99999", *QUERY), "has no valid address: Port out of range 0-65535."),
        (("http://localhost:x", *QUERY), "has no valid address: Port could not be cast"),
        (("http://user:word@127.0.0.1:1", *QUERY), "The Prometheus at http://127.0.0.1:1 does"),
        (("http://nowhere.invalid", *QUERY), "does not answer: "),
        (("http://127.0.0.1:1",), "give --query, such as"),
        (("counts.csv", "--query", "up"), "--query asks one Prometheus: give its address"),
        (("http://h", "--query", "up", "--query-until", "noon"), "--query-until must be such as"),
        (("http://h", "--query", "up", "--query-last", "soon"), "is no time such as 90s, 15m"),
        (("http://h", "--query", "up", "--query-last", "200d"), "can be asked for 1 to"),
        (("http://h", "--query", "up", "--query-last", "10s"), "asked for less than one step"),
    ],
)
def test_what_cannot_be_asked_is_said(arguments: tuple[str, ...], said: str) -> None:
    assert said in refused("trace", *arguments)


def test_an_answer_without_end_is_not_read(
    prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "MOST_BYTES", 1000)
    assert "answers with more than" in refused("trace", prometheus.url, *QUERY)


def test_several_files_are_given_one_after_the_other(tmp_path: Path) -> None:
    make: Callable[[str], Path] = tmp_path.joinpath
    make("a").write_text("5\n6\n")
    make("b").write_text("7\n")
    assert "3 s, 18 requests" in run("trace", str(make("a")), str(make("b"))).stdout
    result = run("trace", "--trace", str(make("a")), "--trace", str(make("b")))
    assert "2 files, one after the other" in result.stdout
