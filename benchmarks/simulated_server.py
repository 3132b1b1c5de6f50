"""
The real server and the simulated one under the same arrivals.

\b
    python -m benchmarks.simulated_server --variant glyph-5 --seconds 20

The real one has a core, its client the other. The simulated one is the same scheduler in virtual
time over an executor that takes as long as bare torch does on that core, with the errors that were
measured there. What HTTP takes of the core for an answer and for a refusal is measured apart, as
CPU of the server's first thread, on runs in which all are answered and in which nobody is; with it
the simulated one is shown again, and once with executions that are as much longer as the real
server's were.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import click
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.scheduler_noise import measured
from benchmarks.serving.networks import Network
from benchmarks.serving.runs import be_the_client, on_the_core, replayed, server
from infadapter_profiles import wire
from infadapter_scheduler import Arrival, Front, Model, Scheduler, World, replay, resampled
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
from infadapter_scheduler.world import NO_FRONT
from infadapter_server.loadgen import moments
from infadapter_server.networks.signatures import SIGNATURES
from infadapter_server.serving.driver import LAG_S
from infadapter_server.serving.margin import LEAST_S
from infadapter_workload.outcomes import Outcome, percentile

LOADS = (0.7, 0.9, 2.0)
THREAD_LAG_S = 0.0001  # of an order to a thread, and of its report: benchmarks.executor_overhead
EXECUTIONS = 600
FRONT_S, NOBODY_S = 10.0, 0.001
ALL_ANSWERED, ALL_REFUSED = 0.5, 1.0
"""× capacity: loads at which the front is measured, with an SLO, and with one that is too short."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of all arrivals of one run."""

    in_time: int
    refused: int
    latencies_s: Sequence[float]  # of what was answered
    mean_batch: float


def seen_by_client(outcomes: Sequence[Outcome], slo_s: float, mean_batch: float) -> Seen:
    return Seen(
        in_time=sum(outcome.in_time(slo_s) for outcome in outcomes),
        refused=sum(outcome.refused for outcome in outcomes),
        latencies_s=[outcome.latency_s for outcome in outcomes if outcome.answered],
        mean_batch=mean_batch,
    )


def simulated(
    execution_s: Mapping[int, float],
    errors: Sequence[float],
    arrivals_s: Iterable[float],
    slo_s: float,
    front: Front = NO_FRONT,
) -> Seen:
    """The scheduler as the server has it; what it promises is as much sooner as there."""
    model = Model("network", execution_s)
    policy = Scheduler([model], most_buffer=MOST_OF_THE_TIME, lag_s=LAG_S)
    deviation = resampled(errors)
    world = World({model.name: model}, lag_s=THREAD_LAG_S, deviation=deviation, seed=1, front=front)
    asked = [Arrival(float(at_s), model.name, slo_s - LEAST_S) for at_s in arrivals_s]
    fates = list(zip(asked, replay(policy, asked, world), strict=True))
    served = [(arrival, fate) for arrival, fate in fates if fate.outcome in ("on_time", "late")]
    latencies_s = [fate.end_s + THREAD_LAG_S - arrival.arrival_s for arrival, fate in served]
    executions = sum(1 / fate.batch for _, fate in served)
    return Seen(
        in_time=sum(latency_s <= slo_s for latency_s in latencies_s),
        refused=sum(fate.outcome in ("refused", "cancelled") for _, fate in fates),
        latencies_s=latencies_s,
        mean_batch=len(served) / executions if executions else 0.0,
    )


def front_of(variant: str, slo_s: float, capacity_rps: float) -> Front:
    """What one answer and one refusal take of the core, where there is nothing else."""
    answer_s, answered = front_each(variant, slo_s, ALL_ANSWERED * capacity_rps)
    refusal_s, refused = front_each(variant, NOBODY_S, ALL_REFUSED * capacity_rps)
    click.echo(
        f"HTTP: {1e6 * answer_s:.0f} µs for an answer ({answered:.1%} were answered), "
        f"{1e6 * refusal_s:.0f} for a refusal ({1 - refused:.1%} were refused)"
    )
    return Front(answer_s, refusal_s)


