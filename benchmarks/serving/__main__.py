"""
Our server beside what a user would write instead, by the client's clock.

\b
    python -m benchmarks.serving --variant glyph-3 --slo-ms 250
    python -m benchmarks.serving --variant glyph-5 --slo-ms 250 --seconds 20
    python -m benchmarks.serving --service-ms 3
    python -m benchmarks.serving --variant glyph-3 --mlserver

A Poisson load of 0.5 to 5 times the capacity, which is bare torch's at its best batch on the one
core that each server has; the client has the other one. Goodput is what is answered within the
SLO, beside the capacity; latencies are of what is answered, over all runs. Servers take turns.

With --mlserver also MLServer, with and without its adaptive batching, which is installed on first
use; `python -m benchmarks.serving.beside` says what the servers cost beside each other.

With --service-ms the network is one of random weights that is made to take so long for each image,
at its best batch on that core.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.serving.networks import Network
from benchmarks.serving.packaged import MLSERVERS, install
from benchmarks.serving.runs import SERVERS, Run, be_the_client, execution_s, made, offer
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_workload.outcomes import percentile

LOADS = (0.5, 0.9, 1.2, 2.0, 5.0)
row = partial(show_row, first_width=26, width=11)


def show(load: float, name: str, runs: Sequence[Run], capacity_rps: float, slo_s: float) -> None:
    outcomes = [outcome for run in runs for outcome in run.outcomes]
    latency_ms = [1000 * outcome.latency_s for outcome in outcomes if outcome.answered]
    seconds = sum(run.duration_s for run in runs)
    in_time = sum(outcome.in_time(slo_s) for outcome in outcomes)
    refused = sum(outcome.refused for outcome in outcomes)
    failed = sum(not outcome.refused and not outcome.answered for outcome in outcomes)
    found = [percentile(latency_ms, percent) or 0.0 for percent in (50, 99, 99.9)]
    row(
        f"{load:g}× {name}",
        *(f"{value:.1f}" for value in found),
        f"{in_time / seconds / capacity_rps:.3f}",
        f"{in_time / len(outcomes):.1%}",
        f"{refused / len(outcomes):.1%}",
        f"{failed / len(outcomes):.1%}",
        f"{max(run.peak_bytes for run in runs) / 1e6:.0f}",
        f"{len(latency_ms)}",
    )


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-3")
@click.option("--service-ms", type=click.FloatRange(min=0.1), help="Of a network that is made.")
@click.option("--slo-ms", type=click.FloatRange(min=1), default=250.0, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=10.0, show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--load", "loads", type=click.FloatRange(min=0.01), multiple=True, default=LOADS)
@click.option("--mlserver", is_flag=True, help="Beside MLServer, too.")
def main(
    variant: str,
    service_ms: float | None,
    slo_ms: float,
    seconds: float,
    runs: int,
    loads: tuple[float, ...],
    mlserver: bool,
) -> None:
    if mlserver:
        install()
    servers = (*SERVERS, *MLSERVERS) if mlserver else SERVERS
    with TemporaryDirectory() as folder:
        network = Network(variant)
        if service_ms is not None:
            network = made(Path(folder), service_ms / 1000)
        _compare(servers, network, slo_ms, seconds, runs, loads)


def _compare(
    servers: Sequence[str],
    network: Network,
    slo_ms: float,
    seconds: float,
    runs: int,
    loads: tuple[float, ...],
) -> None:
    took_s = execution_s(network)
    capacity_rps = max(size / t for size, t in took_s.items())
    be_the_client()
    click.echo(machine("torch", "uvicorn"))
    times = ", ".join(f"{size}: {1000 * t:.2f}" for size, t in took_s.items())
    click.echo(
        f"{network.name}, SLO {slo_ms:g} ms; ms by batch {times}; capacity {capacity_rps:.0f}/s"
    )
    row("", "p50 ms", "p99", "p99.9", "goodput/C", "in time", "refused", "failed", "MB", "answers")
    for load in loads:
        offered = (network, load * capacity_rps, slo_ms / 1000, seconds)
        done: dict[str, list[Run]] = {name: [] for name in servers}
        for seed in range(runs):
            for name in servers:
                done[name].append(offer(name, *offered, seed))
        for name, ended in done.items():
            show(load, name, ended, capacity_rps, slo_ms / 1000)


if __name__ == "__main__":
    main()
