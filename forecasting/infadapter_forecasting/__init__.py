"""Forecasts of the highest load within the next seconds. Pure functions of NumPy arrays."""

from infadapter_forecasting.backtest import AUTO, Backtest, Question, Score, backtest
from infadapter_forecasting.calibrated import calibrated_forecast
from infadapter_forecasting.choice import Rule, chosen, pinball
from infadapter_forecasting.conformal import Calibration, Calibrator, Curves, curves
from infadapter_forecasting.forecaster import BUCKET_S, Forecaster, Rates
from infadapter_forecasting.holt_winters import HoltWinters, NotInstalled
from infadapter_forecasting.local_time import LocalTime, UnknownZone, is_zone, local_time
from infadapter_forecasting.lstm import PublishedLstm, ScaledLstm
from infadapter_forecasting.naive import Exponential, LastMaximum, SeasonalNaive
from infadapter_forecasting.quantile_network import QuantileNetwork
from infadapter_forecasting.rates import highest_after, per_second
from infadapter_forecasting.table import table
from infadapter_forecasting.weights import InvalidWeights

__all__ = [
    "AUTO",
    "BUCKET_S",
    "Backtest",
    "Calibration",
    "Calibrator",
    "Curves",
    "Exponential",
    "Forecaster",
    "HoltWinters",
    "InvalidWeights",
    "LastMaximum",
    "LocalTime",
    "NotInstalled",
    "PublishedLstm",
    "QuantileNetwork",
    "Question",
    "Rates",
    "Rule",
    "ScaledLstm",
    "Score",
    "SeasonalNaive",
    "UnknownZone",
    "backtest",
    "calibrated_forecast",
    "chosen",
    "curves",
    "highest_after",
    "is_zone",
    "local_time",
    "per_second",
    "pinball",
    "table",
]
