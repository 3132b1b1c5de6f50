"""
Pods with operating points, compiled: the point of each request is chosen when it starts.

A request is accepted if the fastest point would answer it, and all waiting before it, in time. When
a server becomes free, the point is chosen by the rule of a real pod's scheduler
(`infadapter_scheduler/points/keeping_up.py`, with its constants): on the hull of accuracy over
time, the most accurate one that sustains the arrival rate, or the next better one while the queue
allows it.

Two simplifications of the compiled loop: batches have one request, and servers share one queue,
where a scheduler's executors have parts of their own.
"""

from collections.abc import Sequence
from math import exp, inf
from typing import NamedTuple

import numpy as np

from infadapter_scheduler.estimate import LEAST_SEEN
from infadapter_scheduler.points.frontier import frontier
from infadapter_scheduler.points.keeping_up import FILLED, FULL
from infadapter_scheduler.points.policy import Timed
from infadapter_scheduler.pressure import WINDOW_ARRIVALS, WINDOW_S
from infadapter_scheduler.staggered import SHARED
from infadapter_simulator.compiled import compiled
from infadapter_simulator.world.servers import Floats, Ints, first_free, with_rows

SAME_S = 1e-9
"""Times closer than this are equal, s."""


class Points(NamedTuple):
    """Arrays by pod number (`slot`), unless stated otherwise."""

    number: Ints  # of points; 0: the pod has none
    seconds: Floats  # by slot and point, the most accurate first
    accuracy: Floats  # likewise
    mass: Floats  # arrivals over an exponentially decaying window …
    mass_at_s: Floats  # … as of then …
    since_s: Floats  # … and from then on
    head: Ints  # the request that has waited longest
    tail: Ints
    waiting: Ints
    behind: Ints  # by request: who waits behind it
    answered: Floats  # by request: the accuracy of the point that answers it; NaN: of no point


def no_points(slots: int, requests: int, most: int) -> Points:
    """Return arrays for this many pods with up to `most` points each."""
    return Points(
        number=np.zeros(slots, dtype=np.int64),
        seconds=np.zeros((slots, most)),
        accuracy=np.zeros((slots, most)),
        mass=np.zeros(slots),
        mass_at_s=np.zeros(slots),
        since_s=np.zeros(slots),
        head=np.zeros(slots, dtype=np.int64),
        tail=np.zeros(slots, dtype=np.int64),
        waiting=np.zeros(slots, dtype=np.int64),
        behind=np.zeros(requests, dtype=np.int64),
        answered=np.full(requests, np.nan),
    )


def grown(points: Points, slots: int) -> Points:
    by_slot = {name: with_rows(getattr(points, name), slots) for name in points._fields[:-2]}
    return points._replace(**by_slot)


def give(points: Points, slot: int, speeds: Sequence[tuple[float, float]]) -> None:
    """Give the pod those of these points (accuracy, time per request) that are worth choosing."""
    timed = [Timed(n, "", accuracy, {1: seconds}) for n, (accuracy, seconds) in enumerate(speeds)]
    hull = [rung.point for rung in reversed(frontier(timed, inf))]
    points.number[slot] = len(hull)
    for number, point in enumerate(hull):
        points.accuracy[slot, number], points.seconds[slot, number] = (
            point.accuracy,
            point.seconds[1],
        )


@compiled
def arrive(
    points: Points,
    request: int,
    slot: int,
    may_wait: int,  # so many; less than none: refuse what could not be answered within the SLO
    free_s: Floats,  # by server of the pod; changed
    arrivals: Floats,
    noise: Floats,
    slo_s: float,
    start_s: Floats,
    finish_s: Floats,
) -> bool:
    """Return whether the request is accepted; start what can start by now."""
    now = arrivals[request]
    begin(points, slot, now, free_s, arrivals, noise, slo_s, start_s, finish_s)
    _count(points, slot, now)
    if not _is_welcome(points, slot, now, may_wait, free_s, slo_s):
        return False
    if points.waiting[slot]:
        points.behind[points.tail[slot]] = request
    else:
        points.head[slot] = request
    points.tail[slot] = request
    points.waiting[slot] += 1
    begin(points, slot, now, free_s, arrivals, noise, slo_s, start_s, finish_s)
    return True


