"""
The metrics of a simulated world: load by second and by pod, CPU in use, concurrency.

Apart from the world and its traffic, which go their way whether or not anybody measures them.
"""

import numpy as np

from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.traffic import Traffic
from infadapter_simulator.world.world import World


def scraped_rates(world: World, window_s: float) -> tuple[float, Floats]:
    """Arrivals per second as far as they are scraped, and until when that is."""
    return world.scraped(world.now_s - world.scenario.scrape_delay_s, window_s)


def counts_by_pod(world: World) -> dict[str, tuple[float, float]]:
    """By pod name: requests that it was sent, and those of them that it refused."""
    return {pod.name: world.traffic.counts(pod.slot) for pod in world.pods}


def late_by_pod(world: World, since_s: float) -> dict[str, int]:
    """By pod name: requests that it has answered since then, and too late."""
    late = world.traffic.late(since_s, world.now_s)
    return {pod.name: int(late[pod.slot]) for pod in world.pods}


def accuracy_by_pod(world: World, since_s: float) -> dict[str, float | None]:
    """By pod name: how accurate the operating points were that have answered since then."""
    told = world.traffic.accuracy_told(since_s, world.now_s)
    return {
        pod.name: None if np.isnan(told[pod.slot]) else float(told[pod.slot]) for pod in world.pods
    }


def busy_cores(traffic: Traffic, slot: int, from_s: float, to_s: float) -> float:
    """Servers of the pod that were busy in that time, in the mean: its use of CPU."""
    rows = traffic.rows(from_s, to_s)
    own = traffic.slot_of[rows] == slot
    begin_s, end_s = traffic.start_s[rows][own], traffic.finish_s[rows][own]
    return _overlap_s(begin_s, end_s, from_s, to_s) / (to_s - from_s)


def in_system(traffic: Traffic, slots: set[int], from_s: float, to_s: float) -> float:
    """Requests waiting or being served in these pods in that time, in the mean."""
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
