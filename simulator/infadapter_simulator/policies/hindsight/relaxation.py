"""
The upper side of the bracket: a Lagrangian relaxation that no policy's objective exceeds.

Two prices make every variant a problem of its own. Each request has a price by when it came, and so
has each unit of the budget by the second; whoever serves pays the one and is right by his accuracy,
whoever holds pays the other. By weak duality the best that all variants reach at *any*
prices, added up with all requests and the whole budget at these prices, is no less than what they
reach together. A dynamic programme over seconds finds what a variant reaches, of all paths of cores
over time. A path has more than a policy could have by it:

- A core works at most as fast as in the fastest size that is no larger, by each operating point; of
  these it has at any time whichever is worth the most. Queues and the integrality of pods are
  dropped. A request is served within the SLO of its arrival, so it is paid at the
  lowest price of the times at which what is served then may have come.
- Growth is held for the resize delay before it serves, but for one service time, for which a core
  that shrinks may still work; a variant that did not run was held, as small as it can be, while it
  started. At the beginning everything is Ready. Nothing else is held that does not serve.

Time between the seconds of the programme is covered since it may begin at any moment of a second:
the mean over these moments is what a policy reaches that acts at any time.

What is Ready keeps to the budget, as every plan does; surge serves only those that start or go.
Without surge, what starts and grows keeps to the budget as well. Service times are taken as they
were measured, without noise, and no pod fails.
"""

from collections.abc import Mapping
from math import ceil

import numpy as np

from infadapter_simulator.policies.hindsight.descent import lowest
from infadapter_simulator.policies.hindsight.layers import Layer, layers_of
from infadapter_simulator.policies.hindsight.levels_over_time import best_levels
from infadapter_simulator.policies.hindsight.prices import (
    CELLS,
    Demand,
    Prices,
    demand_of,
    highest_price,
    prices_for,
)
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.queues import Floats, Ints

SMOOTHED_S = (7, 11, 21, 41)
"""Initial prices are those of the mean rate over these windows, s; the best is used."""


def upper_bound(scenario: Scenario, workload: Workload) -> float:
    """Return an upper bound on the objective of every policy for this workload."""
    lagrangian = Lagrangian(scenario, demand_of(scenario, workload))
    begins = [lagrangian.begin(smoothed_s) for smoothed_s in SMOOTHED_S]
    begin = min(begins, key=lambda prices: lagrangian.at(prices)[0])
    found = lowest(lagrangian.at, begin, lagrangian.scale, lagrangian.usual)
    return scenario.objective.accuracy_weight * found / max(len(workload.arrivals_s), 1)


class Lagrangian:
    """
    The dual function. All prices are one vector: those of requests by cell, then those of each
    resource by second.
    """

    def __init__(self, scenario: Scenario, demand: Demand) -> None:
        self._scenario, self._demand = scenario, demand
        self._layers = layers_of(scenario)
        self._names = tuple(scenario.budget)
        self._has_surge = any(scenario.surge.values())
        budget = [float(scenario.budget[name]) for name in self._names]
        highest = [highest_price(self._layers, name) for name in self._names]
        self.scale = self._by_time([scenario.best_accuracy, *highest])
        self.usual = self._by_time([float(demand.requests.mean()), *budget])

    def begin(self, smoothed_s: int) -> Floats:
        prices = prices_for(self._scenario, self._demand, self._layers, smoothed_s)
        return np.concatenate([prices.request, *(prices.units[name] for name in self._names)])

    def at(self, vector: Floats) -> tuple[float, Floats]:
        """Return the value at these prices, and its gradient."""
        prices = self._prices(vector)
        price, whose = _lowest(prices.request, ceil(CELLS * self._scenario.slo_s - 1e-9))
        cheapest = {name: _lowest(unit, 1) for name, unit in prices.units.items()}
        there = self._by_time([0.0, *map(float, self._scenario.budget.values())])
        there[: len(self._demand.requests)] = self._demand.requests
        total, grows = float((vector * there).sum()), self._prices(there)
        for layer in self._layers:
            unit, early = self._costs(layer, cheapest)
            gain = np.maximum(layer.accuracy - price[:, None], 0.0)
            for cell in range(CELLS):
                own = slice(cell, None, CELLS)
                gained = np.ascontiguousarray(gain[own])
                worth, levels = best_levels(
                    gained, layer.rps, unit, early, layer.grow_s, layer.start_s
                )
                total += worth / CELLS
                served = _served_rps(gained, layer.rps[:, levels].T)
                np.subtract.at(grows.request, whose[own], served / CELLS)
                for name, (_, later) in cheapest.items():
                    np.subtract.at(grows.units[name], later, layer.amounts[name][levels] / CELLS)
        return total, np.concatenate([grows.request, *grows.units.values()])

    def _costs(
        self, layer: Layer, cheapest: Mapping[str, tuple[Floats, Ints]]
    ) -> tuple[Floats, Floats]:
        """
        Return costs by second and level: of levels that serve, and of levels held before they
        serve.
        """
        seconds = self._demand.seconds
        money = np.repeat(self._demand.cost_weight * layer.price[:, None], seconds, axis=1)
        unit = money + sum(
            layer.amounts[name][:, None] * price for name, (price, _) in cheapest.items()
        )
        early = money
        if not self._has_surge:
            early = _least(unit, ceil(layer.start_s) + 1)
        return np.ascontiguousarray(unit.T), np.ascontiguousarray(early.T)

    def _by_time(self, values: list[float]) -> Floats:
        times = [len(self._demand.requests), *(self._demand.seconds for _ in self._names)]
        return np.repeat(values, times)

    def _prices(self, vector: Floats) -> Prices:
        request, *units = np.split(
            vector,
            len(self._demand.requests) + self._demand.seconds * np.arange(len(self._names)),
        )
        return Prices(request=request, units=dict(zip(self._names, units, strict=True)))


def _served_rps(gain: Floats, rps: Floats) -> Floats:
    """
    Return the rate of the most valuable point by time, 0 if none has a value; both arguments are by
    time and point.
    """
    best = (gain * rps).argmax(axis=1)
    at = np.arange(len(best))
    return np.where(gain[at, best] > 0, rps[at, best], 0.0)


def _least(prices: Floats, before: int) -> Floats:
    """Return for each row the minimum over each time and the `before` times preceding it."""
    found = prices.copy()
    for shift in range(1, before + 1):
        np.minimum(found[:, shift:], prices[:, :-shift], out=found[:, shift:])
    return found


def _lowest(prices: Floats, before: int) -> tuple[Floats, Ints]:
    """Return the minimum over each time and the `before` times preceding it, and its position."""
    found, whose = prices.copy(), np.arange(len(prices))
    for shift in range(1, before + 1):
        lower = np.flatnonzero(prices[:-shift] < found[shift:])
        found[shift + lower] = prices[lower]
        whose[shift + lower] = lower
    return found, whose
