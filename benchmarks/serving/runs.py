"""One server on one core, an open-loop client on the other, and what became of the requests."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.error import URLError
from urllib.request import urlopen

import click

from benchmarks.serving.networks import Network, make, timed
from benchmarks.serving.packaged import MLSERVERS, mlserver
from infadapter_local.router import free_ports
from infadapter_server.loadgen import moments
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.client import make_timely, replay, run
from infadapter_workload.outcomes import Outcome
from infadapter_workload.trace import Array

T = TypeVar("T")
SERVERS = ("ours", "FastAPI", "FastAPI, batching")
CORES = sorted(os.sched_getaffinity(0))  # before the client keeps to one: children inherit that
STARTS_WITHIN_S, CLIENT_WAITS_S, BARE_S = 60.0, 10.0, 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """Requests of one run, and the server's memory at its highest."""

    outcomes: tuple[Outcome, ...]
    duration_s: float
    peak_bytes: int


def execution_s(network: Network) -> dict[int, float]:
    """Of bare torch on one core, the median seconds by batch size."""
    return on_the_core(_bare, network)


def made(folder: Path, service_s: float) -> Network:
    """A network that takes so long on that core, for each image at its best batch."""
    return on_the_core(make, folder, service_s)


def _bare(network: Network) -> dict[int, float]:
    return timed(network.open(), network.signature, BARE_S)


def on_the_core(work: Callable[..., T], *given: object) -> T:
    """In a process of its own, where torch has one thread."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, work, *given), daemon=True)
    process.start()
    theirs.close()  # so that a process that ends without an answer is no wait for ever
    found: T = ours.recv()
    process.join()
    return found


def _work(pipe: Connection, work: Callable[..., object], *given: object) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    pin(0)
    pipe.send(work(*given))


def offer(
    name: str, network: Network, rate_rps: float, slo_s: float, seconds: float, seed: int
) -> Run:
    """Poisson arrivals at a rate to a server that was started for them."""
    arrivals_s = moments.of_rate(rate_rps, seconds, seed=seed)
    with server(name, network, slo_s) as (port, pid):
        outcomes = replayed(port, network.name, arrivals_s, seed)
        peak_bytes = _peak_bytes(pid)
    return Run(tuple(outcomes), seconds, peak_bytes)


def replayed(port: int, model: str, arrivals_s: Array, seed: int) -> list[Outcome]:
    """What the client sees of a server that is there."""
    outcomes: list[Outcome] = []
    run(
        replay(
            host="127.0.0.1",
            port=port,
            path=f"/v2/models/{model}/infer",
            bodies=glyph_bodies(seed=seed),
            arrivals_s=arrivals_s,
            timeout_s=CLIENT_WAITS_S,
            on_outcome=outcomes.append,
            start_s=time.monotonic() + 0.3,
        )
    )
    return outcomes


@contextmanager
def server(name: str, network: Network, slo_s: float) -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    (port,) = free_ports(1)
    with TemporaryDirectory() as folder:
        command = _command(name, network, slo_s, port, Path(folder))
        with started(command, port) as pid:
            yield port, pid


@contextmanager
def started(command: Sequence[str], port: int) -> Iterator[int]:
    """The process of a server, on the first core; the client has the second one."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: pin(0),
    )
    try:
        _wait_until_ready(process, port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(CLIENT_WAITS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(name: str, network: Network, slo_s: float, port: int, folder: Path) -> list[str]:
    if name == "ours":
        return ours(port, slo_s, *network.options)
    batching = name.endswith("batching")
    if name in MLSERVERS:
        return mlserver(network, port, folder, batching=batching)
    rival = ["-m", "benchmarks.serving.rivals", *network.options, "--port", str(port)]
    return [sys.executable, *rival, *(["--batching"] if batching else [])]


def ours(port: int, slo_s: float, *models: str) -> list[str]:
    options = ["--slo-ms", f"{1000 * slo_s:g}", "--host", "127.0.0.1", "--drain-seconds", "0"]
    command = [sys.executable, "-m", "infadapter_server", "--port", str(port)]
    return [*command, *options, *models]


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until_s = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until_s:
        if process.poll() is not None:
            raise click.ClickException(f"The server ended with status {process.returncode}.")
        try:
            with urlopen(f"http://127.0.0.1:{port}/v2/health/ready"):
                return
        except (URLError, ConnectionError, HTTPException):
            time.sleep(0.1)
    raise click.ClickException(f"No server was ready within {STARTS_WITHIN_S:g} s.")


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def pin(core: int) -> None:
    """On one core of those that this process was given; where there is but one, nothing."""
    if core < len(CORES) > 1:
        os.sched_setaffinity(0, {CORES[core]})


def be_the_client() -> None:
    pin(1)
    make_timely()
