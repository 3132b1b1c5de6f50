"""gRPC of the server as a process: its port, and its end."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from infadapter_server.serving.grpc import inference_pb2 as pb

COMMAND = (sys.executable, "-m", "infadapter_server", "--variant", "glyph-1", "--port", "0")
HOST = ("--host", "127.0.0.1", "--drain-seconds", "0")


@contextmanager
def started(grpc_port: int) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, *HOST, "--grpc-port", str(grpc_port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        yield process
        process.kill()


def wait_ready(address: str) -> None:
    by = time.monotonic() + 60
    with grpc.insecure_channel(address) as channel:
        ready: Any = channel.unary_unary(
            "/inference.GRPCInferenceService/ServerReady",
            request_serializer=pb.ServerReadyRequest.SerializeToString,
            response_deserializer=pb.ServerReadyResponse.FromString,
        )
        while not ready(pb.ServerReadyRequest(), timeout=20).ready:
            assert time.monotonic() < by
            time.sleep(0.05)


@pytest.mark.process
def test_the_second_line_says_the_port_and_a_signal_ends_both_fronts() -> None:
    with started(0) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
        address = process.stdout.readline().removeprefix("listening on grpc://").strip()
        wait_ready(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(port) as process:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1
    last = said.splitlines()[-1]
    assert last == f"infadapter-server: gRPC cannot listen on 127.0.0.1:{port}."
    assert "Traceback" not in said
