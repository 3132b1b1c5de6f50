"""Admission at arrival beside what else there is, in virtual time: python -m benchmarks.scheduler.

Scenarios × policies on one exact executor: late among the accepted, the on-time share of all
arrivals beside min(1, C/λ), the age of refusals, and the CPU time of the scheduler per request. C:
the throughput of the largest batch with 2·t_b ≤ SLO. Where many models share the load, batches of
that size can't be filled within the deadline by anybody: "can be filled" says what is left of
min(1, C/λ) if each batch takes all that arrives for its model while it may wait.

Execution times are ResNet-50's (Clockwork, OSDI'20, appendix A). `--requests 1000000` and more is
what figures are published for; `--noise` has executions deviate, `--depth` measures CPU by depth.
`--bounds` shows ours beside what anybody could serve of the same arrivals who knew them all, and
what can be served by who decides at arrival (benchmarks/scheduler_bounds.py).
"""

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import click

from benchmarks.columns import show_row
from benchmarks.machine import machine
from benchmarks.scheduler_bounds import at_arrival, foreseen
from infadapter_scheduler import (
    POLICIES,
    Arrival,
    Model,
    Scheduler,
    World,
    lognormal,
    replay,
)
from infadapter_simulator.reproduction.clockwork.scale import Timed

TIMES_MS = {1: 2.73, 2: 4.05, 4: 5.87, 8: 9.93, 16: 17.3}
SLOS_MS = {"8×": 21.84, "18×": 50.0, "37×": 100.0, "100×": 273.0}
LOADS = (0.5, 0.9, 1.2, 2.0, 5.0)
BOUND_LOADS, OPTIMUM_OF = (0.9, 1.2, 2.0), 3000
DEPTHS = ((100, 1, 1.1), (100, 10, 2.0), (100, 1_000, 2.6), (1_000, 100, 2.6), (10_000, 1_000, 2.6))
"""
Requests queued, models, and how much longer the SLO is than the queue. The deepest is compared with
as many models at 100 queued as well: what grows with their number isn't the depth's.
"""

row = partial(show_row, first_width=30, width=14)


class Scenario(NamedTuple):
    slos_ms: tuple[float, ...]
    load: float
    models: int = 1

    @property
    def name(self) -> str:
        slo = "/".join(f"{slo_ms:g}" for slo_ms in self.slos_ms)
        return f"{self.load:g}×, {self.models} models, {slo} ms"

    @property
    def capacity_rps(self) -> float:
        return sum(map(capacity_rps, self.slos_ms)) / len(self.slos_ms)

    @property
    def fair(self) -> float:
        return min(1.0, 1.0 / self.load)

    @property
    def fillable(self) -> float:
        """A batch opens with one request, and takes what comes until it has to start."""
        each_rps = self.load * self.capacity_rps / self.models
        rates = [filled_rps(each_rps, slo_ms) for slo_ms in self.slos_ms]
        return min(self.fair, sum(rates) / len(rates) / self.load / self.capacity_rps)


def capacity_rps(slo_ms: float) -> float:
    return max(1000 * b / t for b, t in TIMES_MS.items() if 2 * t <= slo_ms)


def filled_rps(each_rps: float, slo_ms: float) -> float:
    """Sizes between those that are served are taken to cost what lies between."""
    sizes = list(TIMES_MS)
    best = 1000 / TIMES_MS[1]
    for size, took_ms in TIMES_MS.items():
        if 2 * took_ms <= slo_ms:
            filled = min(size, 1 + each_rps * (slo_ms - took_ms) / 1000)
            low = sizes[bisect_right(sizes, filled) - 1]
            high = min((b for b in sizes if b >= filled), default=low)
            part = (filled - low) / (high - low) if high > low else 0.0
            mean_ms = TIMES_MS[low] + part * (TIMES_MS[high] - TIMES_MS[low])
            best = max(best, 1000 * filled / mean_ms)
    return best


def scenarios() -> Iterator[Scenario]:
    for slo_ms in SLOS_MS.values():
        yield from (Scenario((slo_ms,), load) for load in LOADS)
    for models in (4, 16, 64):
        yield from (Scenario((273.0,), load, models) for load in LOADS)
    yield from (Scenario((50.0, 100.0, 273.0), load, 4) for load in LOADS)


def models_of(number: int) -> dict[str, Model]:
    execution_s = {b: t / 1000 for b, t in TIMES_MS.items()}
    return {f"m{i}": Model(f"m{i}", execution_s, 0.00832, 7) for i in range(number)}


def arrivals_of(scenario: Scenario, requests: int, seed: int = 1) -> list[Arrival]:
    draw = random.Random(seed)
    now_s, found, names = 0.0, [], list(models_of(scenario.models))
    for _ in range(requests):
        now_s += draw.expovariate(scenario.load * scenario.capacity_rps)
        found.append(Arrival(now_s, draw.choice(names), draw.choice(scenario.slos_ms) / 1000))
    return found