@compiled
def begin(
    points: Points,
    slot: int,
    until: float,
    free_s: Floats,
    arrivals: Floats,
    noise: Floats,
    slo_s: float,
    start_s: Floats,
    finish_s: Floats,
) -> None:
    """Start the waiting requests that get a server until then."""
    while points.waiting[slot]:
        request = points.head[slot]
        server = first_free(free_s, free_s.size)
        at = max(arrivals[request], free_s[server])
        if at > until:
            return
        point = _chosen(points, slot, server, at, free_s, arrivals, slo_s)
        finish = at + points.seconds[slot, point] * (noise[request] if noise.size else 1.0)
        free_s[server] = finish
        start_s[request] = at
        finish_s[request] = finish
        points.answered[request] = points.accuracy[slot, point]
        points.head[slot] = points.behind[request]
        points.waiting[slot] -= 1


@compiled
def _is_welcome(
    points: Points, slot: int, now: float, may_wait: int, free_s: Floats, slo_s: float
) -> bool:
    fastest_s = points.seconds[slot, points.number[slot] - 1]
    free = free_s.copy()
    for _ in range(points.waiting[slot]):
        free[first_free(free, free.size)] += fastest_s
    start = max(now, free[first_free(free, free.size)])
    if may_wait < 0:
        return bool(start + fastest_s <= now + slo_s + SAME_S)
    return bool(start <= now or points.waiting[slot] < may_wait)


@compiled
def _chosen(
    points: Points,
    slot: int,
    server: int,
    at: float,
    free_s: Floats,
    arrivals: Floats,
    slo_s: float,
) -> int:
    last = points.number[slot] - 1
    fastest_s = points.seconds[slot, last]
    rate = _rate(points, slot, at) / free_s.size
    behind_s = (points.waiting[slot] - 1) * fastest_s / free_s.size
    waited = 1.0
    if free_s.size > 1:
        waited = SHARED  # as `waited_share`
        behind_s = max(behind_s, at - arrivals[points.head[slot]])
    until_next_s = (slo_s - behind_s) / (1.0 + rate * fastest_s) / waited
    keeping_up = 0
    for point in range(last + 1):
        keeping_up += rate * points.seconds[slot, point] <= FULL
    above = last - keeping_up if keeping_up else -1
    for point in range(max(0, last - keeping_up), last):
        most_s = until_next_s
        if point == above:
            longer = points.seconds[slot, point + 1] / fastest_s
            most_s = min(most_s, (FILLED * slo_s - behind_s * longer) / waited)
        fits = points.seconds[slot, point] <= most_s + SAME_S
        if fits and _all_in_time(points, slot, point, server, at, free_s, arrivals, slo_s):
            return point
    return int(last)


@compiled
def _all_in_time(
    points: Points,
    slot: int,
    point: int,
    server: int,
    at: float,
    free_s: Floats,
    arrivals: Floats,
    slo_s: float,
) -> bool:
    """Whether the first request at this point, and those behind it at the fastest, are in time."""
    takes_s = points.seconds[slot, point]
    fastest_s = points.seconds[slot, points.number[slot] - 1]
    free = free_s.copy()
    request = points.head[slot]
    free[server] = at + takes_s
    if free[server] > arrivals[request] + slo_s + SAME_S:
        return False
    for _ in range(points.waiting[slot] - 1):
        request = points.behind[request]
        if _next(free, at, fastest_s) > arrivals[request] + slo_s + SAME_S:
            return False
    return True


@compiled
def _next(free: Floats, at: float, takes_s: float) -> float:
    """Return when the next request is answered."""
    server = first_free(free, free.size)
    free[server] = max(at, free[server]) + takes_s
    return float(free[server])


@compiled
def _count(points: Points, slot: int, now: float) -> None:
    """Count an arrival, refused or not."""
    gone_s = now - points.mass_at_s[slot]
    points.mass[slot] = points.mass[slot] * exp(-gone_s / _window_s(points, slot)) + 1.0
    points.mass_at_s[slot] = now


@compiled
def _rate(points: Points, slot: int, now: float) -> float:
    """
    Return arrivals per second over the decaying window, or over the part of it that has passed.
    """
    window_s = _window_s(points, slot)
    mass = points.mass[slot] * exp(-max(0.0, now - points.mass_at_s[slot]) / window_s)
    seen = 1.0 - exp(-max(0.0, now - points.since_s[slot]) / window_s)
    return float(mass / (window_s * max(LEAST_SEEN, seen)))


@compiled
def _window_s(points: Points, slot: int) -> float:
    return float(max(WINDOW_S, WINDOW_ARRIVALS * points.seconds[slot, points.number[slot] - 1]))
