"""Emulated workers in real time, like the authors' worker_dummy, under a rising load."""

import time
from typing import NamedTuple

from infadapter_scheduler import Arrival, Emulation, Served, Stream, World
from infadapter_simulator.reproduction.clockwork.asked import LAG_S, Asked, poisson, policy_of
from infadapter_simulator.reproduction.clockwork.table import by_name, resnet50s

MODELS, SLO_S = 48, 0.1
LOADS = tuple(0.1 * 1.5**step for step in range(10))
STEP_S_A_MINUTE = 2.0
LEAST_SLEEP_S = 0.0002
GIVEN_UP = 0.7
"""Share of the best goodput below which the load is beyond what the scheduler can follow."""


class Saturation(NamedTuple):
    goodput_rps: float
    load: float  # × the capacity of the workers


class WallClock:
    """Handles events no earlier than they are due; a delay makes answers late."""

    def __init__(self) -> None:
        self.began_s = time.perf_counter()
        self.behind_s = 0.0

    def wait(self, at_s: float) -> None:
        early_s = at_s - (time.perf_counter() - self.began_s)
        if early_s > LEAST_SLEEP_S:
            time.sleep(early_s)
        self.behind_s = max(0.0, -early_s)


def saturated(asked: Asked, workers: int, capacity_rps: float) -> Saturation:
    """Return the load with the highest goodput."""
    best = Saturation(0.0, 0.0)
    for step, load in enumerate(LOADS):
        found = Saturation(_goodput_rps(asked, workers, load * capacity_rps, step), load)
        best = max(best, found)
        if found.goodput_rps < GIVEN_UP * best.goodput_rps:
            break
    return best


def _goodput_rps(asked: Asked, workers: int, rate_rps: float, step: int) -> float:
    """Return the rate of answers given within the SLO of their arrival, by the wall clock."""
    made, seconds = resnet50s(MODELS), STEP_S_A_MINUTE * asked.minutes
    source = Stream(
        poisson(
            rate_rps, [m.name for m in made], lambda at_s: SLO_S, seconds, asked.draw(workers, step)
        )
    )
    in_time = 0

    def settled(arrival: Arrival, fate: Served, known_s: float) -> None:
        nonlocal in_time
        answered_s = known_s + clock.behind_s
        in_time += fate.outcome == "on_time" and answered_s <= arrival.arrival_s + SLO_S

    world = World(by_name(made), workers, None, LAG_S)
    emulation = Emulation(policy_of("infadapter", made), world, settled)
    clock = WallClock()
    while time.perf_counter() - clock.began_s < seconds:
        next_s = source.next_s()
        at_s = min(next_s, emulation.due_s())
        if at_s > seconds:
            break
        clock.wait(at_s)
        if not emulation.step(next_s):
            emulation.arrive(source.take())
    return in_time / seconds
