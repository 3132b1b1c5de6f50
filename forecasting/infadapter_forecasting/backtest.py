"""
Rolling backtests: what each method would have forecast at every past time, and its errors.

The target is the highest mean over `bucket_s` within the next `horizon_s`. With `bucket_s` 1 and a
horizon of 60 s it is the target that InfAdapter's forecaster is trained for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_forecasting.choice import Rule, chosen, pinball
from infadapter_forecasting.conformal import (
    UNKNOWN_ERROR,
    Calibration,
    Calibrator,
    Curves,
    curves,
    log_odds,
)
from infadapter_forecasting.forecaster import BUCKET_S, Array, Forecaster, Rates, Seconds
from infadapter_forecasting.rates import every, highest_after, whole_s

AUTO = "Auto"

LEARNT_S = 2 * 86_400
"""
The last seconds of the warm-up that are forecast as well, so that errors are known when scoring
begins.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is forecast, and how often."""

    horizon_s: int = 60
    bucket_s: int = BUCKET_S
    step_s: int = 5
    warm_up_s: int = 600  # seconds for fitting, which are not scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The errors of one method at one quantile."""

    method: str
    quantile: float
    calibrated: bool  # on its own recent errors; if not, a point forecast is taken times 1.1
    pinball_rps: float
    coverage: float  # the share of outcomes at or below the forecast
    mean_rps: float  # of the forecasts
    under_rps: float  # how far outcomes lay above the forecast, where they did, on average
    deepest_rps: float
    under_s: float  # how long it stayed too low, on average
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    question: Question
    origins: int
    came_rps: float  # the mean of the outcomes
    scores: tuple[Score, ...]

    def score(self, method: str, quantile: float, *, calibrated: bool = True) -> Score:
        """Return the score of this method and quantile."""
        key = (method, quantile, calibrated)
        return next(s for s in self.scores if (s.method, s.quantile, s.calibrated) == key)


def backtest(
    history: Rates,
    methods: Sequence[Forecaster],
    *,
    question: Question | None = None,
    quantiles: Sequence[float] = (0.5, 0.9, 0.95),
    calibration: Calibration | None = None,
    rule: Rule | None = None,
) -> Backtest:
    """
    Evaluate each method as it is and calibrated, and `Auto`, which chooses among the calibrated
    ones. Methods are fitted to the warm-up; networks are used as trained.
    """
    asked = question or Question()
    past = _past(history, methods, asked, calibration or Calibration())
    scores = [score for quantile in quantiles for score in _scores(past, quantile, rule or Rule())]
    scored = past.came_rps[past.scored]
    return Backtest(
        question=asked,
        origins=len(scored),
        came_rps=float(scored.mean()) if len(scored) else 0.0,
        scores=tuple(scores),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """The forecasts and the outcomes."""

    names: tuple[str, ...]
    said: tuple[Curves, ...]
    places: tuple[Array, ...]
    came_rps: Array
    scored: np.ndarray
    calibrator: Calibrator
    question: Question


def _past(
    history: Rates, methods: Sequence[Forecaster], asked: Question, calibration: Calibration
) -> _Past:
    rates = np.asarray(history, dtype=np.float64)
    origins = every(len(rates), asked.step_s, max(1, asked.warm_up_s - LEARNT_S))
    came = highest_after(rates, origins, asked.horizon_s, asked.bucket_s)
    seen = rates[max(0, asked.warm_up_s - LEARNT_S) : asked.warm_up_s]
    fitted = [method.fit(seen) for method in methods]
    said = tuple(curves(method, rates, origins, asked.horizon_s) for method in fitted)
    return _Past(
        names=tuple(method.name for method in methods),
        said=said,
        places=tuple(known.places(came) for known in said),
        came_rps=came,
        scored=~np.isnan(came) & (origins >= asked.warm_up_s),
        calibrator=Calibrator(
            horizon_s=whole_s(asked.horizon_s, asked.bucket_s),
            step_s=asked.step_s,
            calibration=calibration,
        ),
        question=asked,
    )


def _scores(past: _Past, quantile: float, rule: Rule) -> list[Score]:
    plain = [_plain(said, quantile) for said in past.said]
    calibrated = [
        past.calibrator.forecasts(said, places, quantile)
        for said, places in zip(past.said, past.places, strict=True)
    ]
    picked = np.stack([*calibrated, _auto(calibrated, past, quantile, rule)], axis=1)
    names = (*past.names, AUTO)
    rows = [
        *((name, False, found) for name, found in zip(past.names, plain, strict=True)),
        *((name, True, found) for name, found in zip(names, picked.T, strict=True)),
    ]
    return [_score(past, name, quantile, how, found) for name, how, found in rows]


def _plain(said: Curves, quantile: float) -> Array:
    place = 0.0 if said.is_point else float(log_odds((quantile,))[0])
    found = said.at(np.full(len(said.rates_rps), place))
    return found * UNKNOWN_ERROR if said.is_point else found


def _auto(calibrated: Sequence[Array], past: _Past, quantile: float, rule: Rule) -> Array:
    """Return the forecast of the method chosen at each time: (origins,) rps."""
    forecasts = np.stack(calibrated, axis=1)
    losses = pinball(past.came_rps[:, None], forecasts, quantile)
    late = np.concatenate((np.full((past.calibrator.lag, len(calibrated)), np.nan), losses))
    step_s = past.question.step_s
    picks = chosen(late[: len(losses)], rule, step_s, past.calibrator.horizon_s / step_s)
    found: Array = forecasts[np.arange(len(picks)), picks]
    return found


def _score(past: _Past, name: str, quantile: float, calibrated: bool, found: Array) -> Score:
    came, forecast = past.came_rps[past.scored], found[past.scored]
    short = came - forecast
    under = short[short > 0]
    lasting = _lengths(short > 0) * past.question.step_s
    return Score(
        method=name,
        quantile=quantile,
        calibrated=calibrated,
        pinball_rps=_mean(pinball(came, forecast, quantile)),
        coverage=_mean((short <= 0).astype(np.float64)),
        mean_rps=_mean(forecast),
        under_rps=_mean(under),
        deepest_rps=float(under.max(initial=0.0)),
        under_s=_mean(lasting.astype(np.float64)),
        longest_s=float(lasting.max(initial=0)),
    )


def _lengths(true: np.ndarray) -> Seconds:
    """Return the lengths of the runs of True."""
    edges = np.diff(np.concatenate(([0], true.astype(np.intp), [0])))
    return np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0
