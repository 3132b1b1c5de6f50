"""Holt-Winters with a damped trend; its constants are fitted by statsmodels."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import numpy as np

from infadapter_forecasting.forecaster import (
    BUCKET_S,
    Array,
    Rates,
    Seconds,
    Stateless,
    repeated,
)
from infadapter_forecasting.rates import buckets_in, moving_means, with_past

LEAST_BUCKETS = 100
"""Buckets below which fitted constants would extrapolate noise."""


class NotInstalled(Exception):
    """An optional library is missing; the message names it and how to install it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoltWinters(Stateless):
    """
    Level and trend of buckets; the forecast is the highest bucket on the extrapolated line.

    Without a fit its constants are usual ones. A daily season would have 17,280 buckets, which
    exponential smoothing cannot learn: see `SeasonalNaive`.
    """

    level_weight: float = 0.4
    trend_weight: float = 0.02
    damping: float = 0.95
    bucket_s: int = BUCKET_S
    memory: int = 120  # buckets
    name: str = "HoltWinters"

    @property
    def window_s(self) -> int:
        return self.memory * self.bucket_s

    def fit(self, history: Rates) -> Self:
        """Return it with the constants that forecast this history best, one bucket ahead."""
        buckets = moving_means(history, self.bucket_s)[:: self.bucket_s]
        if len(buckets) < LEAST_BUCKETS or np.ptp(buckets) == 0:
            return self
        level, trend, damping = _constants(buckets)
        return replace(self, level_weight=level, trend_weight=trend, damping=damping)

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        buckets = self._buckets(history, origins)
        level, trend = (buckets @ _responses(self)).T
        steps = np.cumsum(self.damping ** np.arange(1, buckets_in(horizon_s, self.bucket_s) + 1))
        highest = level + np.maximum(trend * steps[0], trend * steps[-1])
        return repeated(np.maximum(highest, 0.0), quantiles)

    def _buckets(self, history: Rates, origins: Seconds) -> Array:
        """Return (origins, memory) rps, latest last."""
        means = moving_means(with_past(history, self.window_s), self.bucket_s)
        back = self.bucket_s * np.arange(self.memory, 0, -1)
        found: Array = means[origins[:, None] + self.window_s - back]
        return found


@lru_cache(maxsize=16)
def _responses(method: HoltWinters) -> Array:
    """
    Return (memory, 2): what each bucket adds to the level and the trend after the last of them.
    """
    bumps = np.eye(method.memory)
    level = bumps[0]
    trend = np.zeros(method.memory)
    for bump in bumps[1:]:
        expected = level + method.damping * trend
        error = bump - expected
        level = expected + method.level_weight * error
        trend = method.damping * trend + method.level_weight * method.trend_weight * error
    return np.stack((level, trend), axis=1)


def _constants(buckets: Array) -> tuple[float, float, float]:
    try:
        from statsmodels.tsa.holtwinters import ExponentialSmoothing
    except ImportError as error:
        raise NotInstalled(
            "HoltWinters fits with statsmodels, which is not installed: "
            "pip install 'infadapter[forecast]'"
        ) from error
    model = ExponentialSmoothing(
        buckets, trend="add", damped_trend=True, initialization_method="estimated"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not converged: the best found so far is used
        found = model.fit().params
    names = ("smoothing_level", "smoothing_trend", "damping_trend")
    level, trend, damping = (float(found[name]) for name in names)
    return level, trend, damping
