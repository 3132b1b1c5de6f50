"""
Run the server: socket, signals, the CPU quota that it follows, and shutdown.

A server that is told to stop first becomes not ready and keeps answering for a while: routers learn
of it only then, and no request on the way is lost.
"""

import asyncio
import logging
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import uvicorn
import uvloop
from starlette.types import ASGIApp

from infadapter_server.ending import end_at_once
from infadapter_server.logs import announce
from infadapter_server.serving.app import create_app
from infadapter_server.serving.connections import (
    ConnectionLimits,
    Connections,
    most_connections,
)
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.repository_api import RepositoryApi
from infadapter_server.serving.slowing import FULL_SPEED, Speed
from infadapter_server.serving.stopping import Stop

if TYPE_CHECKING:
    from infadapter_server.serving.grpc.front import GrpcFront
    from infadapter_server.serving.tracing.spans import Tracing

__all__ = ["Quota", "follow_quota", "http_server", "listen", "run"]

# Longer than routers keep idle connections (Envoy: an hour): a connection that is closed by the
# server just when a router sends on it costs a request.
_KEEP_ALIVE_S = 4000
_JOIN_S = 2.0  # for the execution that is being done when nobody waits any more
_log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that clients may already connect to. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


@dataclass(frozen=True, slots=True)
class Quota:
    """What the control group allows: whole threads, and the speed of executions."""

    thread_limit: Callable[[], int]
    speed: Callable[[], Speed]

    def apply(self, driver: Driver) -> None:
        threads, speed = self.thread_limit(), self.speed()
        if threads != driver.threads:
            _log.info("an inference uses %d threads from now on", threads)
            driver.use_threads(threads)
        if speed != driver.speed:
            driver.use_speed(speed)


def run(
    inference: Inference,
    listener: socket.socket,
    *,
    drain_s: float,
    thread_limit: Callable[[], int],
    speed: Callable[[], Speed] = lambda: FULL_SPEED,
    grpc_at: tuple[str, int] | None = None,
    tracing: "Tracing | None" = None,
) -> bool:
    """
    Serve until a signal; False if no executor was left, which is a fault. Raises OSError if gRPC
    cannot listen.

    Ends the process if an executor does not come back, since a computing thread can't be stopped.
    That is a fault if an execution hangs, but not for a load after a signal.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sound, joined = runner.run(
            _serve(inference, listener, drain_s, Quota(thread_limit, speed), grpc_at, tracing)
        )
        if tracing is not None:
            tracing.stop(_JOIN_S)
        if not joined:
            _end_without_executor(hung=inference.driver.hung)
    return sound


def _end_without_executor(*, hung: bool) -> NoReturn:
    level, doing = (logging.ERROR, "computing") if hung else (logging.INFO, "loading")
    _log.log(level, "an executor is still %s; the process ends without it", doing)
    end_at_once(1 if hung else 0)


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which stops at once and ends the process by signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(
    inference: Inference,
    listener: socket.socket,
    drain_s: float,
    quota: Quota,
    grpc_at: tuple[str, int] | None,
    tracing: "Tracing | None",
) -> tuple[bool, bool]:
    if tracing is not None:
        inference.driver.observe(tracing)
    most = most_connections(fronts=1 if grpc_at is None else 2)
    front = None if grpc_at is None else await _open_grpc(inference, *grpc_at, most, tracing)
    connections = Connections(
        inference,
        ConnectionLimits(most=most),
        inference.metrics.connections.set,
        short_way=tracing is None,  # which goes past what is traced
    )
    server = http_server(inference, connections, tracing)
    stop = Stop(inference, server, drain_s)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.begin)
    driver = inference.driver
    quota.apply(driver)
    inference.start()
    beside = [loop.create_task(follow_quota(driver, quota)), loop.create_task(connections.sweep())]
    driver_end = loop.create_task(driver.ended())
    driver_end.add_done_callback(lambda _: stop.finish())
    await server.serve(sockets=[listener])
    if front is not None:
        await front.stop(inference.limits.longest_wait_s)
    for task in beside:
        task.cancel()
    sound = not driver_end.done()
    driver_end.cancel()
    return sound, await inference.stop(_JOIN_S)


async def _open_grpc(
    inference: Inference, host: str, port: int, connections: int, tracing: "Tracing | None"
) -> "GrpcFront":
    from infadapter_server.serving.grpc.front import open_front  # who has no gRPC, needs no grpcio

    residence = inference.driver.residence
    repository = RepositoryApi(residence.repository, residence.wishes, residence.allowances)
    front = await open_front(inference, host, port, repository, connections, tracing)
    announce(f"listening on grpc://{host}:{front.port}")
    return front


def http_server(
    inference: Inference, connections: Connections, tracing: "Tracing | None" = None
) -> uvicorn.Server:
    """Return the server of a given socket; the caller runs the sweep of connections."""
    config = uvicorn.Config(
        _app(inference, tracing),
        http=connections.protocol(),  # type: ignore[arg-type]  # it is called, and no more
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,  # who the client is matters to nobody here
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(inference.limits.longest_wait_s) + 1,
    )
    return _Server(config)


def _app(inference: Inference, tracing: "Tracing | None") -> ASGIApp:
    app = create_app(inference)
    if tracing is None:
        return app
    from infadapter_server.serving.tracing.fronts import traced_app

    return traced_app(app, tracing)


async def follow_quota(driver: Driver, quota: Quota, period_s: float = 0.5) -> NoReturn:
    """Adjust threads and estimates when the pod is resized in place."""
    while True:
        await asyncio.sleep(period_s)
        quota.apply(driver)
