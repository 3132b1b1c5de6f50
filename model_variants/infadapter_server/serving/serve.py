"""Runs the server: its socket, its signals, the CPU quota it follows, and its end.

A server that is told to stop says so first, by not being ready, and goes on answering for a
while: routers learn of it only by then, and nobody's request is lost on the way.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import uvicorn
import uvloop

from infadapter_server.serving.app import create_app
from infadapter_server.serving.http_protocol import HttpProtocol
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.worker import Worker

__all__ = ["follow_quota", "listen", "run"]

# Longer than routers keep idle connections (Envoy: an hour): a connection that is closed by the
# server just when a router sends on it costs a request.
_KEEP_ALIVE_S = 4000
_FINISH_S = 20  # for requests in flight after the drain; pods are killed after 30 s by default
_log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that clients may already connect to. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def run(
    inference: Inference,
    listener: socket.socket,
    *,
    drain_s: float,
    thread_limit: Callable[[], int],
) -> bool:
    """Serve until a signal says to stop; False if the worker ended by itself, which is a fault."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(inference, listener, drain_s, thread_limit))


class _Server(uvicorn.Server):
    """uvicorn without its way with signals: it stops at once, and ends the process by signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Stop:
    """What happens from the first signal to the end."""

    def __init__(self, inference: Inference, server: uvicorn.Server, drain_s: float) -> None:
        self._inference = inference
        self._server = server
        self._drain_s = drain_s

    def begin(self) -> None:
        """Drain; at once if nobody uses the server yet or if this is the second signal."""
        if not self._inference.ready:
            self.finish()
            return
        self._inference.draining = True
        _log.info("draining for %g s; a second signal ends this", self._drain_s)
        asyncio.get_running_loop().call_later(self._drain_s, self.finish)

    def finish(self) -> None:
        """Take no more requests and end when those in flight are answered."""
        self._inference.closed = True
        self._server.should_exit = True


async def _serve(
    inference: Inference,
    listener: socket.socket,
    drain_s: float,
    thread_limit: Callable[[], int],
) -> bool:
    server = _Server(_config(inference))
    stop = _Stop(inference, server, drain_s)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.begin)
    worker = inference.worker
    worker.threads = thread_limit()
    worker.start()
    quota = asyncio.create_task(follow_quota(worker, thread_limit))
    worker_end = asyncio.create_task(worker.ended())
    worker_end.add_done_callback(lambda _: stop.finish())
    await server.serve(sockets=[listener])
    quota.cancel()
    sound = not worker_end.done()
    await worker.stop()
    return sound


def _config(inference: Inference) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(inference),
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_FINISH_S,
    )


async def follow_quota(
    worker: Worker, thread_limit: Callable[[], int], period_s: float = 1.0
) -> NoReturn:
    """Let the threads follow a pod that is resized in place."""
    while True:
        await asyncio.sleep(period_s)
        threads = thread_limit()
        if threads != worker.threads:
            _log.info("the CPU quota changed: %d threads from now on", threads)
            worker.threads = threads
