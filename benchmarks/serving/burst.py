"""
Ten times the load for ten seconds, in real time: what operating points are worth in one pod.

\b
    python -m benchmarks.serving.burst
    python -m benchmarks.serving.burst --slo-ms 100 --seed 2

The demo's five networks as one ladder in one pod, which chooses a network for each batch; beside
each of them alone on the same core; and beside two pods on that core, the most accurate and the
fastest, between which a router moves all traffic one second after each step. The client has the
other core. The burst is 0.65 of what bare torch serves with glyph-3, as HTTP takes its part of
the core, too; before and after it there is a tenth of that.

Second by second: the share that was answered in time, and the mean accuracy of what was answered,
as profiled. Effective accuracy counts what was not answered in time as wrong.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.serving.networks import Network
from benchmarks.serving.runs import (
    CLIENT_WAITS_S,
    be_the_client,
    execution_s,
    ours,
    started,
)
from infadapter_local.router import free_ports
from infadapter_profiles.wire import MODELS_PATH
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.client import replay, run
from infadapter_workload.arrivals import arrival_times
from infadapter_workload.outcomes import Outcome, accuracy_of
from infadapter_workload.trace import Array, Trace

VARIANTS = ("glyph-1", "glyph-2", "glyph-3", "glyph-4", "glyph-5")
QUIET_S, BURST_S, TIMES = 10, 10, 10
LONG_S = 2 * QUIET_S + BURST_S
OF_GLYPH_3 = 0.65
ROUTED_S = 1.0
"""After a step the router's weights follow."""

SHOWN = (slice(0, QUIET_S), *(slice(s, s + 1) for s in range(QUIET_S, QUIET_S + BURST_S + 3)))
row = partial(show_row, first_width=22, width=8)


class Load(NamedTuple):
    arrivals_s: Array
    slo_s: float
    seed: int


class Pod(NamedTuple):
    """A server's model, what it is told, and what of the load it gets."""

    model: str
    options: tuple[str, ...]
    arrivals_s: Array


class Served(NamedTuple):
    """By second: requests that arrived, those that were in time, and what these were worth."""

    arrived: Array
    in_time: Array
    worth: Array

    @property
    def effective_accuracy(self) -> float:
        return float(self.worth.sum() / self.arrived.sum())

    @property
    def violations(self) -> float:
        return float(1 - self.in_time.sum() / self.arrived.sum())


def served(pods: Sequence[Pod], load: Load) -> Served:
    """What pods on one core make of the load."""
    ports = free_ports(len(pods))
    with ExitStack() as running:
        for pod, port in zip(pods, ports, strict=True):
            running.enter_context(started(ours(port, load.slo_s, *pod.options), port))
        found = run(_all(pods, ports, load))
    return Served(*(sum(parts) for parts in zip(*found, strict=True)))


async def _all(pods: Sequence[Pod], ports: Sequence[int], load: Load) -> list[Served]:
    start_s = time.monotonic() + 1.0
    each = (_one(pod, port, load, start_s) for pod, port in zip(pods, ports, strict=True))
    return list(await asyncio.gather(*each))


async def _one(pod: Pod, port: int, load: Load, start_s: float) -> Served:
    accuracies = await asyncio.to_thread(_accuracies, pod.model, port)
    outcomes = await replay(
        host="127.0.0.1",
        port=port,
        path=f"{MODELS_PATH}/{pod.model}/infer",
        bodies=glyph_bodies(seed=load.seed),
        arrivals_s=pod.arrivals_s,
        timeout_s=CLIENT_WAITS_S,
        start_s=start_s,
    )
    in_time = [one for one in outcomes if one.in_time(load.slo_s)]
    worth = [accuracy_of(one, accuracies) for one in in_time]
    return Served(_by_second(outcomes), _by_second(in_time), _by_second(in_time, worth))


def _by_second(outcomes: Iterable[Outcome], weights: Sequence[float] | None = None) -> Array:
    seconds = [int(outcome.scheduled_s) for outcome in outcomes]
    return np.bincount(seconds, weights, minlength=LONG_S)[:LONG_S].astype(float)


def _accuracies(model: str, port: int) -> dict[str, float]:
    """As the server says: of its operating points, or of its only network."""
    with urlopen(f"http://127.0.0.1:{port}{MODELS_PATH}/{model}", timeout=5) as answer:
        said = json.loads(answer.read())["parameters"]
    if "points" in said:
        return {point["name"]: float(point["accuracy"]) for point in said["points"]}
    return {model: float(said["accuracy"])}


def ways(load: Load, folder: Path) -> Iterator[tuple[str, list[Pod]]]:
    """The pods of each way to serve it."""
    at_s = load.arrivals_s
    yield "one pod, five points", [Pod("ladder", ("--repository", str(folder)), at_s)]
    for name in VARIANTS:
        yield f"{name} alone", [_plain(name, at_s)]
    in_burst = (at_s >= QUIET_S + ROUTED_S) & (at_s < QUIET_S + BURST_S + ROUTED_S)
    two = [_plain(VARIANTS[0], at_s[in_burst]), _plain(VARIANTS[-1], at_s[~in_burst])]
    yield "two pods", two


def _plain(name: str, arrivals_s: Array) -> Pod:
    return Pod(name, ("--variant", name), arrivals_s)


def _repository(folder: Path) -> Path:
    (folder / "ladder" / "1").mkdir(parents=True)
    (folder / "ladder" / "config.yaml").write_text(f"ladder: [{', '.join(VARIANTS)}]\n")
    return folder


def _show(name: str, found: Served) -> None:
    cells = (_cell(found, seconds) for seconds in SHOWN)
    row(name, f"{found.effective_accuracy:.1%}", f"{found.violations:.1%}", *cells)


def _cell(found: Served, seconds: slice) -> str:
    arrived, in_time = found.arrived[seconds].sum(), found.in_time[seconds].sum()
    accuracy = found.worth[seconds].sum() / in_time if in_time else 0.0
    return f"{100 * in_time / arrived:.0f}/{100 * accuracy:.0f}" if arrived else "–"


@click.command(help=__doc__)
@click.option("--slo-ms", type=click.FloatRange(min=1), default=250.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(slo_ms: float, seed: int) -> None:
    took_s = execution_s(Network("glyph-3"))
    burst_rps = OF_GLYPH_3 * max(size / t for size, t in took_s.items())
    rates = np.full(LONG_S, burst_rps / TIMES)
    rates[QUIET_S : QUIET_S + BURST_S] = burst_rps
    load = Load(arrival_times(Trace(name="burst", rates=rates), seed), slo_ms / 1000, seed)
    be_the_client()
    click.echo(machine("torch", "uvicorn"))
    click.echo(
        f"{burst_rps / TIMES:.0f}/s, then {burst_rps:.0f}/s for {BURST_S} s; SLO {slo_ms:g} ms"
    )
    click.echo("in time / accuracy of that, %: of the seconds before, then second by second")
    seconds = (f"{part.start - QUIET_S + 1} s" for part in SHOWN[1:])
    row("", "eff. acc", "missed", "before", *seconds)
    with tempfile.TemporaryDirectory() as folder:
        for name, pods in ways(load, _repository(Path(folder))):
            _show(name, served(pods, load))


if __name__ == "__main__":
    main()
