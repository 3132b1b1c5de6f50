"""
The metrics of a simulated world: load by second and by pod, CPU in use, concurrency.

Separate from the world and its traffic, which do not depend on being measured.
"""

import numpy as np

from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.traffic import Traffic
from infadapter_simulator.world.world import World


def scraped_rates(world: World, window_s: float) -> tuple[float, Floats]:
    """Return arrivals per second as far as scraped, and until when."""
    return world.scraped(world.now_s - world.scenario.scrape_delay_s, window_s)


def counts_by_pod(world: World) -> dict[str, tuple[float, float]]:
    """Return, by pod name, the requests sent to it and those it refused."""
    return {pod.name: world.traffic.counts(pod.slot) for pod in world.pods}


def late_by_pod(world: World, since_s: float) -> dict[str, int]:
    """Return, by pod name, the requests answered too late since `since_s`."""
    late = world.traffic.late(since_s, world.now_s)
    return {pod.name: int(late[pod.slot]) for pod in world.pods}


def accuracy_by_pod(world: World, since_s: float) -> dict[str, float | None]:
    """Return, by pod name, the mean accuracy of its operating points' answers since `since_s`."""
    told = world.traffic.accuracy_told(since_s, world.now_s)
    return {
        pod.name: None if np.isnan(told[pod.slot]) else float(told[pod.slot]) for pod in world.pods
    }


def busy_cores(traffic: Traffic, slot: int, from_s: float, to_s: float) -> float:
    """Return the mean number of busy servers of the pod: its CPU use."""
    rows = traffic.rows(from_s, to_s)
    own = traffic.slot_of[rows] == slot
    begin_s, end_s = traffic.start_s[rows][own], traffic.finish_s[rows][own]
    return _overlap_s(begin_s, end_s, from_s, to_s) / (to_s - from_s)


def in_system(traffic: Traffic, slots: set[int], from_s: float, to_s: float) -> float:
    """Return the mean number of requests waiting or in service in these pods."""
    rows = traffic.rows(from_s, to_s)
    named = np.zeros(traffic.slots + 1, dtype=np.bool_)
    named[list(slots)] = True
    own = named[traffic.slot_of[rows]]  # the last is for those that no pod took
    begin_s, end_s = traffic.arrivals_s[rows][own], traffic.finish_s[rows][own]
    return _overlap_s(begin_s, end_s, from_s, to_s) / (to_s - from_s)


def arrived(traffic: Traffic, from_s: float, to_s: float) -> int:
    low, high = np.searchsorted(traffic.arrivals_s, (from_s, to_s), side="left")
    return int(high - low)


def _overlap_s(begin_s: Floats, end_s: Floats, from_s: float, to_s: float) -> float:
    overlap = np.minimum(end_s, to_s) - np.maximum(begin_s, from_s)
    return float(np.maximum(overlap, 0.0).sum())
