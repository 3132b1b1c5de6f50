"""A method's current forecast, calibrated on its recent errors: the last row of a backtest."""

from infadapter_forecasting.conformal import Calibration, Calibrator, curves
from infadapter_forecasting.forecaster import BUCKET_S, Forecaster, Rates
from infadapter_forecasting.rates import every, highest_after, whole_s

LONG_S = 600
"""
From twice this horizon on errors are sampled less often; for a horizon of a day every twelve
minutes.
"""


def calibrated_forecast(
    method: Forecaster,
    history: Rates,
    horizon_s: int,
    quantile: float,
) -> float:
    """
    Return the rate (rps) that the highest bucket of the next `horizon_s` stays below with this
    probability, as `backtest` would have said at the end of this history.
    """
    step_s = BUCKET_S * max(1, horizon_s // LONG_S)
    calibrator = Calibrator(
        horizon_s=whole_s(horizon_s, BUCKET_S),
        step_s=step_s,
        calibration=Calibration(),
    )
    telling = calibrator.window + calibrator.lag  # what is older tells nothing any more
    origins = every(len(history), step_s)[-telling:]
    said = curves(method, history, origins, horizon_s)
    came = highest_after(history, origins, horizon_s, BUCKET_S)
    found = calibrator.forecasts(said, said.places(came), quantile)
    return float(found[-1])
