"""How long a plan is expected to last."""

import math

import numpy as np

from infadapter_forecasting import Rates

LEAST_DWELL_S, MOST_DWELL_S = 30.0, 600.0
"""How long a plan is taken to last, at least and at most."""

SAME_LEVEL_TOLERANCE = 0.15
"""Within this of the rate of now the load counts as the same level, beside its noise."""


def dwell_s(rates: Rates, now_rps: float) -> float:
    """
    How long the load is expected to stay: as long as it has stayed (Lindy's rule: what is known of
    a level is its age). `rates` are by second, the last one the latest.
    """
    blocks = rates[len(rates) % 5 :].reshape(-1, 5).mean(axis=1)
    if not len(blocks):
        return LEAST_DWELL_S
    width_rps = SAME_LEVEL_TOLERANCE * now_rps + 3 * math.sqrt(max(now_rps, 0.1) / 5)
    away = np.flatnonzero(np.abs(blocks - now_rps) > width_rps)
    age_s = 5.0 * (len(blocks) - 1 - away[-1] if len(away) else len(blocks))
    return min(max(float(age_s), LEAST_DWELL_S), MOST_DWELL_S)
