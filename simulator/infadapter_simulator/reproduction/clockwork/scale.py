"""
§6.6: scalability of one controller with 10 to 150 emulated workers: the scheduler's CPU time per
request in virtual time, and in real time the load that it can follow.
"""

import time
from collections.abc import Sequence

from infadapter_scheduler import Action, Event, Policy, Stream, World
from infadapter_simulator.reproduction.clockwork.asked import LAG_S, Asked, poisson, policy_of
from infadapter_simulator.reproduction.clockwork.drive import Sampler, drive
from infadapter_simulator.reproduction.clockwork.realtime import Saturation, saturated
from infadapter_simulator.reproduction.clockwork.table import by_name, resnet50s
from infadapter_simulator.reproduction.clockwork.tally import Counts, Tally
from infadapter_simulator.reproduction.result import Line, Panel, Result, percent

WORKERS = (10, 30, 50, 70, 90, 110, 130, 150)
IN_REAL_TIME = (10, 30, 60, 110, 150)
MODELS, SLO_S, LOAD = 48, 0.1, 0.8
REQUESTS_A_MINUTE = 240_000
"""Requests per minute of the smallest number of workers; with more workers minutes are shorter."""

PUBLISHED_RPS, PUBLISHED_WORKERS = 103_387, 110


class Timed:
    """A policy that records its CPU time."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self.cpu_s = policy, 0.0
        self.decides_at_arrival = policy.decides_at_arrival
        self.next_tick_s = policy.next_tick_s

    def handle(self, event: Event, now_s: float) -> list[Action]:
        began_s = time.process_time()
        actions = self._policy.handle(event, now_s)
        self.cpu_s += time.process_time() - began_s
        return actions


def run(asked: Asked) -> Result:
    found = {workers: _cost(asked, workers) for workers in WORKERS}
    real = {workers: saturated(asked, workers, capacity_rps(workers)) for workers in IN_REAL_TIME}
    rows = [_row(workers, *found[workers], real.get(workers)) for workers in WORKERS]
    rows += [
        _row(workers, None, 0.0, real[workers]) for workers in IN_REAL_TIME if workers not in found
    ]
    said = (
        f"Virtual time: {MODELS} ResNet-50s on all workers, {LOAD:g} of what they can do, an SLO "
        "of 100 ms; CPU of the scheduler alone, one core, Python.",
        "Real time: workers that sleep for as long as the table says, in the same process and on "
        "the same core; saturated is the goodput, within 100 ms by the wall clock, of the load at "
        "which it is highest; the load grows by half from step to step, as in the paper.",
        f"Published: {PUBLISHED_RPS:,} r/s at {PUBLISHED_WORKERS} workers, then bound by the "
        "controller, which is C++ on about 18 cores.",
    )
    head = [
        "workers", "offered r/s", "on time %", "CPU µs a request", "that is r/s a core",
        "saturated r/s, real time", "published r/s",
    ]  # fmt: skip
    panels = [
        Panel(
            "The scheduler's CPU, µs a request",
            [Line("ours", WORKERS, [1e6 * found[workers][1] for workers in WORKERS])],
        ),
        Panel(
            "Goodput when saturated, r/s",
            [
                Line("ours, one core", IN_REAL_TIME, [real[w].goodput_rps for w in IN_REAL_TIME]),
                Line("published", [PUBLISHED_WORKERS], [PUBLISHED_RPS]),
            ],
        ),
    ]
    return Result("6.6", "Scale", head, rows, panels, "emulated workers", said)


def capacity_rps(workers: int) -> float:
    (model,) = resnet50s(1)
    return workers * max(b / t for b, t in model.execution_s.items())


def _cost(asked: Asked, workers: int) -> tuple[Counts, float]:
    """Return the counts of the requests, and the scheduler's CPU time per request, s."""
    made = resnet50s(MODELS)
    rate_rps = LOAD * capacity_rps(workers)
    until_s = REQUESTS_A_MINUTE * asked.minutes / rate_rps
    names: Sequence[str] = [model.name for model in made]
    draw = asked.draw(workers)
    source = Stream(poisson(rate_rps, names, lambda at_s: SLO_S, until_s, draw))
    timed, tally = Timed(policy_of("infadapter", made)), Tally(until_s + 1)
    sampler = Sampler(1.0, until_s, asked.tell)
    drive(timed, source, World(by_name(made), workers, None, LAG_S), tally.settled, sampler)
    counts = tally.of()
    return counts, timed.cpu_s / max(1, counts.arrivals)


def _row(workers: int, counts: Counts | None, cpu_s: float, real: Saturation | None) -> list[str]:
    return [
        str(workers),
        f"{LOAD * capacity_rps(workers):,.0f}" if counts else "",
        percent(counts.share) if counts else "",
        f"{1e6 * cpu_s:.1f}" if counts else "",
        f"{1 / cpu_s:,.0f}" if counts else "",
        f"{real.goodput_rps:,.0f} (at {real.load:.1f} × capacity)" if real else "",
        f"{PUBLISHED_RPS:,}" if workers == PUBLISHED_WORKERS else "",
    ]
