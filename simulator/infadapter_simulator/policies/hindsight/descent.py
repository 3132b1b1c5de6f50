"""
Minimise the dual function over prices: lower them where capacity exceeds requests, raise them where
it falls short.
"""

from collections.abc import Callable

import numpy as np

from infadapter_simulator.world.queues import Floats

STEPS = 200
STEP = 0.008
"""The first step of a price, as a share of its maximum; later steps are smaller."""

KEPT, KEPT_SQUARE = 0.8, 0.98
"""Decay rates of the mean gradient and of its square (Adam)."""


def lowest(
    dual: Callable[[Floats], tuple[float, Floats]], begin: Floats, scale: Floats, usual: Floats
) -> float:
    """
    Return the lowest bound over all prices tried from `begin` on; each of them gives a valid bound.
    `scale` is the maximum of each price, `usual` the typical amount of what it is the price of.
    """
    prices, found = begin, np.inf
    mean, square = np.zeros(len(begin)), np.zeros(len(begin))
    for step in range(STEPS):
        value, grows = dual(prices)
        found = min(found, value)
        slope = grows / np.maximum(usual, 1e-9)
        mean = KEPT * mean + (1 - KEPT) * slope
        square = KEPT_SQUARE * square + (1 - KEPT_SQUARE) * slope**2
        change = STEP * (1 - step / STEPS) * mean / (np.sqrt(square) + 1e-3)
        prices = np.clip(prices - scale * change, 0.0, scale)
    return float(found)
