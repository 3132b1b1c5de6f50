"""The time series of a run that the paper plots."""

from dataclasses import dataclass

import numpy as np

from infadapter_simulator.measures import accuracy_over_time
from infadapter_simulator.policies.papers.watched import Watched
from infadapter_simulator.world.queues import ON_TIME, Floats
from infadapter_simulator.world.world import World

BIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    at_s: Floats  # of the samples
    cores: Floats  # planned
    loss_points: Floats  # of accuracy, planned, below the most accurate variant's
    bin_at_s: Floats  # where bins begin, by when requests arrived
    p99_s: Floats  # of the answered; NaN where nothing was
    violations: Floats  # shares


def timeline(world: World, watched: Watched) -> Timeline:
    """Return the time series of a finished run."""
    _, planned = accuracy_over_time(world)
    edges_s = np.append(np.arange(0.0, world.seconds, BIN_S), float(world.seconds))
    traffic = world.traffic
    latency_s = _split(traffic.finish_s - traffic.arrivals_s, traffic.arrivals_s, edges_s)
    late = _split(traffic.outcomes() != ON_TIME, traffic.arrivals_s, edges_s)
    return Timeline(
        at_s=np.array(watched.at_s),
        cores=np.array(watched.cores),
        loss_points=100 * (world.scenario.best_accuracy - planned),
        bin_at_s=edges_s[:-1],
        p99_s=np.array([_p99(part) for part in latency_s]),
        violations=np.array([part.mean() if len(part) else 0.0 for part in late]),
    )


def _split(values: Floats, at_s: Floats, edges_s: Floats) -> list[Floats]:
    return np.split(values, np.searchsorted(at_s, edges_s[1:-1]))


def _p99(latency_s: Floats) -> float:
    answered = latency_s[np.isfinite(latency_s)]
    return float(np.percentile(answered, 99)) if len(answered) else float("nan")
