"""The simple methods, which any learned one must beat."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from infadapter_forecasting.local_time import DAY_S, UTC, LocalTime
from infadapter_forecasting.rates import buckets_in, highest_after, whole_s, with_past

LONGEST_HORIZON_S = 300
"""Longest horizon for which windows are kept; a longer one uses the same."""

WEEK_S = 7 * DAY_S

LONGEST_CHANGE_S = 2 * 3_600
"""Largest difference between a season of local time and its nominal length, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastMaximum(Stateless):
    """The maximum of the last `horizon_s` seconds."""

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
    """
    The load one season ago at the same local time. Until a week is known that of a day ago; until a
    day is known the last maximum.
    """

    bucket_s: int = BUCKET_S
    season_s: int = DAY_S
    clocks: LocalTime = UTC
    begin_s: int = 0  # when the history begins, since 1970
    name: str = "SeasonalNaive"

    @property
    def window_s(self) -> int:
        return self.season_s + LONGEST_CHANGE_S + self.bucket_s

    def later(self, seconds: int) -> Self:
        return replace(self, begin_s=self.begin_s + seconds)

    def look(
        self, history: Rates, origins: Seconds, horizon_s: int, quantiles: Sequence[float]
    ) -> Array:
        recent = LastMaximum(bucket_s=self.bucket_s)
        found = recent.look(history, origins, horizon_s, (0.5,))[:, 0]
        for season_s in sorted({min(self.season_s, DAY_S), self.season_s}):
            ago = self._season_ago(history, origins, season_s, horizon_s)
            found = np.where(np.isnan(ago), found, ago)
        return repeated(found, quantiles)

    def _season_ago(self, history: Rates, origins: Seconds, season_s: int, horizon_s: int) -> Array:
        """Return (origins,) rps, NaN where the history does not reach back far enough."""
        first, last = int(origins.min()), int(origins.max()) + whole_s(horizon_s, self.bucket_s)
        at_s = self.begin_s + np.arange(first, last, dtype=np.intp)
        places = self.clocks.season_ago(at_s, season_s) - self.begin_s
        before = np.flatnonzero(places < 0)
        known = int(before[-1]) + 1 if len(before) else 0
        places = places[known:]
        after = np.flatnonzero(places >= len(history))
        repeats = history[places[: after[0]] if len(after) else places]
        return highest_after(repeats, origins - first - known, horizon_s, self.bucket_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential(Stateless):
    """The exponentially weighted mean with a half-life of one horizon."""

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
