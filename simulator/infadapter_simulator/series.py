"""Time series of a run, small enough to draw."""

from dataclasses import dataclass

import numpy as np

from infadapter_simulator.measures import SAMPLE_S, accuracy_over_time, cores_over_time
from infadapter_simulator.world.queues import ON_TIME, Floats
from infadapter_simulator.world.world import World

BIN_S = 30.0
"""Bin length for violations, s."""

_MOST_SAMPLES, _MOST_BINS = 2_000, 500  # of a long trace; more can't be told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    Series of one policy; bins of `bin_s` begin at `bin_at_s`, everything else is sampled at `at_s`.
    """

    at_s: Floats
    cores: dict[str, Floats]  # held, by variant
    accuracy: Floats  # planned; NaN where nobody served
    bin_at_s: Floats
    bin_s: float
    load_rps: Floats
    violations: Floats  # shares of the requests that arrived in the bin


def series_of(world: World) -> Series:
    """Return the series of a finished run."""
    step_s = _step(SAMPLE_S, world.seconds, _MOST_SAMPLES)
    at_s, cores = cores_over_time(world, step_s)
    _, accuracy = accuracy_over_time(world, step_s)
    bin_s = _step(BIN_S, world.seconds, _MOST_BINS)
    edges = np.arange(0.0, world.seconds + bin_s, bin_s)
    arrivals_s = world.traffic.arrivals_s
    arrived = np.histogram(arrivals_s, bins=edges)[0]
    violated = np.histogram(arrivals_s[world.traffic.outcomes() != ON_TIME], bins=edges)[0]
    lengths_s = np.minimum(edges[1:], world.seconds) - edges[:-1]
    return Series(
        at_s=at_s,
        cores={name: held for name, held in cores.items() if held.any()},
        accuracy=accuracy,
        bin_at_s=edges[:-1],
        bin_s=bin_s,
        load_rps=arrived / lengths_s,
        violations=violated / np.maximum(arrived, 1),
    )


def _step(shortest_s: float, seconds: int, most: int) -> float:
    """Return a multiple of the shortest step such that there are at most `most`."""
    return float(shortest_s * max(1, np.ceil(seconds / shortest_s / most)))
