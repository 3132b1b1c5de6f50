"""
The interface of forecasting methods.

A history is an array of per-second rates (rps), evenly spaced, latest last. No clock is read. The
target is always the highest mean over `bucket_s` seconds that the load reaches within the next
`horizon_s` seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rates = Array
"""(seconds,) rps"""

Weights = Mapping[str, Array]
"""A network's weights by name."""

Seconds = NDArray[np.intp]
"""Origins: forecast i knows only `history[:origins[i]]`."""

BUCKET_S = 5
"""
Averaging time of rates for planning. Capacities were measured under Poisson arrivals, so the noise
of single seconds is included in them.
"""

FIRST_S = 30
"""The mean of the first half minute replaces the time before a history."""


class Forecaster(Protocol):
    """A method. A point forecast gives the same number for every quantile (see `conformal`)."""

    @property
    def name(self) -> str: ...

    @property
    def window_s(self) -> int:
        """Seconds of history before an origin that affect the forecast."""
        ...

    def fit(self, history: Rates) -> Self:
        """Return the method fitted to this history; most have nothing to fit."""
        ...

    def later(self, seconds: int) -> Self:
        """
        Return the method for a history that begins `seconds` later; only local time depends on it.
        """
        ...

    def predict(self, history: Rates, horizon_s: int, quantiles: Sequence[float]) -> Array:
        """Return (quantiles,) rps for the `horizon_s` seconds after the history."""
        ...

    def predict_many(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        """
        Return (origins, quantiles) rps: what `predict` would have returned at each of these times.
        """
        ...


class Stateless:
    """Common part of methods that look at a window and keep no state."""

    name: str

    @property
    def window_s(self) -> int:
        raise NotImplementedError

    def fit(self, history: Rates) -> Self:
        return self

    def later(self, seconds: int) -> Self:
        return self

    def predict(self, history: Rates, horizon_s: int, quantiles: Sequence[float]) -> Array:
        recent = history[-self.window_s :]
        now = np.array([len(recent)], dtype=np.intp)
        method = self.later(len(history) - len(recent))
        found: Array = method.predict_many(recent, now, horizon_s, quantiles)[0]
        return found

    def predict_many(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        young = np.flatnonzero(origins < FIRST_S)
        found = np.empty((len(origins), len(quantiles)))
        for at in young:  # each alone: what stands in for the time before is its own
            end = origins[at]
            found[at] = self.look(history[:end], origins[at : at + 1], horizon_s, quantiles)
        if len(young) < len(origins):
            old = origins >= FIRST_S
            found[old] = self.look(history, origins[old], horizon_s, quantiles)
        return found

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        """
        Return (origins, quantiles) rps; either all origins are younger than `FIRST_S` or none.
        """
        raise NotImplementedError


def repeated(point_rps: Array, quantiles: Sequence[float]) -> Array:
    """Return the same point for every quantile, (origins, quantiles)."""
    return np.repeat(point_rps[:, None], len(quantiles), axis=1)