def front_each(variant: str, slo_s: float, rate_rps: float) -> tuple[float, float]:
    """Seconds of the event loop's thread for each request, and the share that was answered."""
    arrivals_s = moments.of_rate(rate_rps, FRONT_S, seed=2)
    with server("ours", Network(variant), slo_s) as (port, pid):
        before_s = first_thread_s(pid)
        outcomes = replayed(port, variant, arrivals_s, seed=2)
        spent_s = first_thread_s(pid) - before_s
    return spent_s / len(outcomes), sum(outcome.answered for outcome in outcomes) / len(outcomes)


def first_thread_s(pid: int) -> float:
    """Its CPU, as the kernel's scheduler counts it: that of the event loop."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def executed(exposition: str, execution_s: Mapping[int, float]) -> tuple[float, float]:
    """Of a server's metrics: the mean batch, and executions' times beside those of the table."""
    found = {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }
    batch, inference = wire.SERVER_BATCH, wire.SERVER_INFERENCE
    count = found[f"{batch}_count", ""]
    below, expected_s = 0.0, 0.0
    for size in sorted(execution_s):
        up_to = found[f"{batch}_bucket", f"{float(size)}"]
        expected_s += (up_to - below) * execution_s[size]
        below = up_to
    if not count:
        return 0.0, 1.0
    return found[f"{batch}_sum", ""] / count, found[f"{inference}_sum", ""] / expected_s


def show(name: str, seen: Seen, arrivals: int, capacity: float) -> None:
    p50_s, p99_s = (percentile(seen.latencies_s, at) or 0.0 for at in (50, 99))
    _row(
        name,
        f"{seen.in_time / capacity:.3f}",
        f"{1000 * p50_s:.1f}",
        f"{1000 * p99_s:.1f}",
        f"{seen.mean_batch:.2f}",
        f"{seen.refused / arrivals:.1%}",
        f"{1 - (seen.in_time + seen.refused) / arrivals:.1%}",
    )


def _row(first: str, *cells: str) -> None:
    show_row(first, *cells, first_width=40, width=10)


@click.command(help=__doc__)
@click.option("--variant", type=click.Choice(list(SIGNATURES)), default="glyph-5")
@click.option("--slo-ms", type=click.FloatRange(min=1), default=250.0, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=20.0, show_default=True)
@click.option("--load", "loads", type=click.FloatRange(min=0.01), multiple=True, default=LOADS)
def main(variant: str, slo_ms: float, seconds: float, loads: tuple[float, ...]) -> None:
    be_the_client()
    execution_s, errors = on_the_core(measured, variant, EXECUTIONS)
    slo_s, capacity_rps = slo_ms / 1000, max(size / t for size, t in execution_s.items())
    click.echo(machine("torch", "uvicorn"))
    times = ", ".join(f"{size}: {1000 * t:.2f}" for size, t in execution_s.items())
    click.echo(f"{variant}, SLO {slo_ms:g} ms; ms by batch {times}; capacity {capacity_rps:.0f}/s")
    front = front_of(variant, slo_s, capacity_rps)
    _row("", "goodput/C", "p50 ms", "p99", "batch", "refused", "missed")
    for load in loads:
        arrivals_s = moments.of_rate(load * capacity_rps, seconds, seed=1)
        with server("ours", Network(variant), slo_s) as (port, _):
            outcomes = replayed(port, variant, arrivals_s, seed=1)
            with urlopen(f"http://127.0.0.1:{port}/metrics") as metrics:
                batch, longer = executed(metrics.read().decode(), execution_s)
        slowed_s = {size: longer * took_s for size, took_s in execution_s.items()}
        for name, seen in (
            (f"{load:g}× real", seen_by_client(outcomes, slo_s, batch)),
            ("simulated", simulated(execution_s, errors, arrivals_s, slo_s)),
            (
                "simulated, with HTTP on its core",
                simulated(execution_s, errors, arrivals_s, slo_s, front),
            ),
            (
                f"simulated, executions × {longer:.2f}",
                simulated(slowed_s, errors, arrivals_s, slo_s),
            ),
        ):
            show(name, seen, len(arrivals_s), capacity_rps * seconds)


if __name__ == "__main__":
    main()
