"""The protocol's tests, against a server that is named, or one of ours that is started for them.

    pytest tests/conformance                                              ours
    pytest tests/conformance --oip-url http://HOST:PORT --oip-model NAME  another one, REST
                             --oip-grpc HOST:PORT                         and gRPC

Only the protocol's own documents are relied on: what a request looks like is learnt from the
model's metadata. Nothing of ours is imported, so the tests run where another server is installed.
"""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.target import Target

STARTUP_S = 60.0
OURS = ("-m", "infadapter_server", "--variant", "glyph-1", "--model", "glyphs", "--port", "0")
OURS_GRPC = ("--grpc-port", "0", "--host", "127.0.0.1")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("Open Inference Protocol")
    group.addoption("--oip-url", help="A running server; without it one of ours is started.")
    group.addoption("--oip-grpc", help="HOST:PORT of its gRPC.")
    group.addoption("--oip-model", default="glyphs", help="The model to ask.")


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> Iterator[Target]:
    url = pytestconfig.getoption("--oip-url", None)
    model = pytestconfig.getoption("--oip-model", "glyphs")
    if url is not None:
        yield Target(url=url.rstrip("/"), model=model, grpc=pytestconfig.getoption("--oip-grpc"))
        return
    process = subprocess.Popen(
        [sys.executable, *OURS, *OURS_GRPC],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # what is tested is no speed
    )
    with process:
        assert process.stdout is not None
        url, grpc = (
            process.stdout.readline().removeprefix("listening on ").strip() for _ in range(2)
        )
        started = Target(url=url, model=model, grpc=grpc.removeprefix("grpc://"))
        started.wait_ready(STARTUP_S)
        yield started
        process.terminate()
        process.terminate()  # a second signal ends the waiting for routers


@pytest.fixture(scope="session")
def trusted() -> ssl.SSLContext:
    """Read once: the certificates of all authorities take longer than most of these tests."""
    return httpx.create_ssl_context()


@pytest.fixture
def client(target: Target, trusted: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=target.url, timeout=60, verify=trusted) as client:
        yield client
