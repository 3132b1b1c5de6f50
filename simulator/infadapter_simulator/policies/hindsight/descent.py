"""Lower prices where more is served than came, higher ones where less is: to the lowest bound."""

from collections.abc import Callable

import numpy as np

from infadapter_simulator.world.queues import Floats

STEPS = 200
STEP = 0.008
"""The first change of a price, as a share of what it may come to; later ones are smaller."""

KEPT, KEPT_SQUARE = 0.8, 0.98
"""Of the mean gradient and of its square, from one step to the next (Adam)."""


def lowest(
    dual: Callable[[Floats], tuple[float, Floats]], begin: Floats, scale: Floats, usual: Floats
) -> float:
    """
    Of all prices that are tried, from `begin` on; each of them gives a bound. `scale` is what they
    may come to, `usual` how much there is of what they are the prices of.
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
