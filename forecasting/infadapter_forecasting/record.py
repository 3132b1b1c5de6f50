"""What was said of the load and what came, for one method: the memory of an online forecast."""

import numpy as np

from infadapter_forecasting.conformal import LEVELS, Calibrator, Curves, curves
from infadapter_forecasting.forecaster import Array, Forecaster, Rates, Seconds


class Record:
    """Grows at the end as time goes on, and forgets at its beginning."""

    def __init__(
        self, method: Forecaster, *, horizon_s: int, quantile: float, calibrator: Calibrator
    ) -> None:
        self.method = method
        self.calibrated_rps: Array = np.zeros(0)
        self._horizon_s = horizon_s
        self._quantile = quantile
        self._calibrator = calibrator
        self._said = Curves(rates_rps=np.zeros((0, len(LEVELS))), is_point=True)
        self._places: Array = np.zeros(0)  # of the outcomes that are known, from the first on

    def extend(self, history: Rates, origins: Seconds, came_rps: Array) -> None:
        """
        What it says at more origins, and what is known by now of what came, of all.

        `came_rps` (remembered + new origins,) begins with what is known; NaN: not known yet.
        """
        new = curves(self.method, history, origins, self._horizon_s)
        self._said = Curves(
            rates_rps=np.concatenate((self._said.rates_rps, new.rates_rps)), is_point=new.is_point
        )
        self.learn(came_rps)
        windows = self._known_before(len(origins))
        latest = self._calibrator.corrected(new, windows, self._quantile)
        self.calibrated_rps = np.concatenate((self.calibrated_rps, latest))

    def learn(self, came_rps: Array) -> None:
        """More outcomes of what it said."""
        first, last = len(self._places), int(np.count_nonzero(~np.isnan(came_rps)))
        if last > first:
            said = Curves(rates_rps=self._said.rates_rps[first:last], is_point=self._said.is_point)
            places = said.places(came_rps[first:last])
            self._places = np.concatenate((self._places, places))

    def now(self, history: Rates) -> float:
        """Its calibrated forecast at the end of the history, from all outcomes that are known."""
        end = np.array([len(history)], dtype=np.intp)
        said = curves(self.method, history, end, self._horizon_s)
        recent = self._places[-self._calibrator.window :]
        known = np.full((1, self._calibrator.window), np.nan)
        known[0, : len(recent)] = recent
        return float(self._calibrator.corrected(said, known, self._quantile)[0])

    def forget(self, count: int) -> None:
        """The first ones."""
        self._said = Curves(rates_rps=self._said.rates_rps[count:], is_point=self._said.is_point)
        self._places = self._places[count:]
        self.calibrated_rps = self.calibrated_rps[count:]

    def _known_before(self, count: int) -> Array:
        """(count, window) places known at each of the last origins; NaN: none."""
        window, lag = self._calibrator.window, self._calibrator.lag
        total = len(self._said.rates_rps)
        padded = np.full(total + window, np.nan)
        padded[window : window + len(self._places)] = self._places
        ends = np.arange(total - count, total) - lag + 1
        starts = np.maximum(ends, 0)
        views: Array = np.lib.stride_tricks.sliding_window_view(padded, window)[starts]
        return views
