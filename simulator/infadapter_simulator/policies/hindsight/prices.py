"""
Initial prices of a request and a unit of the budget over time: those of the best plan for a mean
rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_simulator.policies.hindsight.layers import Layer
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.queues import Floats

TRIED = 2000
"""Number of candidate prices of a unit; lower ones are closer together."""

CELLS = 4
"""Time cells per second, so that rounding to a cell hardly extends a request's permitted wait."""

LEAST_RPS = 1e-9
"""Rate instead of zero, for a size without an operating point."""

ROUNDS = 3
"""Rounds in which each resource's price is searched, given the others'."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """Requests over time; a correct answer to a request is worth its accuracy."""

    requests: Floats  # by cell of time
    cost_weight: float  # per unit of price and second

    @property
    def seconds(self) -> int:
        return len(self.requests) // CELLS

    @property
    def by_second(self) -> Floats:
        return np.asarray(self.requests.reshape(-1, CELLS).sum(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prices:
    request: Floats  # by cell of time
    units: Mapping[str, Floats]  # by resource and second


def demand_of(scenario: Scenario, workload: Workload) -> Demand:
    aim = scenario.objective
    whole = (aim.price_of(scenario.budget) or 1.0) * aim.accuracy_weight * workload.seconds
    edges = np.arange(CELLS * workload.seconds + 1) / CELLS
    return Demand(
        requests=np.histogram(workload.arrivals_s, bins=edges)[0].astype(np.float64),
        cost_weight=aim.cost_weight * len(workload.arrivals_s) / whole,
    )


def prices_for(
    scenario: Scenario, demand: Demand, layers: Sequence[Layer], smoothed_s: int
) -> Prices:
    """
    Return prices for the mean rate of `smoothed_s` seconds around each second, since pods change
    too slowly to follow a price by the second.
    """
    rates, second = np.unique(
        np.round(_smoothed(demand.by_second, smoothed_s)), return_inverse=True
    )
    units = {name: np.zeros(len(rates)) for name in scenario.budget}
    for name in list(units) * (ROUNDS if len(units) > 1 else 1):
        tried = highest_price(layers, name) * np.linspace(0.0, 1.0, TRIED) ** 3
        worth = _by_price(demand, layers, units, name, tried)
        total = worth * rates + tried[:, None] * scenario.budget[name]
        units[name] = tried[total.argmin(axis=0)]
    request = _surplus(demand, layers, units)
    return Prices(
        request=np.repeat(request[second], CELLS),
        units={name: price[second] for name, price in units.items()},
    )


def highest_price(layers: Sequence[Layer], name: str) -> float:
    """
    Return an upper limit on the price of a unit of the resource: as if everything that it serves
    were correct because of it.
    """
    return max(float((layer.rps[:, 1:] / _held(layer, name)).max()) for layer in layers)


def _by_price(
    demand: Demand, layers: Sequence[Layer], units: Mapping[str, Floats], name: str, tried: Floats
) -> Floats:
    """
    Return the surplus of a request by the one resource's price and by rate; equal for all rates if
    no other resource has a price.
    """
    if len(units) == 1:
        return _surplus(demand, layers, {name: tried})[:, None]
    return np.array(
        [
            _surplus(demand, layers, {**units, name: np.full_like(units[name], price)})
            for price in tried
        ]
    )


def _surplus(demand: Demand, layers: Sequence[Layer], units: Mapping[str, Floats]) -> Floats:
    """Return the largest value of serving a request, minus its cost."""
    found = np.zeros_like(next(iter(units.values())))
    for layer in layers:
        held = demand.cost_weight * layer.price[1:, None] + sum(
            layer.amounts[name][1:, None] * price for name, price in units.items()
        )
        for accuracy, rps in zip(layer.accuracy, layer.rps, strict=True):
            takes = (held / np.maximum(rps[1:, None], LEAST_RPS)).min(axis=0)
            found = np.maximum(found, accuracy - takes)
    return found


def _held(layer: Layer, name: str) -> Floats:
    amounts = layer.amounts[name][1:]
    return np.where(amounts > 0, amounts, np.inf)


def _smoothed(requests: Floats, smoothed_s: int) -> Floats:
    around = smoothed_s // 2
    padded = np.pad(requests, around, mode="edge")
    return np.convolve(padded, np.ones(2 * around + 1) / (2 * around + 1), mode="valid")
