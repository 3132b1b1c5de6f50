"""One server on one core, an open-loop client on the other, and what became of the requests."""

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import click
import numpy as np

from infadapter_server.loadgen import moments
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.client import make_timely, replay, run
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_workload.outcomes import Outcome

SERVERS = ("ours", "FastAPI", "FastAPI, batching")
BATCHES = (1, 2, 4, 8)
CORES = sorted(os.sched_getaffinity(0))  # before the client keeps to one: children inherit that
STARTS_WITHIN_S, CLIENT_WAITS_S, BARE_S = 60.0, 10.0, 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """Requests of one run, and the server's memory at its highest."""

    outcomes: tuple[Outcome, ...]
    duration_s: float
    peak_bytes: int


def execution_s(variant: str) -> dict[int, float]:
    """Of bare torch on one core, the median seconds by batch size."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_bare, args=(theirs, variant), daemon=True)
    process.start()
    found: dict[int, float] = ours.recv()
    process.join()
    return found


def _bare(pipe: Connection, variant: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    from infadapter_server.networks.models import load

    pin(0)
    model = load(variant, None)
    model.use_threads(1)
    found: dict[int, float] = {}
    for size in BATCHES:
        batch = np.zeros((size, *SIGNATURES[variant].input_shape), np.float32)
        model(batch)
        took: list[float] = []
        until_s = time.perf_counter() + BARE_S
        while time.perf_counter() < until_s:
            began_s = time.perf_counter()
            model(batch)
            took.append(time.perf_counter() - began_s)
        found[size] = float(np.median(took))
    pipe.send(found)


def offer(name: str, variant: str, rate_rps: float, slo_s: float, seconds: float, seed: int) -> Run:
    """Poisson arrivals at a rate to a server that was started for them."""
    outcomes: list[Outcome] = []
    with server(name, variant, slo_s) as (port, pid):
        run(
            replay(
                host="127.0.0.1",
                port=port,
                path=f"/v2/models/{variant}/infer",
                bodies=glyph_bodies(seed=seed),
                arrivals_s=moments.of_rate(rate_rps, seconds, seed=seed),
                timeout_s=CLIENT_WAITS_S,
                on_outcome=outcomes.append,
                start_s=time.monotonic() + 0.3,
            )
        )
        peak_bytes = _peak_bytes(pid)
    return Run(tuple(outcomes), seconds, peak_bytes)


@contextmanager
def server(name: str, variant: str, slo_s: float) -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    port = free_port()
    with started(_command(name, variant, slo_s, port), port) as pid:
        yield port, pid


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def started(command: Sequence[str], port: int) -> Iterator[int]:
    """The process of a server, on the first core; the client has the second one."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: pin(0),
    )
    try:
        _wait_until_ready(port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(CLIENT_WAITS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(name: str, variant: str, slo_s: float, port: int) -> list[str]:
    if name == "ours":
        return ours(port, slo_s, "--variant", variant)
    batching = ["--batching"] if name.endswith("batching") else []
    rival = ["-m", "benchmarks.serving.rivals", "--variant", variant, "--port", str(port)]
    return [*rival, *batching]


def ours(port: int, slo_s: float, *models: str) -> list[str]:
    options = ["--slo-ms", f"{1000 * slo_s:g}", "--host", "127.0.0.1", "--drain-seconds", "0"]
    return ["-m", "infadapter_server", "--port", str(port), *options, *models]


def _wait_until_ready(port: int) -> None:
    until_s = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until_s:
        try:
            with urlopen(f"http://127.0.0.1:{port}/v2/health/ready"):
                return
        except (URLError, ConnectionError):
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
