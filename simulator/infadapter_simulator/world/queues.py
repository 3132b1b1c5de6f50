"""
The compiled inner loop: from requests to pods, and from pods' queues to finish times.

Every pod is a first-come-first-served queue with equal servers, so a request's start and finish are
known at its arrival: it takes the server that is free first. They change only if the pod is resized
or fails before the request starts; then the waiting requests are rearranged. Only in a pod with
operating points (`points.py`) the duration is unknown before the start.
"""

import numpy as np

from infadapter_simulator.compiled import compiled
from infadapter_simulator.world.servers import Floats, Ints, first_free, free_anew

__all__ = [
    "DEADLINE",
    "FAILED",
    "LATE",
    "MOST_WAITING",
    "ON_TIME",
    "REFUSED",
    "Floats",
    "Ints",
    "drawn",
    "next_by_weight",
    "rearrange",
    "serve",
]

ON_TIME, LATE, REFUSED, FAILED = 0, 1, 2, 3
"""Outcomes of a request."""

DEADLINE = -1
"""In place of a queue limit: refuse what could not be answered within the SLO."""

MOST_WAITING = 512
"""Longest queue limit; beyond it the queue is unlimited."""


@compiled
def serve(
    arrivals: Floats,
    noise: Floats,  # by request, what its service time is multiplied by; empty: nothing
    draws: Floats,  # by request, uniform, to choose a pod at random; empty: smooth round robin
    first: int,
    last: int,
    slots: Ints,  # the pods that have weight
    weights: Ints,  # by slot
    credits: Ints,  # by slot, of the smooth round robin; changed
    free_s: Floats,  # by slot and server; changed
    servers: Ints,
    service_s: Floats,
    limits: Ints,  # by slot: how many may wait, or DEADLINE
    counts: Ints,  # by slot: requests taken so far; changed
    refusals: Ints,  # by slot: requests refused so far; changed
    recent: Floats,  # by slot: start times of the last MOST_WAITING requests; changed
    slo_s: float,
    slot_of: Ints,  # by request; filled in, as are the next two
    start_s: Floats,
    finish_s: Floats,
) -> None:
    """Process requests `first` to `last` (exclusive). A refused one keeps slot -1."""
    if not slots.size:
        return
    total = weights[slots].sum()
    for i in range(first, last):
        if draws.size:
            slot = drawn(slots, weights, draws[i] * total)
        else:
            slot = next_by_weight(slots, weights, credits, total)
        now = arrivals[i]
        server = first_free(free_s[slot], servers[slot])
        start = max(now, free_s[slot, server])
        if limits[slot] == DEADLINE:
            if start + service_s[slot] > now + slo_s + 1e-9:
                refusals[slot] += 1
                continue
        elif _is_full(recent[slot], counts[slot], limits[slot], start, now):
            refusals[slot] += 1
            continue
        finish = start + service_s[slot] * (noise[i] if noise.size else 1.0)
        free_s[slot, server] = finish
        recent[slot, counts[slot] % MOST_WAITING] = start
        counts[slot] += 1
        slot_of[i] = slot
        start_s[i] = start
        finish_s[i] = finish


@compiled
def drawn(slots: Ints, weights: Ints, at: float) -> int:
    """Return the pod in whose share of the weights the draw lies."""
    for slot in slots:
        at -= weights[slot]
        if at < 0:
            return int(slot)
    return int(slots[-1])


@compiled
def next_by_weight(slots: Ints, weights: Ints, credits: Ints, total: int) -> int:
    """
    Return the next pod by smooth weighted round robin (nginx): each gains its weight, and the pod
    with the most credit pays the total.
    """
    best = slots[0]
    for slot in slots:
        credits[slot] += weights[slot]
        if credits[slot] > credits[best]:
            best = slot
    credits[best] -= total
    return int(best)


@compiled
def _is_full(recent: Floats, count: int, limit: int, start: float, now: float) -> bool:
    """Whether the queue is full: the request `limit` positions ago has not started yet."""
    if limit == 0:
        return start > now
    if limit >= MOST_WAITING or count < limit:
        return False
    return bool(recent[(count - limit) % MOST_WAITING] > now)


def rearrange(
    noise: Floats,
    first: int,
    last: int,
    slot: int,
    now: float,
    free_s: Floats,
    servers: Ints,
    service_s: Floats,
    counts: Ints,
    recent: Floats,
    slot_of: Ints,
    start_s: Floats,
    finish_s: Floats,
) -> None:
    """
    Rearrange the waiting requests of a resized pod among its servers, unless they have none yet, as
    in a pod with operating points.

    Only the loop is compiled; the search for the requests is NumPy's, which would take seconds to
    compile.
    """
    own = first + np.flatnonzero(slot_of[first:last] == slot)
    waiting = own[(start_s[own] > now) & np.isfinite(start_s[own])]
    free = free_s[slot, : servers[slot]]
    free_anew(free, finish_s[own[(start_s[own] <= now) & (finish_s[own] > now)]], now)
    counts[slot] -= min(waiting.size, counts[slot])
    _give_anew(waiting, noise, slot, now, free, service_s, counts, recent, start_s, finish_s)


@compiled
def _give_anew(
    waiting: Ints,
    noise: Floats,
    slot: int,
    now: float,
    free: Floats,
    service_s: Floats,
    counts: Ints,
    recent: Floats,
    start_s: Floats,
    finish_s: Floats,
) -> None:
    for i in waiting:
        server = first_free(free, free.size)
        start = max(now, free[server])
        finish = start + service_s[slot] * (noise[i] if noise.size else 1.0)
        free[server] = finish
        recent[slot, counts[slot] % MOST_WAITING] = start
        counts[slot] += 1
        start_s[i] = start
        finish_s[i] = finish