def measured(scenario: Scenario, policy: str, requests: int, noise: float) -> tuple[str, ...]:
    models, arrivals = models_of(scenario.models), arrivals_of(scenario, requests)
    timed = Timed(POLICIES[policy](list(models.values()), None, 0.0))
    fates = replay(timed, arrivals, World(models, deviation=lognormal(noise), seed=1))
    counts = Counter(fate.outcome for fate in fates)
    ages_s = sorted(
        fate.decided_s - arrival.arrival_s
        for fate, arrival in zip(fates, arrivals, strict=True)
        if fate.outcome == "refused"
    )
    age = f"{1000 * ages_s[int(0.99 * len(ages_s))]:.1f}" if ages_s else "–"
    return (
        str(counts["late"]),
        str(counts["cancelled"]),
        f"{100 * counts['on_time'] / requests:.1f}",
        age,
        f"{1e6 * timed.cpu_s / requests:.0f}",
    )


def beside_bounds(requests: int) -> None:
    """Where the wanted share is missed, is it ours, or nobody's?"""
    times_s = {size: took_ms / 1000 for size, took_ms in TIMES_MS.items()}
    row("", "ours %", "foreseen %", "at arrival %", "C/λ %")
    for scenario in scenarios():
        if scenario.load not in BOUND_LOADS:
            continue
        alone, (slo_ms, *others) = scenario.models == 1, scenario.slos_ms
        arrivals = arrivals_of(scenario, min(requests, OPTIMUM_OF) if alone else requests)
        models, offered_rps = models_of(scenario.models), scenario.load * scenario.capacity_rps
        fates = replay(Scheduler(models.values()), arrivals, World(models, seed=1))
        in_time = sum(fate.outcome == "on_time" for fate in fates) / len(arrivals)
        decided = (
            "–"
            if alone or others
            else f"{100 * at_arrival(offered_rps, scenario.models, slo_ms / 1000, times_s):.1f}"
        )
        bounds = (f"{100 * foreseen(arrivals, times_s):.1f}", decided)
        row(scenario.name, f"{100 * in_time:.1f}", *bounds, f"{100 * scenario.fair:.1f}")


def by_depth(requests: int) -> None:
    """At 1.2 times capacity queues are as long as the SLO is: so it is chosen."""
    row("queued, models", "CPU µs", "queued, mean")
    for depth, models, longer in DEPTHS:
        slo_ms = 1000 * longer * depth / capacity_rps(1e9)
        scenario = Scenario((slo_ms,), 1.2, models)
        scheduler = Scheduler(models_of(models).values())
        timed, queued = Timed(scheduler), Queued(scheduler)
        arrivals = arrivals_of(scenario, 3 * depth + requests)
        replay(timed, arrivals, World(models_of(models)), queued)
        row(
            f"{depth:,}, {models:,}",
            f"{1e6 * timed.cpu_s / len(arrivals):.0f}",
            f"{queued.mean:.0f}",
        )


class Queued:
    """How many are accepted and unanswered, seen now and then."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._seen = scheduler, list[int]()

    def __call__(self, done: int, total: int) -> None:
        if 2 * done > total:
            self._seen.append(len(self._scheduler.state.accepted))

    @property
    def mean(self) -> float:
        return sum(self._seen) / max(1, len(self._seen))


@click.command()
@click.option("--requests", type=click.IntRange(1), default=20_000, show_default=True)
@click.option("--policy", "policies", multiple=True, type=click.Choice(list(POLICIES)))
@click.option("--noise", type=float, default=0.0, show_default=True, help="Lognormal sigma.")
@click.option("--depth", is_flag=True, help="CPU per request by the depth of the queue.")
@click.option("--bounds", is_flag=True, help="Ours beside what anybody could serve.")
def main(requests: int, policies: Sequence[str], noise: float, depth: bool, bounds: bool) -> None:
    """Scenarios × policies in virtual time."""
    click.echo(f"{machine('numpy')}\n")
    if depth:
        by_depth(requests)
        return
    if bounds:
        beside_bounds(requests)
        return
    for name in policies or POLICIES:
        click.echo(f"\n{name}, {requests:,} requests each, noise {noise:g}")
        row("", "late", "cancelled", "on time %", "age p99 ms", "CPU µs", "C/λ %", "filled %")
        for scenario in scenarios():
            shares = (f"{100 * scenario.fair:.1f}", f"{100 * scenario.fillable:.1f}")
            row(scenario.name, *measured(scenario, name, requests, noise), *shares)


if __name__ == "__main__":
    main()
