"""
The rises of the last half hour: what a capacity would have missed of them until more had started.

A quantile of errors a few seconds ahead says nothing about rare, large rises. If a start takes ten
seconds and nothing else serves meanwhile, most misses come from these.
"""

import numpy as np

from infadapter_forecasting.forecaster import Array
from infadapter_forecasting.reserve import LEAST_MEMORY_S

LEAST_BELOW_S = 30
"""A capacity that is almost always exceeded is assumed to suffice for at least this long (s)."""


def missed_share(
    needed: Array, limit_rps: float, meanwhile_rps: float, start_s: float, apart_s: float
) -> float:
    """
    Return the share of the mean load that is expected to be missed by a plan that serves
    `limit_rps` without a start, and `meanwhile_rps` while a start makes room for itself.

    `needed` is the need by second. A rise begins where the limit is exceeded after `apart_s`
    without that.
    """
    mean_rps = float(needed.mean()) if len(needed) else 0.0
    above = (needed > limit_rps).nonzero()[0]
    if not len(above) or mean_rps <= 0:
        return 0.0
    begins = above[np.diff(above, prepend=above[0] - apart_s - 1) > apart_s]
    missed = 0.0
    for at in begins.tolist():
        part = needed[at : at + round(start_s)] - meanwhile_rps
        missed += float(part.clip(min=0.0).sum())
    below_s = max(len(needed), LEAST_MEMORY_S) - len(above)
    return missed / (mean_rps * max(below_s, LEAST_BELOW_S))
