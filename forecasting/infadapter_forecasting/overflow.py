"""
The overflow of a capacity: arrivals that cannot be served in time, in a fluid model whose queue
waits no longer than the SLO. The queue absorbs the noise of single seconds, which a sum of excesses
would count.
"""

from infadapter_forecasting.forecaster import Array


def overflow(arrived: Array, able_rps: Array, slo_s: float) -> float:
    """Return the overflow in requests. Both arrays are per second; the queue is empty at first."""
    waiting = missed = 0.0
    for came, able in zip(arrived.tolist(), able_rps.tolist(), strict=True):
        waiting = max(0.0, waiting + came - able)
        beyond = max(0.0, waiting - slo_s * able)
        missed += beyond
        waiting -= beyond
    return missed
