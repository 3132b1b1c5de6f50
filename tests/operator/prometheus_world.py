"""
Servers for the tests of the Prometheus adapter: one whose answers a test sets, some that Prometheus
scrapes, and a real Prometheus if it is installed.
"""

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlparse

import pytest
from prometheus_api_client.exceptions import PrometheusApiClientException

from tests.patience import PATIENCE_S

Server = TypeVar("Server", bound=ThreadingHTTPServer)


@contextmanager
def served(server: Server) -> Iterator[Server]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        if isinstance(server, Answers):
            server.may_answer.set()
        server.shutdown()
        thread.join()


class Answers(ThreadingHTTPServer):
    """
    Answers every request with `answer`, which tests set: JSON, bytes, or a function that returns
    the parts of a body of unknown length.
    """

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore errors: a client that gave up has closed the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.answer: Any = {}
        self.content_type = "application/json"
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: dict[str, str] = {}
        self.by_address: set[str] = set()  # parameters in the URL of the last request
        self.requests: list[tuple[str, int]] = []  # method, length of the URL
        self.headers: dict[str, str] = {}  # of the last request
        self.answer_headers: dict[str, str] = {}
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def secure(self, context: ssl.SSLContext) -> None:
        """Serve TLS. Each handshake has its own thread, so that a failing one blocks no other."""
        self.scheme = "https"
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def gives(self, *values: tuple[float, str], series: int = 1) -> None:
        result = [{"metric": {}, "values": [list(v) for v in values]}] * series
        self.answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        form = parse_qs(self.rfile.read(length).decode())
        by_address = parse_qs(urlparse(self.path).query)
        self.server.headers = dict(self.headers)
        self.server.requests.append((self.command, len(self.path)))
        self.server.asked = {key: values[0] for key, values in (by_address | form).items()}
        self.server.by_address = set(by_address)
        self.server.may_answer.wait(PATIENCE_S)
        answer = self.server.answer
        body = b"" if callable(answer) else _body(answer)
        self.send_response(self.server.status)
        for name, value in self.server.answer_headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", self.server.content_type)
        if not callable(answer):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for part in answer() if callable(answer) else [body]:
            self.wfile.write(part)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        return


def _body(answer: Any) -> bytes:
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


class Exposing(ThreadingHTTPServer):
    """Answers every scrape with `text()`, or with 500 while it is not `alive`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exposition)
        self.alive = True

    def text(self) -> str:
        raise NotImplementedError


class _Exposition(BaseHTTPRequestHandler):
    server: Exposing

    def do_GET(self) -> None:
        body = self.server.text().encode()
        self.send_response(200 if self.server.alive else 500)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def scraping(folder: Path, *scraped: Exposing) -> Iterator[str]:
    """Yield the URL of a Prometheus that scrapes them every second, from 5 s after its start on."""
    targets = [f"127.0.0.1:{one.server_address[1]}" for one in scraped]
    config = {
        "scrape_configs": [
            {
                "job_name": "tests",
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "honor_labels": True,
                "metrics_path": "/stats/prometheus",
                "static_configs": [{"targets": targets}],
            }
        ]
    }
    with running(folder, config) as url:
        eventually(lambda: urllib.request.urlopen(f"{url}/-/ready").close())
        yield url


@contextmanager
def running(folder: Path, config: Any, web: Any = None) -> Iterator[str]:
    """Yield the URL of a Prometheus, which may not be ready yet; `web`: its TLS and its users."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("no prometheus on the PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "prometheus.yml").write_text(json.dumps(config))
    (folder / "web.yml").write_text(json.dumps(web or {}))
    running = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.config.file={folder / 'web.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    try:
        yield f"{'https' if web else 'http'}://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def eventually(attempt: Any) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            return attempt()  # type: ignore[no-any-return]
        except (OSError, PrometheusApiClientException):  # it listens before it is ready
            time.sleep(0.2)
    raise TimeoutError("Prometheus did not start")
