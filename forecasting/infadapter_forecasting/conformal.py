"""
Calibration on the service's own recent errors: conformal prediction over a rolling window.

The *place* of an outcome is its position in its forecast: the log-odds of the quantile it turned
out to be. The forecast quantile is the one that enough recent outcomes stayed below (conformal
prediction over the forecast distribution: Chernozhukov, Wüthrich, Zhu, PNAS 2021; over time as in
Gibbs and Candès, NeurIPS 2021).

A point forecast is a line: its places are errors in rps. They are differences, not ratios: after a
jump from 10 to 100 rps, a ratio would predict 1000.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_forecasting.forecaster import Array, Forecaster, Rates, Seconds

UNKNOWN_ERROR = 1.1
"""Factor on a point forecast while its errors are unknown (the paper's headroom)."""

LEAST_ERRORS = 30
"""Number of errors below which a quantile such as 0.95 cannot be estimated."""

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99)
"""Quantiles at which a forecast is evaluated."""

FARTHEST = 7.0
"""Largest place of a distribution: the quantile 0.999."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How recent errors are used."""

    window_s: int = 7_200  # hundreds of errors that do not overlap, and all of today
    trust: int = 120  # errors that do not overlap, and count as much as the method's own quantiles


def log_odds(levels: Sequence[float]) -> Array:
    known = np.asarray(levels, dtype=np.float64)
    odds: Array = np.log(known / (1 - known))
    return odds


GRID = log_odds(LEVELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Forecasts as ascending lines from place to rate, one per row: (origins, levels) rps."""

    rates_rps: Array
    is_point: bool

    def places(self, came_rps: Array) -> Array:
        """Return the place of each outcome in its forecast, (origins,)."""
        at = (self.rates_rps < came_rps[:, None]).sum(axis=1).clip(1, len(GRID) - 1)
        low, high = self._pair(at - 1), self._pair(at)
        share = (came_rps - low) / np.maximum(high - low, 1e-9)
        found = GRID[at - 1] + share * (GRID[at] - GRID[at - 1])
        places: Array = found if self.is_point else np.clip(found, -FARTHEST, FARTHEST)
        return places

    def at(self, places: Array) -> Array:
        """Return each forecast at one place, (origins,) rps."""
        at = np.searchsorted(GRID, places).clip(1, len(GRID) - 1)
        low, high = self._pair(at - 1), self._pair(at)
        share = (places - GRID[at - 1]) / (GRID[at] - GRID[at - 1])
        rates: Array = np.maximum(low + share * (high - low), 0.0)
        return rates

    def _pair(self, at: Seconds) -> Array:
        found: Array = np.take_along_axis(self.rates_rps, at[:, None], axis=1)[:, 0]
        return found


def curves(method: Forecaster, history: Rates, origins: Seconds, horizon_s: int) -> Curves:
    """Return the method's forecasts at each origin, made only from what was known then."""
    low = max(0, int(origins[0]) - method.window_s)
    recent = history[low : int(origins[-1])]
    rates = method.later(low).predict_many(recent, origins - low, horizon_s, LEVELS)
    if bool((rates[:, -1] > rates[:, 0]).any()):
        return Curves(rates_rps=rates, is_point=False)
    return Curves(rates_rps=rates + GRID, is_point=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """Calibrates forecasts of one horizon that are `step_s` apart."""

    horizon_s: int
    step_s: int
    calibration: Calibration = Calibration()

    @property
    def window(self) -> int:
        """The number of errors used."""
        return max(1, self.calibration.window_s // self.step_s)

    @property
    def lag(self) -> int:
        """The age of the latest forecast whose outcome is known, in steps."""
        return -(-self.horizon_s // self.step_s)

    def forecasts(self, said: Curves, places: Array, quantile: float) -> Array:
        """
        Return the calibrated quantile at each origin, (origins,) rps, from what was known by then.
        `places` are the outcomes' places by origin.
        """
        late = np.concatenate((np.full(self.window + self.lag - 1, np.nan), places))
        windows = np.lib.stride_tricks.sliding_window_view(late, self.window)[: len(places)]
        return self.corrected(said, windows, quantile)

    def corrected(self, said: Curves, known: Array, quantile: float) -> Array:
        """
        Return the calibrated quantile, (origins,) rps; `known` are the places known at each origin,
        (origins, window), NaN for none.
        """
        counts = (~np.isnan(known)).sum(axis=1)
        own = float(log_odds((quantile,))[0])
        lately = _quantiles(np.sort(known, axis=1), counts, quantile, self.horizon_s / self.step_s)
        if not said.is_point:
            weight = counts / (
                counts + self.calibration.trust * max(self.horizon_s / self.step_s, 1.0)
            )
            return said.at(np.where(counts > 0, weight * lately + (1 - weight) * own, own))
        unknown = said.at(np.zeros(len(counts))) * UNKNOWN_ERROR
        return np.where(counts < LEAST_ERRORS, unknown, said.at(lately))


def _quantiles(ascending: Array, counts: Seconds, quantile: float, overlap: float) -> Array:
    """
    Return the quantile of the first `counts` values of each row, (rows,).

    It is slightly higher for few values, so that one more value stays below with this probability.
    Of overlapping errors only every `overlap`-th counts.
    """
    separate = np.maximum(counts / max(overlap, 1.0), 1.0)
    level = np.minimum(quantile * (separate + 1) / separate, 1.0)
    last = np.maximum(counts - 1, 0)
    position = np.clip(level * counts - 0.5, 0, last)
    low = position.astype(np.intp)
    high = np.minimum(low + 1, last)
    rows = np.arange(len(ascending))
    lower, upper = ascending[rows, low], ascending[rows, high]
    found: Array = lower + (position - low) * (upper - lower)
    return found
