"""
Operating points in a fraction of a core, in virtual time: what pacing is worth.

\b
    python -m benchmarks.points_under_quota
    python -m benchmarks.points_under_quota --quota 0.6 --seeds 3

A pod that may use a part of a core runs at full speed until a period's part is used up and then not
at all. Reading and answering a request take of the same part, and while there is none of it a
request waits unseen in its socket. The demo's ladder, with the CPU time that its networks took.
Beside the point that each way to choose comes to stands the fluid limit: the best mixture of points
whose executions and HTTP fit into the quota. A request is in time if its client has the answer
within the SLO; effective accuracy counts others as wrong.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import inf
from statistics import fmean
from typing import NamedTuple

import click
import numpy as np

from benchmarks.machine import machine
from infadapter_scheduler import Arrival, Model, Point, PointPolicy, Scheduler, World, with_points
from infadapter_scheduler.actions import Run
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
from infadapter_scheduler.emulation import Emulation
from infadapter_scheduler.events import Event, Finished, SpeedChanged
from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_scheduler.points.rivals import LowestAccuracy
from infadapter_scheduler.world import Served, Settled
from infadapter_server.serving.driver import LAG_S
from infadapter_server.serving.headroom import WithinQuota
from infadapter_server.serving.pacing import Pacing
from infadapter_server.serving.slowing import Speed, slowed

Make = Callable[[Callable[[], float], Callable[[], float]], PointPolicy]


class Way(NamedTuple):
    """To choose points, told the quota and the CPU time that was used; and to be free again."""

    policy: Make
    paced: bool


PERIOD_S = 0.1
LOOK_S = 1.0
"""As a server follows its quota."""

SLO_S, SECONDS, WARM_S = 0.25, 25.0, 10.0
PROMISED_S = 0.9 * SLO_S
"""A server's promise leaves time for the way back."""

HTTP_MS = 0.3
QUOTAS = (0.3, 0.6)

ACCURACY = {
    "glyph-1": 0.836,
    "glyph-2": 0.885,
    "glyph-3": 0.914,
    "glyph-4": 0.923,
    "glyph-5": 0.932,
}
CPU_MS = {
    "glyph-1": (0.84, 0.84, 0.76),
    "glyph-2": (1.44, 1.43, 0.88),
    "glyph-3": (2.15, 2.08, 1.45),
    "glyph-4": (5.84, 4.00, 2.95),
    "glyph-5": (14.5, 11.31, 9.21),
}
"""Of a request, in batches of 1, 2 and 4 as the ladder's pods have them, without its HTTP."""

SHARES = (0.3, 0.5, 0.7, 0.85, 0.95)
"""Of the rate that the fastest point serves within the quota, HTTP included."""

HEAD = ["quota", "requests/s", "choice", "effective accuracy", "missed, %", "of the quota, %"]
HEAD += ["glyph-1 … glyph-5, %"]


@dataclass(slots=True)
class Share:
    """The CPU time of a process: a part of each period, used by whoever comes first."""

    quota: float
    used_s: float = 0.0
    _used: dict[int, float] = field(default_factory=dict)

    def until_s(self, now_s: float, cpu_s: float) -> float:
        """When so much has been used from then on."""
        at_s, self.used_s = now_s, self.used_s + cpu_s
        while True:
            period = int(at_s / PERIOD_S + 1e-9)
            end_s, used_s = (period + 1) * PERIOD_S, self._used.get(period, 0.0)
            here_s = max(0.0, min(cpu_s, self.quota * PERIOD_S - used_s, end_s - at_s))
            self._used[period] = used_s + here_s
            cpu_s -= here_s
            if cpu_s <= 1e-12:
                return at_s + here_s
            at_s = end_s


class Throttled(Emulation):
    """One executor, whose time and that of the front come out of one share."""

    def __init__(
        self,
        policy: Scheduler,
        world: World,
        share: Share,
        settled: Settled,
        pacing: Pacing,
    ) -> None:
        self._share, self._begin_s, self._pacing = share, 0.0, pacing
        self._looked_s, self._speed = 0.0, pacing.speed()
        super().__init__(policy, world, settled)

    def _run(self, run: Run, now_s: float) -> None:
        free_s = self.machines[run.executor].free_s
        self._begin_s = max(now_s + self.world.lag_s, free_s, run.earliest_s)
        super()._run(run, now_s)

    def _tell(self, event: Event, now_s: float) -> None:
        if isinstance(event, Finished):
            if now_s - self._looked_s >= LOOK_S:
                self._follow(now_s)
            requests = len(self._batches[event.executor, event.run])
            seconds, free_s = self._pacing.ended(event.start_s, event.end_s, requests)
            event = replace(event, start_s=free_s - seconds, end_s=free_s)
        super()._tell(event, now_s)

    def _follow(self, now_s: float) -> None:
        self._looked_s, before, self._speed = now_s, self._speed, self._pacing.speed()
        if self._speed != before:
            factor = before.share / self._speed.share
            each_s = self._speed.each_s - factor * before.each_s
            super()._tell(SpeedChanged(factor, each_s), now_s)

    def _took(self, seconds: float) -> float:
        return self._share.until_s(self._begin_s, seconds) - self._begin_s


def ladder() -> Model:
    return with_points("m", [point(name) for name in CPU_MS])


