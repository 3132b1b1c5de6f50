"""
What load to expect: the simple forecasters that any learned one must beat.

A forecaster is a callable from samples, horizon and time to the highest rate expected within the
horizon. How wrong it tends to be is read from the service's own history, so a planner asks for a
quantile of the load, not for a guess.
"""

import bisect
import functools
import math
from collections.abc import Callable, Sequence

from infadapter_forecasting import QuantileNetwork
from infadapter_operator.domain.load import History, Sample
from infadapter_operator.domain.service import ForecastMethod
from infadapter_operator.planning.rates import bucketed, every_second, mean_rps

Forecaster = Callable[[Sequence[Sample], float, float], float]
"""(samples, horizon_s, now_s) -> rps. The samples are in order of time, at least one."""

SEASON_S = 86_400.0
LEAST_ERRORS = 30
"""Fewer say little of a quantile such as 0.95."""

UNKNOWN_ERROR = 1.1
"""What a forecast is multiplied by while its errors are unknown (the paper's headroom)."""

HISTORY_S = 1_800.0
"""How far back errors are looked for: long enough for hundreds, short enough to be of today."""


def last_maximum(samples: Sequence[Sample], horizon_s: float, now_s: float) -> float:
    """It will be as high as it just was, over as long."""
    return _highest_rps(_between(samples, now_s - horizon_s, now_s) or samples[-1:])


def exponential(samples: Sequence[Sample], horizon_s: float, now_s: float) -> float:
    """The exponentially weighted mean, in which a sample of a horizon ago weighs half."""
    recent = _between(samples, now_s - 10 * horizon_s, now_s) or samples[-1:]
    weights = [0.5 ** ((now_s - sample.at_s) / horizon_s) for sample in recent]
    weighed = sum(w * sample.rps for w, sample in zip(weights, recent, strict=True))
    return weighed / sum(weights) if sum(weights) > 0 else mean_rps(recent)


def seasonal_naive(samples: Sequence[Sample], horizon_s: float, now_s: float) -> float:
    """It will be as it was a day ago; the last maximum while there is no day ago."""
    a_day_ago_s = now_s - SEASON_S
    season = _between(samples, a_day_ago_s, a_day_ago_s + horizon_s)
    return _highest_rps(season) if season else last_maximum(samples, horizon_s, now_s)


FORECASTERS: dict[ForecastMethod, Forecaster] = {
    ForecastMethod.LAST_MAXIMUM: last_maximum,
    ForecastMethod.EXPONENTIAL: exponential,
    ForecastMethod.SEASONAL_NAIVE: seasonal_naive,
}


def history_s(method: ForecastMethod, horizon_s: float) -> float:
    """How long a history the method wants, its errors included."""
    errors_s = max(HISTORY_S, 4 * horizon_s)
    return errors_s + (SEASON_S if method is ForecastMethod.SEASONAL_NAIVE else 0.0)


def quantile_forecast(
    method: ForecastMethod, history: History, horizon_s: float, quantile: float, now_s: float
) -> float:
    """
    The rate that the load stays below within the horizon, in this share of cases.

    Errors are differences, not ratios: after a jump from 10 to 100 rps, a ratio would expect 1000.
    """
    if method is ForecastMethod.QUANTILE_NETWORK:
        return network_forecast(history, horizon_s, quantile)
    forecaster = FORECASTERS[method]
    buckets = bucketed(history.samples) or history.samples
    expected = forecaster(buckets, horizon_s, now_s)
    errors = past_errors(forecaster, buckets, horizon_s)
    if len(errors) < LEAST_ERRORS:
        return expected * UNKNOWN_ERROR
    return max(0.0, expected + _quantile(errors, quantile))


def network_forecast(history: History, horizon_s: float, quantile: float) -> float:
    """By the small network of `infadapter_forecasting`, which was trained on made-up loads."""
    rates = every_second(history.samples, int(HISTORY_S))
    (expected_rps,) = _network().predict(rates, math.ceil(horizon_s), [quantile])
    return max(0.0, float(expected_rps))


@functools.cache
def _network() -> QuantileNetwork:
    return QuantileNetwork.read()


def past_errors(forecaster: Forecaster, buckets: Sequence[Sample], horizon_s: float) -> list[float]:
    """What came minus what was forecast, at every past time with a horizon before and after it."""
    first_s, last_s = buckets[0].at_s, buckets[-1].at_s
    since_s = max(first_s + horizon_s, last_s - max(HISTORY_S, 4 * horizon_s))
    errors = []
    for index, bucket in enumerate(buckets):
        until_s = bucket.at_s + horizon_s
        came = _between(buckets, bucket.at_s, until_s)
        if came and bucket.at_s >= since_s and until_s <= last_s:
            expected = forecaster(buckets[: index + 1], horizon_s, bucket.at_s)
            errors.append(_highest_rps(came) - expected)
    return errors


def _between(samples: Sequence[Sample], after_s: float, until_s: float) -> Sequence[Sample]:
    start = bisect.bisect_right(samples, after_s, key=_time)
    return samples[start : bisect.bisect_right(samples, until_s, key=_time)]


def _time(sample: Sample) -> float:
    return sample.at_s


def _highest_rps(samples: Sequence[Sample]) -> float:
    return max((bucket.rps for bucket in bucketed(samples)), default=mean_rps(samples))


def _quantile(values: list[float], quantile: float) -> float:
    ordered = sorted(values)
    position = quantile * (len(ordered) - 1)
    low = math.floor(position)
    high = math.ceil(position)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])
