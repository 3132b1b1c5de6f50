"""
What a server costs around the same network on the same core: ours, FastAPI, MLServer.

\b
    python -m benchmarks.serving.beside --variant glyph-3
    python -m benchmarks.serving.beside --variant glyph-5 --seconds 20 --runs 5

Each server has one core, the client the other one; servers take turns, and figures are medians of
the runs. C is what bare torch answers at its best batch on that core.

\b
    added ms     the median latency of one client's requests, less bare torch's time for one image
    CPU ms       of the server's process for each answer, with 32 clients
    rps, /C      answers a second with 32 clients, and that beside C
    p99 at 0.9   of Poisson load at 0.9 of the server's own rps, ms
    2 C          Poisson load at 2 x C: what is answered within the SLO, beside C, and the p99 of
                 what is answered, ms

Where the machine is slower in one minute than in another, so is who is measured then:
`python -m benchmarks.serving.alone` has all servers take turns within seconds, with one client.

A client of MLServer sends no deadline that it understands: it refuses nobody.
"""

import statistics
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import click

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.serving.networks import Network
from benchmarks.serving.packaged import MLSERVERS, install
from benchmarks.serving.runs import (
    CLIENT_WAITS_S,
    SERVERS,
    be_the_client,
    execution_s,
    offer,
    server,
)
from infadapter_server.loadgen import flood
from infadapter_server.loadgen.bodies import glyph_bodies
from infadapter_server.loadgen.client import run
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.profiling.percentiles import saturation_rps
from infadapter_server.profiling.processes import cpu_s
from infadapter_workload.outcomes import Outcome, percentile

CLIENTS, WARM_S = 32, 1.0
COLUMNS = ("added ms", "CPU ms", "rps", "/C", "p99 at 0.9", "2 C: /C", "p99", "MB")
row = partial(show_row, first_width=22, width=12)


class Bare(NamedTuple):
    """Of torch without a server: its rate at the best batch, and its time for one image."""

    rps: float
    one_ms: float


class Cost(NamedTuple):
    """In the order of the columns."""

    added_ms: float
    cpu_ms: float
    rps: float
    of_bare: float
    p99_ms: float
    goodput: float
    overloaded_p99_ms: float
    peak_mb: float


def cost(name: str, network: Network, bare: Bare, slo_s: float, seconds: float, seed: int) -> Cost:
    """Of one server, by three starts of it."""
    added_ms, cpu_ms, rps = closed(name, network, bare, seconds)
    near = offer(name, network, 0.9 * rps, slo_s, seconds, seed)
    beyond = offer(name, network, 2 * bare.rps, slo_s, seconds, seed)
    in_time = sum(outcome.in_time(slo_s) for outcome in beyond.outcomes)
    return Cost(
        added_ms=added_ms,
        cpu_ms=cpu_ms,
        rps=rps,
        of_bare=rps / bare.rps,
        p99_ms=latency_ms(near.outcomes, 99),
        goodput=in_time / seconds / bare.rps,
        overloaded_p99_ms=latency_ms(beyond.outcomes, 99),
        peak_mb=max(near.peak_bytes, beyond.peak_bytes) / 1e6,
    )


def closed(name: str, network: Network, bare: Bare, seconds: float) -> tuple[float, float, float]:
    """
    What one client's requests take beyond bare torch; CPU and rate with many clients. Of ours with
    an SLO as long as clients wait: who is refused is no answer, and costs CPU.
    """
    with server(name, network, CLIENT_WAITS_S) as (port, pid):
        flooded(network, port, CLIENTS, WARM_S)
        alone = flooded(network, port, 1, seconds)
        before_s = cpu_s([pid])
        many = flooded(network, port, CLIENTS, seconds)
        used_s = cpu_s([pid]) - before_s
    answers = sum(outcome.answered for outcome in many)
    return (
        latency_ms(alone, 50) - bare.one_ms,
        1000 * used_s / max(answers, 1),
        saturation_rps(many, seconds),
    )


def flooded(network: Network, port: int, clients: int, seconds: float) -> list[Outcome]:
    return run(
        flood(
            host="127.0.0.1",
            port=port,
            path=f"/v2/models/{network.name}/infer",
            bodies=glyph_bodies(seed=1),
            concurrency=clients,
            duration_s=seconds,
            timeout_s=CLIENT_WAITS_S,
        )
    )


def latency_ms(outcomes: Sequence[Outcome], percent: float) -> float:
    answered = [1000 * outcome.latency_s for outcome in outcomes if outcome.answered]
    return percentile(answered, percent) or float("nan")


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-3")
@click.option("--slo-ms", type=click.FloatRange(min=1), default=250.0, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=10.0, show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
def main(variant: str, slo_ms: float, seconds: float, runs: int) -> None:
    install()
    network = Network(variant)
    took_s = execution_s(network)
    bare = Bare(max(size / t for size, t in took_s.items()), 1000 * took_s[1])
    be_the_client()
    click.echo(machine("torch", "uvicorn"))
    click.echo(f"{variant}, SLO {slo_ms:g} ms; C {bare.rps:.0f}/s, one image {bare.one_ms:.2f} ms")
    names = (*SERVERS, *MLSERVERS)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for seed in range(runs):
        for name in names:
            costs[name].append(cost(name, network, bare, slo_ms / 1000, seconds, seed))
    row("", *COLUMNS)
    for name, found in costs.items():
        row(name, *(f"{statistics.median(values):.3g}" for values in zip(*found, strict=True)))


if __name__ == "__main__":
    main()
