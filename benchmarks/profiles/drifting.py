"""
Whether the next run lies in a profile's interval where the machine's speed drifts, in virtual time.

\b
    python -m benchmarks.profiles.drifting --seconds 60 --repetitions 200
    python -m benchmarks.profiles.drifting --seconds 17 --seconds 180

A queue (M/D/1 of 3 ms, an SLO of 10 services, p99) on machines whose speed is an AR(1) process of
5 to 15 %, remembered for 30 to 300 s, and on one that stalls besides. Each repetition profiles it,
again right after, and an hour later; the profiles are as long as those of a command with
--seconds, whose first three tenths go to the curve.
"""

import math
import statistics
from dataclasses import dataclass, replace

import click

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.measuring import CURVE_SHARE, NOISY
from infadapter_server.profiling.search import Search
from infadapter_server.profiling.steps import Goal
from tests.model_variants.virtual_bench import Machine, Queue, searched_alone

SERVICE_S, SERVICES = 0.003, 10
GOAL = Goal(slo_s=SERVICES * SERVICE_S, percentile=99, epsilon=0.01)
START_S, LATER_S = 5.0, 3_600.0
MACHINES = (
    Machine(),
    *(
        Machine(drift=drift, memory_s=memory_s)
        for drift in (0.05, 0.10, 0.15)
        for memory_s in (30.0, 100.0, 300.0)
    ),
    Machine(stalls_per_minute=1),
    Machine(drift=0.10, memory_s=100, stalls_per_minute=1),
)


@dataclass(frozen=True, slots=True)
class Repetition:
    """The same machine, profiled three times."""

    first: KnownCapacity
    next: KnownCapacity
    later: KnownCapacity

    @property
    def half(self) -> float:
        """Of the interval, of the logarithm."""
        return math.log((self.first.high_rps or 0) / self.first.rps)


def repeated(like: Machine, seconds: float, seed: int) -> Repetition:
    machine = replace(like, seed=seed)
    queue = Queue(SERVICE_S, seed, machine=machine)
    found = []
    for pause_s in (0.0, START_S, LATER_S):
        machine.wait(pause_s + CURVE_SHARE * seconds)
        found.append(_profiled(queue, (1 - CURVE_SHARE) * seconds))
    return Repetition(*found)


def _profiled(queue: Queue, seconds: float) -> KnownCapacity:
    saturation_rps = math.exp(queue.machine.now) / queue.service_s
    search = Search(bench=queue, goal=GOAL, saturation_rps=saturation_rps, seconds=seconds, seed=0)
    return searched_alone(search)


def inside(known: KnownCapacity, first: KnownCapacity) -> bool:
    return (first.low_rps or 0) <= known.rps <= (first.high_rps or 0)


def row(machine: Machine, seconds: float, repetitions: int) -> tuple[str, ...]:
    runs = [repeated(machine, seconds, seed) for seed in range(repetitions)]
    apart = statistics.pstdev(math.log(run.next.rps / run.first.rps) for run in runs)
    halves = sorted(run.half for run in runs)
    return (
        f"{seconds:g}",
        f"{machine.drift:.0%}",
        f"{machine.memory_s:g}" if machine.drift else "",
        f"{machine.stalls_per_minute:g}",
        f"{statistics.fmean(inside(run.next, run.first) for run in runs):.0%}",
        f"{statistics.fmean(inside(run.later, run.first) for run in runs):.0%}",
        f"{apart:.1%}",
        f"{halves[len(halves) // 2]:.1%}",
        f"{halves[len(halves) * 9 // 10]:.1%}",
        f"{statistics.fmean(half > NOISY for half in halves):.0%}",
    )


def _show(*cells: str) -> None:
    click.echo(f"| {' | '.join(cells)} |")


@click.command(help=__doc__)
@click.option("--seconds", "lengths_s", type=float, multiple=True, default=(60.0,))
@click.option("--repetitions", type=click.IntRange(2), default=200, show_default=True)
def main(lengths_s: tuple[float, ...], repetitions: int) -> None:
    heads = ("seconds", "drift", "memory, s", "stalls a minute", "next inside", "an hour later")
    _show(*heads, "between runs, deviation", "interval, ±", "9 of 10, ±", "too wide")
    _show(*10 * ["---"])
    for seconds in lengths_s:
        for machine in MACHINES:
            _show(*row(machine, seconds, repetitions))


if __name__ == "__main__":
    main()
