"""
What a half-made plan can become at best: the linear relaxation of what is still open.

A request still to be served by the layers to come gains at most the best of accuracy less cost at
any of their sizes. A resource that runs short gets a shadow price, which makes using it dearer
and what is left of it worth something: every price gives a valid bound, and the one that is best
for the whole problem gives a tight one.
"""

from dataclasses import dataclass

import numpy as np

from infadapter_solver.layers import CAPACITY, COST, USE, Floats, Layers


@dataclass(frozen=True, slots=True)
class Bound:
    """What a request gains at these shadow prices: by layer, and at most in the layers after it."""

    gain: Floats
    per_rps: Floats
    shadow: Floats  # by resource: of one unit, in the objective


def bounds(layers: Layers, rate: Floats, cost_weight: float, served_rps: float) -> list[Bound]:
    """`rate`: by layer, what a request per second gains in accuracy."""
    free = np.zeros(len(layers.budget))
    found = [_bound(layers, rate, cost_weight, free)]
    for resource, amount in enumerate(layers.budget):
        shadow = free.copy()
        shadow[resource] = _shadow_price(layers, rate, cost_weight, resource, amount / served_rps)
        if shadow[resource] > 0:
            found.append(_bound(layers, rate, cost_weight, shadow))
    return found


def _bound(layers: Layers, rate: Floats, cost_weight: float, shadow: Floats) -> Bound:
    every = layers.every
    paid = (cost_weight * every[:, COST] + every[:, USE:] @ shadow) / every[:, CAPACITY]
    gain = rate - np.minimum.reduceat(paid, layers.first)
    after = np.full(len(gain), -np.inf)
    after[:-1] = np.maximum.accumulate(gain[::-1])[::-1][1:]
    return Bound(gain, after, shadow)


def _shadow_price(
    layers: Layers, rate: Floats, cost_weight: float, resource: int, units_per_rps: float
) -> float:
    """
    Where  max_t (gain_t - price * use_t) + price * units  is least, over price >= 0.

    It is piecewise linear and convex in the price: least at 0, or where two layers' lines cross
    (or one becomes 0: a best effort may leave requests unserved).
    """
    per_rps = layers.every / layers.every[:, [CAPACITY]]
    gain = rate - cost_weight * np.minimum.reduceat(per_rps[:, COST], layers.first)
    use = np.minimum.reduceat(per_rps[:, USE + resource], layers.first)
    more = use[:, None] - use
    crossing = (gain[:, None] - gain)[more > 0] / more[more > 0]
    zero = gain[use > 0] / use[use > 0]
    prices = np.concatenate((crossing[crossing > 0], zero[zero > 0], [0.0]))
    worth = (gain[:, None] - use[:, None] * prices).max(axis=0) + prices * units_per_rps
    return float(prices[worth.argmin()])
