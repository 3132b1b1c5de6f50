"""
The forecasters that a spec may name: samples in, a quantile of the load out.

`infadapter forecast backtest` evaluates exactly these, by name.
"""

import functools
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from infadapter_forecasting import QuantileNetwork
from infadapter_forecasting.calibrated import calibrated_forecast
from infadapter_forecasting.conformal import Calibration
from infadapter_forecasting.forecaster import BUCKET_S, Forecaster
from infadapter_forecasting.local_time import DAY_S, local_time
from infadapter_forecasting.naive import (
    LONGEST_CHANGE_S,
    WEEK_S,
    Exponential,
    LastMaximum,
    SeasonalNaive,
)
from infadapter_forecasting.rates import per_second
from infadapter_operator.domain.load import History, Sample
from infadapter_operator.domain.service import Calendar, ForecastMethod, Season
from infadapter_operator.planning.rates import every_second

METHODS: dict[ForecastMethod, Forecaster] = {
    ForecastMethod.LAST_MAXIMUM: LastMaximum(),
    ForecastMethod.EXPONENTIAL: Exponential(),
    ForecastMethod.SEASONAL_NAIVE: SeasonalNaive(),
}

UTC_WEEKS = Calendar()

SEASONS_S = {Season.DAY: DAY_S, Season.WEEK: WEEK_S}

HISTORY_S = 1_800.0
"""Seconds of history from which errors are taken: enough for hundreds of them, and still recent."""


def history_s(method: ForecastMethod, horizon_s: float, season: Season) -> float:
    """Return how much history the method needs, s, including that for its errors."""
    if method is not ForecastMethod.SEASONAL_NAIVE:
        return max(HISTORY_S, 4 * horizon_s)
    return _seasonal_errors_s(horizon_s) + SEASONS_S[season] + LONGEST_CHANGE_S


def quantile_forecast(
    method: ForecastMethod,
    history: History,
    horizon_s: float,
    quantile: float,
    calendar: Calendar = UTC_WEEKS,
) -> float:
    """
    Return the rate (rps) that the load does not exceed within the horizon, with this probability.
    """
    horizon = math.ceil(horizon_s)
    if method is ForecastMethod.QUANTILE_NETWORK:
        recent = every_second(history.samples, int(HISTORY_S))
        (found,) = _network().predict(recent, horizon, [quantile])
        return max(0.0, float(found))
    samples: Sequence[Sample] = history.samples
    last_s = samples[-1].at_s
    if method is ForecastMethod.SEASONAL_NAIVE:
        samples = _looked_at(samples, horizon_s, calendar.season)
    wanted_s = int(history_s(method, horizon_s, calendar.season))
    at_s, rps = np.fromiter(chain.from_iterable(samples), np.float64).reshape(-1, 2).T
    seconds = min(wanted_s, math.ceil(last_s - at_s[0]) + 1)
    rates = per_second(at_s, rps, last_s, seconds)
    clocked = _with_clocks(METHODS[method], calendar, math.floor(last_s) - len(rates))
    return calibrated_forecast(clocked, rates, horizon, quantile)


def _seasonal_errors_s(horizon_s: float) -> float:
    """
    Return how far back the seasonal forecast is evaluated, s. Its inputs are one season older.
    """
    return max(Calibration().window_s + horizon_s, 4 * horizon_s)


def _looked_at(samples: Sequence[Sample], horizon_s: float, season: Season) -> list[Sample]:
    """
    Return the samples that a seasonal forecast uses: the latest ones, and those around one season
    ago.

    A week by the second is mostly unused. The times between are left as gaps.
    """
    errors_s, last_s = _seasonal_errors_s(horizon_s), samples[-1].at_s
    begin, found = 0, list[Sample]()
    for season_s in sorted({0, DAY_S, SEASONS_S[season]}, reverse=True):
        since_s = last_s - season_s - errors_s - LONGEST_CHANGE_S - horizon_s
        until_s = last_s - season_s + LONGEST_CHANGE_S + horizon_s + BUCKET_S
        begin = max(begin, bisect_left(samples, (since_s, 0.0)))
        end = bisect_left(samples, (until_s, 0.0)) + 1  # a sample stands for the time before it
        found += samples[begin:end]
        begin = max(begin, end)
    return found


def _with_clocks(method: Forecaster, calendar: Calendar, begin_s: int) -> Forecaster:
    """
    Return the forecaster with the clocks of the calendar's time zone and the start of the history.
    """
    if not isinstance(method, SeasonalNaive):
        return method
    began_s = math.floor(calendar.began_s) + begin_s
    clocks = local_time(calendar.zone, began_s - DAY_S, began_s + WEEK_S + 3 * DAY_S)
    season_s = SEASONS_S[calendar.season]
    return replace(method, season_s=season_s, clocks=clocks, begin_s=began_s)


@functools.cache
def _network() -> QuantileNetwork:
    return QuantileNetwork.read()
