"""
The inner loop, compiled: requests to pods, pods' queues to finish times.

Every pod is a first-come-first-served queue before equal servers, so a request's start and finish
are known the moment it arrives: the earliest server to become free takes it. Nothing else happens
to it, unless its pod is resized or fails before it starts; then what waits is arranged anew.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ON_TIME, LATE, REFUSED, FAILED = 0, 1, 2, 3
"""What became of a request."""

DEADLINE = -1
"""In place of a queue's length: refuse what could not be answered within the SLO."""

MOST_WAITING = 512
"""The longest queue that can be asked for; a longer one is without a limit."""


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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
    recent: Floats,  # by slot: start times of the last MOST_WAITING requests; changed
    slo_s: float,
    slot_of: Ints,  # by request; filled in, as are the next two
    start_s: Floats,
    finish_s: Floats,
) -> None:
    """
    Requests `first` to `last` (not included). One that is refused keeps slot -1.

    Smooth weighted round robin as Envoy and nginx do it: all gain their weight, the richest pays
    the total.
    """
    total = 0
    for slot in slots:
        total += weights[slot]
    if total == 0:
        return
    for i in range(first, last):
        chosen = slots[0]
        if draws.size:
            rest = draws[i] * total
            for slot in slots:
                chosen = slot
                rest -= weights[slot]
                if rest < 0:
                    break
        else:
            best = -(2**62)
            for slot in slots:
                credits[slot] += weights[slot]
                if credits[slot] > best:
                    best = credits[slot]
                    chosen = slot
            credits[chosen] -= total
        now = arrivals[i]
        server = 0
        for k in range(1, servers[chosen]):
            if free_s[chosen, k] < free_s[chosen, server]:
                server = k
        start = max(now, free_s[chosen, server])
        limit = limits[chosen]
        if limit == DEADLINE:
            if start + service_s[chosen] > now + slo_s + 1e-9:
                continue
        elif limit < MOST_WAITING and counts[chosen] >= limit:
            if limit == 0:
                if start > now:
                    continue
            elif recent[chosen, (counts[chosen] - limit) % MOST_WAITING] > now:
                continue
        finish = start + service_s[chosen] * (noise[i] if noise.size else 1.0)
        free_s[chosen, server] = finish
        recent[chosen, counts[chosen] % MOST_WAITING] = start
        counts[chosen] += 1
        slot_of[i] = chosen
        start_s[i] = start
        finish_s[i] = finish


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def rearrange(
    arrivals: Floats,
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
    A pod has another size from now on: what waits is arranged anew among its servers.

    What is being served ends as it would have. Of a pod that shrank, a server is free only when as
    many as are too many have ended.
    """
    ends = np.empty(free_s.shape[1])
    n = 0
    waiting = 0
    for i in range(first, last):
        if slot_of[i] == slot:
            if start_s[i] > now:
                waiting += 1
            elif finish_s[i] > now and n < ends.size:
                ends[n] = finish_s[i]
                n += 1
    under_way = np.sort(ends[:n])
    for k in range(servers[slot]):
        at = n - servers[slot] + k
        free_s[slot, k] = under_way[at] if at >= 0 else now
    counts[slot] -= min(waiting, counts[slot])
    for i in range(first, last):
        if slot_of[i] == slot and start_s[i] > now:
            server = 0
            for k in range(1, servers[slot]):
                if free_s[slot, k] < free_s[slot, server]:
                    server = k
            start = max(now, free_s[slot, server])
            finish = start + service_s[slot] * (noise[i] if noise.size else 1.0)
            free_s[slot, server] = finish
            recent[slot, counts[slot] % MOST_WAITING] = start
            counts[slot] += 1
            start_s[i] = start
            finish_s[i] = finish


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def oldest_open(slot_of: Ints, finish_s: Floats, first: int, last: int, at_s: float) -> int:
    """From `first` on, the first request that a pod took and hasn't finished by then."""
    while first < last and (slot_of[first] < 0 or finish_s[first] <= at_s):
        first += 1
    return first
