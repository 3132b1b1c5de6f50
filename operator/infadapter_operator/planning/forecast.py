"""
The forecasters that a spec may name, as the library has them: samples in, a quantile out.

What `infadapter forecast backtest` shows for a name is what is planned with here.
"""

import functools
import math

import numpy as np

from infadapter_forecasting import QuantileNetwork
from infadapter_forecasting.calibrated import calibrated_forecast
from infadapter_forecasting.forecaster import Forecaster
from infadapter_forecasting.naive import DAY_S, Exponential, LastMaximum, SeasonalNaive
from infadapter_forecasting.rates import per_second
from infadapter_operator.domain.load import History
from infadapter_operator.domain.service import ForecastMethod
from infadapter_operator.planning.rates import every_second

METHODS: dict[ForecastMethod, Forecaster] = {
    ForecastMethod.LAST_MAXIMUM: LastMaximum(),
    ForecastMethod.EXPONENTIAL: Exponential(),
    ForecastMethod.SEASONAL_NAIVE: SeasonalNaive(),
}

HISTORY_S = 1_800.0
"""How far back errors are looked for: long enough for hundreds, short enough to be of today."""


def history_s(method: ForecastMethod, horizon_s: float) -> float:
    """How long a history the method wants, its errors included."""
    errors_s = max(HISTORY_S, 4 * horizon_s)
    return errors_s + (float(DAY_S) if method is ForecastMethod.SEASONAL_NAIVE else 0.0)


def quantile_forecast(
    method: ForecastMethod, history: History, horizon_s: float, quantile: float
) -> float:
    """The rate that the load stays below within the horizon, in this share of cases."""
    horizon = math.ceil(horizon_s)
    if method is ForecastMethod.QUANTILE_NETWORK:
        recent = every_second(history.samples, int(HISTORY_S))
        (found,) = _network().predict(recent, horizon, [quantile])
        return max(0.0, float(found))
    at_s, rps = np.array(history.samples).T
    seconds = min(int(history_s(method, horizon_s)), math.ceil(at_s[-1] - at_s[0]) + 1)
    rates = per_second(at_s, rps, float(at_s[-1]), seconds)
    return calibrated_forecast(METHODS[method], rates, horizon, quantile)


@functools.cache
def _network() -> QuantileNetwork:
    return QuantileNetwork.read()
