"""Conformance tests of the Open Inference Protocol, against our server or any other.

    pytest tests/conformance                                              our server, started here
    pytest tests/conformance --oip-url http://HOST:PORT --oip-model NAME  another server, REST
                             --oip-grpc HOST:PORT                         and gRPC

They rely on the protocol's documents only: the form of a request is derived from the model's
metadata. No package of this project is imported, so they run where another server is installed.
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
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # the tests measure no speed
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
        process.terminate()  # a second signal skips the wait for routers


@pytest.fixture(scope="session")
def trusted() -> ssl.SSLContext:
    """An SSL context, made once: to read all CA certificates takes longer than most tests."""
    return httpx.create_ssl_context()


@pytest.fixture
def client(target: Target, trusted: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=target.url, timeout=60, verify=trusted) as client:
        yield client
