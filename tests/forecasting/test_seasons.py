"""
A load that keeps to its users' clocks, over the days on which these change: 100 rps from 8 to 20.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting import LastMaximum, LocalTime, SeasonalNaive, local_time
from infadapter_forecasting.forecaster import Array
from infadapter_forecasting.local_time import DAY_S
from infadapter_forecasting.naive import WEEK_S
from infadapter_forecasting.rates import highest_after

BUSY_RPS, QUIET_RPS = 100.0, 10.0
SPAN_S = 600
"""Loads change at whole multiples of this, and forecasts are asked for as often."""


@dataclass(frozen=True, kw_only=True)
class Days:
    """Whole days of UTC, from the first up to, without, the last."""

    zone: str
    first: datetime
    days: int
    weekends: bool  # are quiet

    @property
    def begin_s(self) -> int:
        return int(self.first.replace(tzinfo=UTC).timestamp())

    def rates(self) -> Array:
        spans = range(self.begin_s, self.begin_s + self.days * DAY_S, SPAN_S)
        return np.repeat([self._rps(at_s) for at_s in spans], SPAN_S)

    def asked(self, season_s: int, zone: str) -> SeasonalNaive:
        clocks = local_time(zone, self.begin_s - DAY_S, self.begin_s + (self.days + 1) * DAY_S)
        return SeasonalNaive(season_s=season_s, clocks=clocks, begin_s=self.begin_s)

    def wrong(self, season_s: int, zone: str, known_days: int) -> int:
        """How many of the forecasts after so many days are not what came."""
        rates, horizon_s = self.rates(), 60
        origins = np.arange(known_days * DAY_S, len(rates) - horizon_s, SPAN_S)
        said = self.asked(season_s, zone).predict_many(rates, origins, horizon_s, (0.5,))[:, 0]
        return int((said != highest_after(rates, origins, horizon_s, 5)).sum())

    def _rps(self, at_s: int) -> float:
        local = datetime.fromtimestamp(at_s, ZoneInfo(self.zone))
        is_quiet = self.weekends and local.weekday() >= 5
        return BUSY_RPS if 8 <= local.hour < 20 and not is_quiet else QUIET_RPS


CHANGES = {
    "spring in Berlin": ("Europe/Berlin", datetime(2026, 3, 29), 6),
    "autumn in Berlin": ("Europe/Berlin", datetime(2026, 10, 25), 6),
    "autumn in New York": ("America/New_York", datetime(2026, 11, 1), 6),
    "half an hour in autumn on Lord Howe": ("Australia/Lord_Howe", datetime(2026, 4, 4), 3),
    "half an hour in spring on Lord Howe": ("Australia/Lord_Howe", datetime(2026, 10, 3), 3),
    "spring in Adelaide, half an hour off": ("Australia/Adelaide", datetime(2026, 10, 3), 6),
    "autumn in Santiago": ("America/Santiago", datetime(2026, 4, 5), 6),
    "autumn on the Chatham Islands, three quarters off": (
        "Pacific/Chatham",
        datetime(2026, 4, 4),
        6,
    ),
}


@pytest.mark.parametrize(("zone", "change", "spans"), CHANGES.values(), ids=CHANGES)
def test_over_a_clock_change_the_day_is_that_of_the_clocks(
    zone: str, change: datetime, spans: int
) -> None:
    """
    Told by UTC, the load comes an hour early or late, and goes so; by its own clocks, never.
    https://github.com/MicrosoftDocs/azure-docs/issues/52799 (a scaler's working hours),
    https://github.com/davidusb-geek/emhass/issues/589 (a forecast, in Sydney),
    https://github.com/oziee/ha-solcast-solar/issues/256 (another one).
    """
    load = Days(zone=zone, first=change - timedelta(days=2), days=5, weekends=False)
    assert load.wrong(DAY_S, "UTC", 1) == 2 * spans
    assert load.wrong(DAY_S, zone, 1) == 0


@pytest.mark.parametrize(("zone", "change", "spans"), CHANGES.values(), ids=CHANGES)
def test_over_a_clock_change_the_week_is_that_of_the_clocks(
    zone: str, change: datetime, spans: int
) -> None:
    load = Days(zone=zone, first=change - timedelta(days=8), days=16, weekends=True)
    assert load.wrong(WEEK_S, "UTC", 7) == 5 * 2 * spans
    assert load.wrong(WEEK_S, zone, 7) == 0


@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Kolkata", "Asia/Tokyo", "Europe/Berlin", "Pacific/Auckland"]
)
def test_a_monday_is_that_of_last_week_and_no_sunday(zone: str) -> None:
    """
    Nor is a Saturday a Friday. In Auckland a Monday was a Sunday until one in the afternoon:
    https://github.com/hjacobs/kube-downscaler/pull/25
    """
    load = Days(zone=zone, first=datetime(2026, 6, 1), days=15, weekends=True)
    assert load.wrong(WEEK_S, zone, 7) == 0
    twelve_hours = 12 * 3_600 // SPAN_S
    assert load.wrong(DAY_S, zone, 7) >= 2 * twelve_hours


def test_ten_for_a_hundred_on_a_monday_at_nine() -> None:
    monday = datetime(2026, 11, 23, 8)  # at nine in Berlin
    load = Days(zone="Europe/Berlin", first=datetime(2026, 11, 15), days=9, weekends=True)
    known = load.rates()[: int((monday - load.first).total_seconds())]
    by_day = load.asked(DAY_S, "Europe/Berlin").predict(known, 60, (0.5,))
    by_week = load.asked(WEEK_S, "Europe/Berlin").predict(known, 60, (0.5,))
    assert (by_day[0], by_week[0]) == (QUIET_RPS, BUSY_RPS)


def test_a_horizon_that_crosses_the_change_looks_at_both_sides_of_it() -> None:
    """From half past seven on, at eight the clocks go forward to nine; each hour has its load."""
    yesterday = np.repeat(np.arange(24.0), 3_600)
    clocks = LocalTime(offsets_s=(0, 3_600), changes_s=(DAY_S + 8 * 3_600,))
    today = np.zeros(7 * 3_600 + 1_800)
    known = np.concatenate((yesterday, today))
    assert SeasonalNaive(clocks=clocks).predict(known, 3_600, (0.5,)) == pytest.approx([9.0])
    assert SeasonalNaive().predict(known, 3_600, (0.5,)) == pytest.approx([8.0])


@given(
    counts=st.lists(st.integers(0, 300), min_size=1, max_size=700),
    season_s=st.integers(1, 400),
    horizon_s=st.sampled_from([5, 12, 60, 120]),
    begin_s=st.integers(0, 2**31),
)
def test_by_the_clocks_of_utc_a_season_is_what_it_was_without_clocks(
    counts: list[int], season_s: int, horizon_s: int, begin_s: int
) -> None:
    history = np.array(counts, dtype=float)
    now = np.array([len(history)])
    ago = highest_after(history, now - season_s, horizon_s, 5)
    recent = LastMaximum().predict(history, horizon_s, (0.5,))
    clocks = local_time("UTC", begin_s, begin_s + DAY_S)
    asked = SeasonalNaive(season_s=season_s, clocks=clocks, begin_s=begin_s)
    found = asked.predict(history, horizon_s, (0.5,))
    assert np.array_equal(found, np.where(np.isnan(ago), recent, ago))


def test_without_a_week_ago_the_day_ago_stands_in() -> None:
    rates = np.full(2 * DAY_S, 10.0)
    rates[DAY_S + 60 : DAY_S + 65] = 80.0
    asked = SeasonalNaive(season_s=WEEK_S)
    assert asked.predict(rates[: 2 * DAY_S], 120, (0.5,)) == pytest.approx([80.0])
