"""
The request loop for pods of which some have operating points. Separate, because the loop without
them would be half as fast with the check.
"""

import numpy as np

from infadapter_simulator.compiled import compiled
from infadapter_simulator.world.points import Points, arrive
from infadapter_simulator.world.queues import drawn, next_by_weight, serve
from infadapter_simulator.world.servers import Floats, Ints


@compiled
def serve_points(
    arrivals: Floats,
    noise: Floats,
    draws: Floats,
    first: int,
    last: int,
    slots: Ints,
    weights: Ints,
    credits: Ints,
    free_s: Floats,
    servers: Ints,
    service_s: Floats,
    limits: Ints,
    counts: Ints,
    refusals: Ints,
    recent: Floats,
    slo_s: float,
    slot_of: Ints,
    start_s: Floats,
    finish_s: Floats,
    points: Points,
) -> None:
    """As `serve`."""
    if not slots.size:
        return
    total = weights[slots].sum()
    one = np.zeros(1, dtype=np.int64)
    for i in range(first, last):
        if draws.size:
            slot = drawn(slots, weights, draws[i] * total)
        else:
            slot = next_by_weight(slots, weights, credits, total)
        if not points.number[slot]:
            one[0] = slot
            serve(
                arrivals, noise, draws, i, i + 1, one, weights, credits, free_s, servers, service_s,
                limits, counts, refusals, recent, slo_s, slot_of, start_s, finish_s,
            )  # fmt: skip
            continue
        free = free_s[slot, : servers[slot]]
        may_wait = limits[slot]
        if arrive(points, i, slot, may_wait, free, arrivals, noise, slo_s, start_s, finish_s):
            counts[slot] += 1
            slot_of[i] = slot
        else:
            refusals[slot] += 1
