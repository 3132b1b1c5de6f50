"""Assemble a server from the command line, then listen."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import click
from prometheus_client import disable_created_metrics

from infadapter_scheduler import PointPolicy
from infadapter_server.logs import announce
from infadapter_server.serving.assembly import Given, served
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.fleet import Fleet
from infadapter_server.serving.headroom import WithinQuota
from infadapter_server.serving.inference import Inference, Limits
from infadapter_server.serving.measurements import machine
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.pacing import Pacing
from infadapter_server.serving.quota import thread_limit
from infadapter_server.serving.repository import CPU_PAGE_BYTES
from infadapter_server.serving.serve import listen, run
from infadapter_server.serving.slowing import Speed
from infadapter_server.serving.tracing.start import open_tracing

__all__ = ["launch", "prepare"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An assembled server that does not listen yet, with its executors' share of the CPU quota."""

    inference: Inference
    threads: Callable[[], int]
    speed: Callable[[], Speed]


def prepare(given: Given, fleet: Fleet, deadlines: Deadlines, policy: PointPolicy) -> Prepared:
    """Assemble the server. Raises ConfigError."""
    limit = partial(thread_limit, ceiling=_take_openmp_ceiling())
    where = None if fleet.workers else machine(fleet.threads(limit()))
    offered = served(given, fleet.memory_each(given.memory, CPU_PAGE_BYTES), where)
    executors = fleet.executors(offered.repository.models().values())
    # A series more for each of ours, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    metrics = ServerMetrics(offered.variant)
    pacing = Pacing(fleet.quota, lambda: fleet.threads(limit())) if fleet.paced else None
    if fleet.is_thread and not fleet.paced:
        policy = WithinQuota(policy, quota=fleet.quota)
    inference = Inference(
        variant=offered.variant,
        models=offered.models,
        limits=Limits(batch=given.max_batch, deadlines=deadlines),
        driver=Driver(
            offered.repository,
            executors,
            metrics,
            lag_s=fleet.lag_s,
            policy=policy,
            pacing=pacing,
        ),
        metrics=metrics,
    )
    speed = fleet.speed if pacing is None else pacing.speed
    return Prepared(inference, lambda: fleet.threads(limit()), speed)


def launch(prepared: Prepared, host: str, port: int, grpc_port: int | None, drain_s: float) -> int:
    """Run the server and return its exit code. Raises ClickException."""
    listener = _listener(host, port)
    try:
        sound = run(
            prepared.inference,
            listener,
            drain_s=drain_s,
            thread_limit=prepared.threads,
            speed=prepared.speed,
            grpc_at=None if grpc_port is None else (host, grpc_port),
            tracing=open_tracing(os.environ),
        )
    except OSError as error:
        raise click.ClickException(f"{error}.") from None
    if prepared.inference.driver.failure is not None:
        raise click.ClickException(str(prepared.inference.driver.failure))
    return 0 if sound else 1


def _listener(host: str, port: int) -> socket.socket:
    try:
        listener = listen(host, port)
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {_reason(error)}.") from None
    shown = f"[{host}]" if ":" in host else host
    announce(f"listening on http://{shown}:{listener.getsockname()[1]}")
    return listener


def _reason(error: OSError) -> str:
    # asyncio and socket add the address in brackets, which the message has already.
    return (error.strerror or str(error)).partition(" (")[0]


def _take_openmp_ceiling() -> int | None:
    """
    Return the user's OMP_NUM_THREADS, and set it to one before torch is imported.

    At import torch creates as many threads as the machine has cores, whatever the quota; with one
    it creates none until told to.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    os.environ["OMP_NUM_THREADS"] = "1"
    return int(given) if given.isdecimal() and int(given) > 0 else None
