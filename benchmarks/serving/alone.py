"""
What one client's request takes beyond bare torch: bare torch and all servers in turn, on one core.

\b
    python -m benchmarks.serving.alone --variant glyph-3
    python -m benchmarks.serving.alone --variant glyph-5 --rounds 15 --seconds 2

All servers are started before, and wait. In each round each has a window of a second, bare torch
too, so a slow minute of the machine is everybody's. Of each: the median over rounds of the windows'
medians; by how much that is longer than bare torch in the same round, with the least and the most;
and CPU of the server's process for each answer. Bare torch runs once more with pauses, in which a
server's core waits for its client: what it takes longer then, no server can give back.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.serving.beside import WARM_S, flooded, latency_ms
from benchmarks.serving.networks import Network
from benchmarks.serving.packaged import MLSERVERS, install
from benchmarks.serving.runs import CLIENT_WAITS_S, SERVERS, be_the_client, pin, server
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.profiling.processes import cpu_s

BARE, PAUSED, PAUSE_S = "bare torch", "bare torch, pauses", 0.001
row = partial(show_row, first_width=22, width=16)


class Window(NamedTuple):
    """Medians of one window; `cpu_ms` is NaN of who is no server."""

    median_ms: float
    cpu_ms: float


Measure = Callable[[float], Window]
"""For so many seconds."""


@contextmanager
def bare(network: Network) -> Iterator[Callable[[float, float], Window]]:
    """Bare torch in a process of its own: for so many seconds, with pauses of so many."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_compute, args=(theirs, network), daemon=True)
    process.start()
    theirs.close()

    def measure(pause_s: float, seconds: float) -> Window:
        ours.send((pause_s, seconds))
        return Window(ours.recv(), float("nan"))

    yield measure
    ours.close()
    process.join()


def _compute(pipe: Connection, network: Network) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    pin(0)
    model, image = network.open(), np.zeros((1, *network.signature.input_shape), np.float32)
    while True:
        try:
            pause_s, seconds = pipe.recv()
        except EOFError:
            return
        took_ms: list[float] = []
        until_s = time.perf_counter() + seconds
        while time.perf_counter() < until_s:
            time.sleep(pause_s)
            began_s = time.perf_counter()
            model(image)
            took_ms.append(1000 * (time.perf_counter() - began_s))
        pipe.send(statistics.median(took_ms))


def served(network: Network, port: int, pid: int, seconds: float) -> Window:
    before_s = cpu_s([pid])
    outcomes = flooded(network, port, 1, seconds)
    used_ms = 1000 * (cpu_s([pid]) - before_s)
    return Window(latency_ms(outcomes, 50), used_ms / max(1, len(outcomes)))


def show(name: str, found: list[Window], bare_ms: list[float]) -> None:
    added_ms = sorted(one.median_ms - alone for one, alone in zip(found, bare_ms, strict=True))
    median_ms, cpu_ms = (statistics.median(values) for values in zip(*found, strict=True))
    spread = f"[{added_ms[0]:.2f}, {added_ms[-1]:.2f}]"
    cells = (f"{value:.2f}" for value in (median_ms, statistics.median(added_ms)))
    row(name, *cells, spread, f"{cpu_ms:.2f}")


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-3")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=1.0, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True)
def main(variant: str, seconds: float, rounds: int) -> None:
    install()
    network = Network(variant)
    with ExitStack() as running:
        compute = running.enter_context(bare(network))
        measures: dict[str, Measure] = {BARE: partial(compute, 0.0)}
        measures[PAUSED] = partial(compute, PAUSE_S)
        for name in (*SERVERS, MLSERVERS[0]):
            port, pid = running.enter_context(server(name, network, CLIENT_WAITS_S))
            measures[name] = partial(served, network, port, pid)
        be_the_client()
        click.echo(machine("torch", "uvicorn"))
        for measure in measures.values():
            measure(WARM_S)
        rows: dict[str, list[Window]] = {name: [] for name in measures}
        for _ in range(rounds):
            for name, measure in measures.items():
                rows[name].append(measure(seconds))
    row("", "p50 ms", "added ms", "least, most", "CPU ms")
    for name, found in rows.items():
        show(name, found, [window.median_ms for window in rows[BARE]])


if __name__ == "__main__":
    main()
