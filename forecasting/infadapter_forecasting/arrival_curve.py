"""
From arrivals to the capacity that they need.

A pod's queue absorbs what exceeds its capacity for a moment: a request may wait as long as the SLO
leaves it. So a second of twice the load needs no second pod, and ten such seconds do. Over any time
w, arrivals A need a capacity of A / (w + b), where b is how long a request may wait; the largest of
these is the need (the leaky bucket of network calculus; Le Boudec and Thiran, 2001, chapter 1).
"""

import numpy as np

from infadapter_forecasting.forecaster import Array, Rates

WINDOWS_S = (1, 2, 3, 5, 10)
"""Longer ones are means in which a queue makes no difference."""

WAIT_SHARE = 0.8
"""How much of the SLO a request may wait; the rest is its own service time."""


def needs(rates: Rates, slo_s: float, windows_s: tuple[int, ...] = WINDOWS_S) -> Array:
    """By second, the capacity that the arrivals up to its end need, in requests per second."""
    sums = np.concatenate([[0.0], np.cumsum(rates)])
    found = np.zeros(len(rates))
    for window in windows_s:
        if window <= len(rates):
            arrived = sums[window:] - sums[:-window]
            needed = arrived / (window + WAIT_SHARE * slo_s)
            found[window - 1 :] = np.maximum(found[window - 1 :], needed)
    return found


def highest_ahead(values: Array, horizon: int) -> Array:
    """By index i, the highest of the `horizon` values after i, where all of these are there."""
    if len(values) <= horizon:
        return np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(values[1:], horizon)
    highest: Array = windows.max(axis=1)
    return highest
