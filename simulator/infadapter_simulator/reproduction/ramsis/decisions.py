"""
Model-Switching as RAMSIS's authors implemented it: for each load the most accurate network that a
simulated queue serves with less than 1 % of violations.

Five minutes of Poisson arrivals pass through one queue in order. A free executor takes the waiting
requests, up to a cap that is the same for all networks.
"""

from collections.abc import Sequence
from heapq import heapreplace

import numpy as np
from numpy.typing import NDArray

from infadapter_scheduler import Point
from infadapter_scheduler.points.model_switching import Decided
from infadapter_simulator.compiled import compiled
from infadapter_simulator.reproduction.ramsis.inputs import SLO_S

LOADS_RPS = tuple(range(200, 4001, 200))
SIMULATED_S = 300.0
VIOLATIONS = 0.01


def decisions(
    networks: Sequence[Point], workers: int, draw: np.random.Generator, seconds: float = SIMULATED_S
) -> dict[int, Decided]:
    """
    Return the decision for each load; `networks` are ordered from the fastest to the most accurate.
    """
    found = {}
    for load_rps in LOADS_RPS:
        times_s = np.cumsum(draw.exponential(1 / load_rps, int(load_rps * seconds)))
        found[load_rps] = decided(networks, workers, load_rps, times_s)
    return found


def decided(
    networks: Sequence[Point], workers: int, load_rps: float, times_s: NDArray[np.float64]
) -> Decided:
    cap = batch_cap(networks, load_rps / workers)
    for network in reversed(networks):
        if violations(network, cap, workers, times_s) < VIOLATIONS * len(times_s):
            return Decided(network.name, cap)
    return Decided(networks[0].name, cap)


def batch_cap(networks: Sequence[Point], each_rps: float) -> int:
    """
    Return the largest batch within half the SLO that keeps up, of the most accurate network with
    one.
    """
    for network in reversed(networks):
        fit = within_half(network)
        able = [b for b in fit if b / network.execution_s[b] >= each_rps]
        if able:
            return max(able)
    return max(within_half(networks[0]))


def within_half(network: Point) -> list[int]:
    return [b for b, seconds in network.execution_s.items() if seconds <= SLO_S / 2]


def violations(network: Point, cap: int, workers: int, times_s: NDArray[np.float64]) -> int:
    """Return the number of late requests; counting stops once there are too many."""
    most = min(cap, max(network.execution_s))
    seconds = np.array([0.0] + [network.execution_s[b] for b in range(1, most + 1)])
    return int(_late(times_s, seconds, workers, SLO_S, VIOLATIONS * len(times_s)))


@compiled
def _late(
    times_s: NDArray[np.float64],
    seconds: NDArray[np.float64],
    workers: int,
    slo_s: float,
    enough: float,
) -> int:
    free_s = [0.0] * workers
    at, late, cap = 0, 0, len(seconds) - 1
    while at < len(times_s) and late <= enough:
        begin_s = max(free_s[0], times_s[at])
        size = 1
        while size < cap and at + size < len(times_s) and times_s[at + size] <= begin_s:
            size += 1
        end_s = begin_s + seconds[size]
        heapreplace(free_s, end_s)
        for member in range(at, at + size):
            late += end_s - times_s[member] > slo_s
        at += size
    return late
