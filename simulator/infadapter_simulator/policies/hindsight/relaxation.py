"""
The upper side of the bracket: a Lagrangian relaxation that no policy's objective exceeds.

Two prices make every variant a problem of its own. Each request that came in a second has a price,
and so has each unit of the budget in each second; whoever serves pays the one and is right by his
accuracy, whoever holds pays the other. By weak duality the best that all variants reach at *any*
prices, added up with all requests and the whole budget at these prices, is no less than what they
reach together. A dynamic programme over seconds finds what a variant reaches, of all paths of cores
over time. A path has more than a policy could have by it:

- A core works at most as fast as in the fastest size that is no larger; queues and the integrality
  of pods are dropped. A request is served within the SLO of its arrival, so it is paid at the
  lowest price of the seconds in which what is served then may have come.
- Growth is held for the resize delay before it serves, but for one service time, for which a core
  that shrinks may still work; a variant that did not run was held, as small as it can be, while it
  started. At the beginning everything is Ready. Nothing else is held that does not serve.

Time between the seconds of the programme is covered since it may begin at any moment of a second:
the mean over these moments is what a policy reaches that acts at any time.

What is Ready keeps to the budget, as every plan does; surge serves only those that start or go.
Without surge, what starts and grows keeps to the budget as well. Service times are taken as they
were measured, without noise, and no pod fails.
"""

from math import ceil

import numba
import numpy as np

from infadapter_simulator.policies.hindsight.layers import Layer, layers_of
from infadapter_simulator.policies.hindsight.prices import (
    Demand,
    Prices,
    prices_for,
    requests_by_second,
)
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.queues import Floats

SMOOTHED_S = (7, 11, 21, 41)
"""Prices are those of the mean rate over so long; the best of these is the bound."""


def upper_bound(scenario: Scenario, workload: Workload) -> float:
    """On the objective of every policy on this workload."""
    demand = demand_of(scenario, workload)
    layers = layers_of(scenario)
    found = min(
        _dual(scenario, demand, layers, prices_for(scenario, demand, layers, smoothed_s))
        for smoothed_s in SMOOTHED_S
    )
    return scenario.objective.accuracy_weight * found / max(len(workload.arrivals_s), 1)


def demand_of(scenario: Scenario, workload: Workload) -> Demand:
    aim = scenario.objective
    whole = (aim.price_of(scenario.budget) or 1.0) * aim.accuracy_weight * workload.seconds
    return Demand(
        requests=requests_by_second(workload),
        cost_weight=aim.cost_weight * len(workload.arrivals_s) / whole,
    )


def _dual(scenario: Scenario, demand: Demand, layers: list[Layer], prices: Prices) -> float:
    """The Lagrangian at these prices."""
    waits_s = ceil(scenario.slo_s)
    no_surge = scenario.max_surge is not None and not any(scenario.max_surge.values())
    request = _lowest(prices.request, waits_s)
    total = float((prices.request * demand.requests).sum())
    total += sum(float(prices.units[name].sum()) * n for name, n in scenario.budget.items())
    for layer in layers:
        unit = demand.cost_weight * layer.price[:, None] + sum(
            layer.amounts[name][:, None] * _lowest(prices.units[name], 1) for name in prices.units
        )
        early = (
            _lowest(unit, ceil(layer.start_s) + 1)
            if no_surge
            else np.repeat(demand.cost_weight * layer.price[:, None], len(request), axis=1)
        )
        gain = np.maximum(layer.accuracy - request, 0.0)
        total += float(
            _most(
                gain,
                layer.rps,
                np.ascontiguousarray(unit.T),
                np.ascontiguousarray(early.T),
                layer.grow_s,
                layer.start_s,
            )
        )
    return total


def _lowest(prices: Floats, before_s: int) -> Floats:
    """Of each second and so many before it."""
    found = prices.copy()
    for shift in range(1, before_s + 1):
        found[..., shift:] = np.minimum(found[..., shift:], prices[..., :-shift])
    return found


@numba.njit(cache=True)
def _most(
    gain: Floats,  # by second, of a request
    rps: Floats,  # by level; level 0 is nothing
    unit: Floats,  # by second and level: what holding it costs
    early: Floats,  # the same, for what is held before it serves
    grow_s: float,
    start_s: float,
) -> float:
    levels = len(rps)
    best = np.zeros(levels)
    for second in range(len(gain)):
        for level in range(levels):
            best[level] += gain[second] * rps[level] - unit[second, level]
        if second == len(gain) - 1:
            break
        for level in range(levels - 2, -1, -1):
            best[level] = max(best[level], best[level + 1])
        later = early[second + 1]
        for level in range(1, levels):
            held_s = start_s if level == 1 else grow_s
            rise = later[level] - later[level - 1]
            best[level] = max(best[level], best[level - 1] - held_s * rise)
    return float(best.max())
