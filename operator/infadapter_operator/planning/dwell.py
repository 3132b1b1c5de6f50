"""The dwell: how long a plan is expected to last."""

import math

import numpy as np

from infadapter_forecasting import Rates

LEAST_DWELL_S, MOST_DWELL_S = 30.0, 600.0
"""Bounds of the dwell, s."""

SAME_LEVEL_TOLERANCE = 0.15
"""
Relative deviation from the current rate, besides noise, within which the load counts as unchanged.
"""


def dwell_s(rates: Rates, now_rps: float) -> float:
    """
    Return for how long the load is expected to stay at its level, s: as long as it already has
    (Lindy's rule). `rates` are rps by second, latest last.
    """
    blocks = rates[len(rates) % 5 :].reshape(-1, 5).mean(axis=1)
    if not len(blocks):
        return LEAST_DWELL_S
    width_rps = SAME_LEVEL_TOLERANCE * now_rps + 3 * math.sqrt(max(now_rps, 0.1) / 5)
    away = np.flatnonzero(np.abs(blocks - now_rps) > width_rps)
    age_s = 5.0 * (len(blocks) - 1 - away[-1] if len(away) else len(blocks))
    return min(max(float(age_s), LEAST_DWELL_S), MOST_DWELL_S)
