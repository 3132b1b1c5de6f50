"""
A small network for the distribution of the load's highest rate within the next seconds.

One hidden representation of the recent load is read out for several bucket lengths, horizons and
quantiles at once. Quantiles cannot cross: each is the one below plus something positive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np

from infadapter_forecasting.conformal import GRID, LEVELS, log_odds
from infadapter_forecasting.features import INPUTS, WINDOW_S, features
from infadapter_forecasting.forecaster import BUCKET_S, Array, Rates, Seconds, Stateless, Weights
from infadapter_forecasting.weights import load, save

KIND = "QuantileNetwork"
BUCKETS_S = (1, 5)
HORIZONS_S = (5, 10, 15, 30, 60, 120)
"""
Trained horizons. Between horizons and levels outputs are interpolated linearly, in the logarithm
and in the log-odds.
"""

HIDDEN = 64
AT_ONCE = 4096
"""Origins per pass, which bounds the memory of a backtest of a day."""

OUTPUTS = len(BUCKETS_S) * len(HORIZONS_S) * len(LEVELS)
SHAPES = {
    "first_weight": (INPUTS, HIDDEN),
    "first_bias": (HIDDEN,),
    "second_weight": (HIDDEN, HIDDEN),
    "second_bias": (HIDDEN,),
    "last_weight": (HIDDEN + INPUTS, OUTPUTS),
    "last_bias": (OUTPUTS,),
}

DEFAULT = Path(__file__).with_name("networks") / "default.npz"
"""Trained on synthetic loads only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuantileNetwork(Stateless):
    weights: Weights  # as in `SHAPES`
    bucket_s: int = BUCKET_S
    name: str = KIND

    @classmethod
    def read(cls, path: Path = DEFAULT, *, bucket_s: int = BUCKET_S) -> Self:
        return cls(bucket_s=bucket_s, weights=load(path, KIND, SHAPES))

    def write(self, path: Path) -> None:
        save(path, KIND, self.weights)

    @property
    def window_s(self) -> int:
        return WINDOW_S

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        parts = np.array_split(origins, -(-len(origins) // AT_ONCE))
        return np.concatenate([self._look(history, part, horizon_s, quantiles) for part in parts])

    def _look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        seen = features(history, origins)
        heads = self._outputs(seen.inputs, horizon_s)
        found = heads @ _mix(tuple(quantiles))
        rates = seen.level_rps[:, None] + seen.spread_rps[:, None] * found
        return np.maximum(rates, 0.0)

    def _outputs(self, inputs: Array, horizon_s: int) -> Array:
        """
        Return (origins, levels) in units of spread, for this network's bucket and this horizon.
        """
        hidden = _silu(self._layer(inputs, "first"))
        hidden = _silu(self._layer(hidden, "second"))
        seen = np.concatenate((hidden, inputs), axis=1)
        found = np.zeros((len(inputs), len(LEVELS)))
        for head, share in _shares(horizon_s):
            found += share * self._head(seen, head)
        return found

    def _layer(self, seen: Array, name: str, columns: slice = slice(None)) -> Array:
        weight, bias = self.weights[f"{name}_weight"], self.weights[f"{name}_bias"]
        found: Array = seen @ weight[:, columns] + bias[columns]
        return found

    def _head(self, seen: Array, horizon: int) -> Array:
        nearest = min(range(len(BUCKETS_S)), key=lambda i: abs(BUCKETS_S[i] - self.bucket_s))
        start = (nearest * len(HORIZONS_S) + horizon) * len(LEVELS)
        columns = slice(start, start + len(LEVELS))
        raw = self._layer(seen, "last", columns)
        steps = np.concatenate((raw[:, :1], np.logaddexp(0.0, raw[:, 1:])), axis=1)
        ascending: Array = np.cumsum(steps, axis=1)
        return ascending


def _silu(x: Array) -> Array:
    y: Array = x * (0.5 + 0.5 * np.tanh(0.5 * x))
    return y


@lru_cache(maxsize=64)
def _shares(horizon_s: int) -> tuple[tuple[int, float], ...]:
    """Return the trained horizons used for this one, and their weights."""
    at = np.log(max(1, horizon_s))
    shares = [float(np.interp(at, np.log(HORIZONS_S), only)) for only in np.eye(len(HORIZONS_S))]
    return tuple((head, share) for head, share in enumerate(shares) if share > 0)


@lru_cache(maxsize=64)
def _mix(quantiles: tuple[float, ...]) -> Array:
    """Return (levels, quantiles): the weight of each level in each quantile."""
    at = log_odds(quantiles)
    return np.stack([np.interp(at, GRID, only) for only in np.eye(len(LEVELS))])