def point(name: str) -> Point:
    times = zip((1, 2, 4), CPU_MS[name], strict=True)
    return Point(name, ACCURACY[name], {size: size * ms / 1000 for size, ms in times})


def cost_s(name: str) -> float:
    """Of a request at the best batch, HTTP included."""
    return (min(CPU_MS[name]) + HTTP_MS) / 1000


def fluid(rps: float, quota: float) -> tuple[float, dict[str, float]]:
    """The most accurate mixture that fits, and how much of it is whose."""
    found = []
    for low, high in product(CPU_MS, CPU_MS):
        span_s, left_s = cost_s(high) - cost_s(low), quota / rps - cost_s(low)
        part = 1.0 if span_s <= 0 else min(1.0, left_s / span_s)
        if left_s >= -1e-12:
            accuracy = part * ACCURACY[high] + (1 - part) * ACCURACY[low]
            found.append((accuracy, {low: 1 - part, high: part}))
    return max(found, key=lambda each: each[0], default=(0.0, {}))


class Played(NamedTuple):
    accuracy: float  # effective
    missed: float
    used: float  # of the quota
    points: Mapping[str, float]  # of what was in time


def played(way: Way, rps: float, quota: float, seed: int) -> Played:
    """Under Poisson arrivals; the first seconds, in which estimates settle, don't count."""
    model, share = ladder(), Share(quota)
    in_time: Counter[str] = Counter()

    def settled(arrival: Arrival, fate: Served, known_s: float) -> None:
        if fate.outcome in ("on_time", "late") and arrival.arrival_s >= WARM_S:
            done_s = share.until_s(known_s, HTTP_MS / 2000)
            if done_s <= came_s[arrival.arrival_s] + SLO_S:
                in_time[model.points[fate.point].name] += 1

    came_s: dict[float, float] = {}
    pacing = Pacing(lambda: quota if way.paced else inf, cpu_time_s=lambda: share.used_s)
    speed = pacing.speed() if way.paced else Speed(quota)
    world = Throttled(
        Scheduler(
            [slowed(model, speed)],
            most_buffer=MOST_OF_THE_TIME,
            lag_s=LAG_S,
            points=way.policy(lambda: quota, lambda: share.used_s),
        ),
        World({"m": model}, lag_s=LAG_S),
        share,
        settled,
        pacing,
    )
    rng = np.random.default_rng(seed)
    arrivals_s = np.sort(rng.uniform(0, SECONDS, rng.poisson(rps * SECONDS)))
    read_s = 0.0
    for at_s in map(float, arrivals_s):
        _advance(world, at_s)
        read_s = max(read_s + 1e-9, share.until_s(at_s, HTTP_MS / 2000))
        _advance(world, read_s)
        came_s[read_s] = at_s
        world.arrive(Arrival(read_s, "m", PROMISED_S))
    _advance(world, SECONDS + 10)
    counted = sum(at_s >= WARM_S for at_s in came_s)
    worth = sum(ACCURACY[name] * number for name, number in in_time.items())
    answered = in_time.total()
    points = {name: in_time[name] / max(1, answered) for name in CPU_MS}
    return Played(worth / counted, 1 - answered / counted, share.used_s / SECONDS / quota, points)


def _advance(world: Emulation, until_s: float) -> None:
    while world.step(until_s):
        pass


def weighted(quota: Callable[[], float], cpu_time_s: Callable[[], float]) -> PointPolicy:
    return WithinQuota(KeepingUp(), quota=quota, cpu_time_s=cpu_time_s)


WAYS: Mapping[str, Way] = {
    "at full speed": Way(lambda quota, cpu_time_s: KeepingUp(), paced=False),
    "weighted": Way(weighted, paced=False),
    "paced": Way(lambda quota, cpu_time_s: KeepingUp(), paced=True),
    "paced and weighted": Way(weighted, paced=True),
    "the fastest": Way(lambda quota, cpu_time_s: LowestAccuracy(), paced=False),
    "the fastest, paced": Way(lambda quota, cpu_time_s: LowestAccuracy(), paced=True),
}


def shown(points: Mapping[str, float]) -> str:
    return " ".join(f"{100 * points.get(name, 0.0):.0f}" for name in CPU_MS)


@click.command(help=__doc__)
@click.option("--quota", "quotas", type=click.FloatRange(0.05, 1), multiple=True)
@click.option("--seeds", type=click.IntRange(1, 100), default=2, show_default=True)
def main(quotas: Sequence[float], seeds: int) -> None:
    click.echo(machine())
    click.echo("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for quota, part in product(quotas or QUOTAS, SHARES):
        rps = part * quota / cost_s("glyph-1")
        best, mixture = fluid(rps, quota)
        load = (f"{quota:g}", f"{rps:.0f} ({part:g})")
        click.echo(_row(*load, "fluid limit", f"{100 * best:.2f}", "", "", shown(mixture)))
        for name, way in WAYS.items():
            each = [played(way, rps, quota, seed) for seed in range(1, seeds + 1)]
            told = map(fmean, zip(*((r.accuracy, r.missed, r.used) for r in each), strict=True))
            points = {name: fmean(run.points[name] for run in each) for name in CPU_MS}
            click.echo(_row(*load, name, *(f"{100 * x:.2f}" for x in told), shown(points)))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
