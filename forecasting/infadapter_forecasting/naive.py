"""The simple methods, which any learned one must beat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infadapter_forecasting.forecaster import (
    BUCKET_S,
    Array,
    Rates,
    Seconds,
    Stateless,
    repeated,
)
from infadapter_forecasting.rates import buckets_in, highest_after, with_past

LONGEST_HORIZON_S = 300
"""Of which windows are told; a longer one sees no more than this one."""

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class LastMaximum(Stateless):
    """It will be as high as it just was, over as long."""

    bucket_s: int = BUCKET_S
    name: str = "LastMaximum"

    @property
    def window_s(self) -> int:
        return LONGEST_HORIZON_S + self.bucket_s

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        back_s = buckets_in(horizon_s, self.bucket_s) * self.bucket_s
        known = with_past(history, back_s)
        return repeated(highest_after(known, origins, horizon_s, self.bucket_s), quantiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalNaive(Stateless):
    """It will be as it was a day ago; the last maximum while there is no day ago."""

    bucket_s: int = BUCKET_S
    season_s: int = DAY_S
    name: str = "SeasonalNaive"

    @property
    def window_s(self) -> int:
        return self.season_s + self.bucket_s

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        a_season_ago = highest_after(history, origins - self.season_s, horizon_s, self.bucket_s)
        recent = LastMaximum(bucket_s=self.bucket_s)
        instead = recent.look(history, origins, horizon_s, (0.5,))[:, 0]
        found = np.where(np.isnan(a_season_ago), instead, a_season_ago)
        return repeated(found, quantiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential(Stateless):
    """The exponentially weighted mean, in which a second of a horizon ago weighs half."""

    half_lives: int = 10  # older seconds weigh less than a thousandth
    name: str = "Exponential"

    @property
    def window_s(self) -> int:
        return self.half_lives * LONGEST_HORIZON_S

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        length = min(self.half_lives * horizon_s, int(origins.max(initial=1)))
        weights = 0.5 ** (np.arange(length, 0, -1) / horizon_s)
        padded = np.concatenate((np.zeros(length), history))
        seen = np.concatenate((np.zeros(length), np.ones(len(history))))
        found = _weighted(padded, origins, weights) / _weighted(seen, origins, weights)
        return repeated(found, quantiles)


def _weighted(padded: Rates, origins: Seconds, weights: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(weights))
    found: Array = np.array([windows[at] @ weights for at in origins])  # together they are copied
    return found
