"""
The objective of each block of a run: accuracy of answers in time, minus the cost of what was held.
"""

import numpy as np

from infadapter_simulator.measures import accuracy_of_slots
from infadapter_simulator.world.queues import ON_TIME, Floats
from infadapter_simulator.world.world import World


def block_worth(world: World, block_s: int) -> Floats:
    """
    Return the value per block, in correctly answered requests; the sum is the objective times the
    requests.
    """
    scenario, traffic = world.scenario, world.traffic
    blocks = int(np.ceil(world.seconds / block_s))
    edges = np.arange(blocks + 1, dtype=np.float64) * block_s
    on_time = traffic.outcomes() == ON_TIME
    right = np.histogram(
        traffic.arrivals_s[on_time],
        bins=edges,
        weights=traffic.accuracies(on_time, accuracy_of_slots(world)),
    )[0]
    aim = scenario.objective
    per_price = aim.cost_weight / (aim.price_of(scenario.budget) or 1.0)
    per_price *= len(traffic.arrivals_s) / world.seconds
    cost = np.diff(np.interp(edges, *_cost_until(world)))
    return np.asarray(aim.accuracy_weight * right - per_price * cost)


def _cost_until(world: World) -> tuple[Floats, Floats]:
    """Return times, and the cumulative cost until each; linear in between."""
    last: dict[int, float] = {}
    at_s, change = [0.0], [0.0]
    for held in world.held:
        at_s.append(held.at_s)
        change.append(held.price - last.get(held.slot, 0.0))
        last[held.slot] = held.price
    times = np.array([*at_s, max(world.seconds, at_s[-1])])
    level = np.cumsum(change)
    return times, np.concatenate([[0.0], np.cumsum(level * np.diff(times))])
