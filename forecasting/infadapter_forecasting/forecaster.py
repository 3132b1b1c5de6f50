"""
What every method of forecasting is: told arrays, it answers with arrays.

A history is an array of per-second rates in rps, evenly spaced, the latest last. Nothing here reads
a clock. What is forecast is always the same: the highest mean over `bucket_s` seconds that the load
will reach within the next `horizon_s` seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rates = Array
"""(seconds,) rps"""

Weights = Mapping[str, Array]
"""Of a network, by name."""

Seconds = NDArray[np.intp]
"""Origins: forecast number i knows `history[:origins[i]]` and nothing after it."""

BUCKET_S = 5
"""
The time over which a rate is a mean, for planning: capacities were measured under Poisson arrivals,
so the noise of single seconds is in them already.
"""

FIRST_S = 30
"""The mean of the first half minute stands in for the time before a history."""


class Forecaster(Protocol):
    """One method. A point forecast gives the same number for every quantile: see `conformal`."""

    @property
    def name(self) -> str: ...

    @property
    def window_s(self) -> int:
        """The seconds of history before an origin that change the forecast; more are ignored."""
        ...

    def fit(self, history: Rates) -> Self:
        """Itself, adapted to this history; most methods have nothing to adapt."""
        ...

    def later(self, seconds: int) -> Self:
        """Itself, for a history that begins so much later; only local time asks when it began."""
        ...

    def predict(self, history: Rates, horizon_s: int, quantiles: Sequence[float]) -> Array:
        """(quantiles,) rps within the `horizon_s` seconds after the history."""
        ...

    def predict_many(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        """(origins, quantiles) rps: what `predict` would have said at each of these times."""
        ...


class Stateless:
    """What the methods share that look at a window and keep nothing."""

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
        """(origins, quantiles) rps, at origins all younger than `FIRST_S` or none."""
        raise NotImplementedError


def repeated(point_rps: Array, quantiles: Sequence[float]) -> Array:
    """(origins, quantiles): the same point for every quantile."""
    return np.repeat(point_rps[:, None], len(quantiles), axis=1)
