"""
InfAdapter's forecaster as published: the highest seconds of ten minutes in, that of the next minute
out.

LSTM(25, relu) → Dense(1), from the released code (adapter/forecasters/lstm_forecaster.py). It
returns one number for every horizon and quantile; the paper plans for 1.1 times it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from infadapter_forecasting.forecaster import Array, Rates, Seconds, Stateless, Weights, repeated
from infadapter_forecasting.rates import highest_after, with_past
from infadapter_forecasting.weights import load, save

MINUTES, MINUTE_S = 10, 60
UNITS = 25
SPAN = 10
"""Span of the exponentially weighted mean that is used until ten minutes have been observed."""

SHAPES = {
    "kernel": (1, 4 * UNITS),  # input, forget, candidate, output gates, as in Keras
    "recurrent": (UNITS, 4 * UNITS),
    "bias": (4 * UNITS,),
    "dense_weight": (UNITS, 1),
    "dense_bias": (1,),
}


def minute_maxima(history: Rates, origins: Seconds) -> Array:
    """Return (origins, 10) rps: the highest second of each of the last ten minutes, latest last."""
    lead = MINUTES * MINUTE_S
    starts = origins[:, None] + lead - MINUTE_S * np.arange(MINUTES, 0, -1)
    found = highest_after(with_past(history, lead), starts.ravel(), MINUTE_S, 1)
    return found.reshape(starts.shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PublishedLstm(Stateless):
    weights: Weights  # as in `SHAPES`
    name: str = "PublishedLstm"

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(weights=load(path, cls.__name__, SHAPES))

    def write(self, path: Path) -> None:
        save(path, type(self).__name__, self.weights)

    @property
    def window_s(self) -> int:
        return MINUTES * MINUTE_S

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        maxima = minute_maxima(history, origins)
        minutes = origins // MINUTE_S
        learned = np.maximum(self.next_maximum(maxima), 0.0)
        point = np.where(minutes >= MINUTES, learned, _weighted_mean(maxima, minutes))
        return repeated(point, quantiles)

    def next_maximum(self, maxima: Array) -> Array:
        """Return (windows,) rps from (windows, 10) rps."""
        kernel, recurrent, bias = (self.weights[n] for n in ("kernel", "recurrent", "bias"))
        hidden = np.zeros((len(maxima), UNITS))
        cell = np.zeros_like(hidden)
        for minute in maxima.T:
            gates = minute[:, None] * kernel + hidden @ recurrent + bias
            put, keep, candidate, out = np.split(gates, 4, axis=1)
            cell = _sigmoid(keep) * cell + _sigmoid(put) * np.maximum(candidate, 0.0)
            hidden = _sigmoid(out) * np.maximum(cell, 0.0)
        found: Array = (hidden @ self.weights["dense_weight"] + self.weights["dense_bias"])[:, 0]
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScaledLstm(PublishedLstm):
    """The same network on minutes divided by their maximum, so that it fits a load of any size."""

    name: str = "ScaledLstm"

    def next_maximum(self, maxima: Array) -> Array:
        scale = np.maximum(maxima.max(axis=1), 1e-9)
        highest: Array = scale * PublishedLstm.next_maximum(self, maxima / scale[:, None])
        return highest


def _weighted_mean(maxima: Array, minutes: Seconds) -> Array:
    """Return the weighted mean of the whole minutes observed, or of the beginning of the first."""
    ages = np.arange(MINUTES - 1, -1, -1)
    weights = (1 - 2 / (SPAN + 1)) ** ages * (ages < np.maximum(minutes, 1)[:, None])
    mean: Array = (weights * maxima).sum(axis=1) / weights.sum(axis=1)
    return mean


def _sigmoid(x: Array) -> Array:
    y: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return y
