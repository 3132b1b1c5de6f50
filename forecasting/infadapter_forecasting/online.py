"""
Forecasts for one service as time goes on: fed new seconds, it remembers what it said and what came.

What it says depends on the history alone: one that is fed the last `history_s` seconds afresh says
the same as one that saw them pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_forecasting.choice import Rule, chosen, pinball
from infadapter_forecasting.conformal import Calibration, Calibrator
from infadapter_forecasting.forecaster import BUCKET_S, Array, Forecaster, Rates, Seconds
from infadapter_forecasting.rates import highest_after, whole_s
from infadapter_forecasting.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    rps: float
    method: str
    coverage: float | None  # of what was said lately; None while no outcome is known


class OnlineForecast:
    """Of one quantile of the highest bucket within one horizon."""

    def __init__(
        self,
        methods: Sequence[Forecaster],
        *,
        horizon_s: int,
        quantile: float = 0.95,
        bucket_s: int = BUCKET_S,
        step_s: int = 10,
        calibration: Calibration | None = None,
        rule: Rule | None = None,
    ) -> None:
        """The first method is believed until another does better; it is noted every `step_s`."""
        self._methods = tuple(methods)
        self._horizon_s, self._bucket_s, self._step_s = horizon_s, bucket_s, step_s
        self._quantile = quantile
        self._rule = rule or Rule()
        self._calibrator = Calibrator(
            horizon_s=whole_s(horizon_s, bucket_s),
            step_s=step_s,
            calibration=calibration or Calibration(),
        )
        self._history: Rates = np.zeros(0)
        self._end_s = 0
        self._restart()

    @property
    def history_s(self) -> int:
        """As much history as changes the answer; with less, it is calibrated on less."""
        return self._remembered * self._step_s + self._kept_s

    def observe(self, history: Rates, end_s: int) -> None:
        """
        The seconds up to `end_s`, which counts from any fixed time; those known are skipped.

        Where they do not reach back to what is known, it starts again from these.
        """
        new = end_s - self._end_s
        if not len(self._history) or not 0 <= new <= len(history):
            self._restart()
            new = len(history)
        if new:
            self._history = np.concatenate((self._history, history[-new:]))
            self._end_s = end_s
            self._note(new)
            self._forget()

    def forecast(self) -> Forecast:
        """At the end of what was observed, which must be something."""
        if not len(self._history):
            raise ValueError("nothing has been observed yet")
        record = self._records[self._believed]
        lately = self._lately()
        known = self._came[lately] <= record.calibrated_rps[lately]
        return Forecast(
            rps=self._now(record),
            method=record.method.name,
            coverage=float(known.mean()) if len(known) else None,
        )

    def by_method(self) -> dict[str, float]:
        """rps: what each of them says."""
        return {record.method.name: self._now(record) for record in self._records}

    def _now(self, record: Record) -> float:
        on_time = len(self._origins) and self._origins[-1] == self._end_s
        return float(record.calibrated_rps[-1]) if on_time else record.now(self._history)

    @property
    def _remembered(self) -> int:
        """Origins: losses of a calibration window, each calibrated on the one before it."""
        return 2 * (self._calibrator.window + self._calibrator.lag)

    @property
    def _kept_s(self) -> int:
        longest_s = max(method.window_s for method in self._methods)
        return longest_s + self._calibrator.horizon_s + self._step_s

    def _restart(self) -> None:
        self._history = np.zeros(0)
        self._origins: Seconds = np.zeros(0, dtype=np.intp)
        self._came: Array = np.zeros(0)
        self._believed = 0
        self._records = [
            Record(
                method,
                horizon_s=self._horizon_s,
                quantile=self._quantile,
                calibrator=self._calibrator,
            )
            for method in self._methods
        ]

    def _note(self, new: int) -> None:
        """What every method says at the origins among the new seconds, and what came of older."""
        start_s = self._end_s - len(self._history)
        first = max(self._end_s - new, self._end_s - self._remembered * self._step_s) + 1
        added = np.arange(-(-first // self._step_s) * self._step_s, self._end_s + 1, self._step_s)
        self._origins = np.concatenate((self._origins, added)).astype(np.intp)
        self._came = self._outcomes(start_s)
        for record in self._records:
            if len(added):
                record.extend(self._history, added - start_s, self._came)
            else:
                record.learn(self._came)
        if len(added):
            self._believed = self._choose()

    def _outcomes(self, start_s: int) -> Array:
        known = self._came[~np.isnan(self._came)]
        open_ = self._origins[len(known) :] - start_s
        came = highest_after(self._history, open_, self._horizon_s, self._bucket_s)
        return np.concatenate((known, came))

    def _forget(self) -> None:
        self._history = self._history[-self._kept_s :]
        too_many = len(self._origins) - self._remembered
        if too_many > 0:
            self._origins, self._came = self._origins[too_many:], self._came[too_many:]
            for record in self._records:
                record.forget(too_many)

    def _choose(self) -> int:
        """Which record is believed, from what was known at the last origin."""
        lately = self._lately()
        said = np.stack([record.calibrated_rps[lately] for record in self._records], axis=1)
        losses = pinball(self._came[lately, None], said, self._quantile)
        overlap = self._calibrator.horizon_s / self._step_s
        picks = chosen(losses, self._rule, self._step_s, overlap)
        return int(picks[-1]) if len(picks) else 0

    def _lately(self) -> slice:
        """The origins whose outcomes are known, of the last calibration window."""
        known = int(np.count_nonzero(~np.isnan(self._came)))
        return slice(max(0, known - self._calibrator.window), known)
