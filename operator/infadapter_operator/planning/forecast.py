"""
The forecasters that a spec may name, as the library has them: samples in, a quantile out.

What `infadapter forecast backtest` shows for a name is what is planned with here.
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
"""How far back errors are looked for: long enough for hundreds, short enough to be of today."""


def history_s(method: ForecastMethod, horizon_s: float, season: Season) -> float:
    """How long a history the method wants, its errors included."""
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
    """The rate that the load stays below within the horizon, in this share of cases."""
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
    told = _told(METHODS[method], calendar, math.floor(last_s) - len(rates))
    return calibrated_forecast(told, rates, horizon, quantile)


def _seasonal_errors_s(horizon_s: float) -> float:
    """How far back it is asked anew: what it stands on is a season older."""
    return max(Calibration().window_s + horizon_s, 4 * horizon_s)


def _looked_at(samples: Sequence[Sample], horizon_s: float, season: Season) -> list[Sample]:
    """
    The latest, and those of a season ago: of a week by the second, most are in no forecast. What is
    between them stays a gap, in which nobody looks.
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


def _told(method: Forecaster, calendar: Calendar, begin_s: int) -> Forecaster:
    """By which clocks, and when the history begins."""
    if not isinstance(method, SeasonalNaive):
        return method
    began_s = math.floor(calendar.began_s) + begin_s
    clocks = local_time(calendar.zone, began_s - DAY_S, began_s + WEEK_S + 3 * DAY_S)
    season_s = SEASONS_S[calendar.season]
    return replace(method, season_s=season_s, clocks=clocks, begin_s=began_s)


@functools.cache
def _network() -> QuantileNetwork:
    return QuantileNetwork.read()
