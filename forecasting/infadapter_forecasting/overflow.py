"""
The overflow of a capacity: what arrives and can't be served in time, of a fluid that waits no
longer than the SLO. A queue absorbs the noise of single seconds, which a sum of excesses counts.
"""

from infadapter_forecasting.forecaster import Array


def overflow(arrived: Array, able_rps: Array, slo_s: float) -> float:
    """Both by second, the first one with an empty queue; in requests."""
    waiting = missed = 0.0
    for came, able in zip(arrived.tolist(), able_rps.tolist(), strict=True):
        waiting = max(0.0, waiting + came - able)
        beyond = max(0.0, waiting - slo_s * able)
        missed += beyond
        waiting -= beyond
    return missed
