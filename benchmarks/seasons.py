"""
How wrong a seasonal forecast is in the week after a clock change, by UTC and by local clocks.

    python -m benchmarks.seasons

A service whose users work from eight to eight by the clocks of one zone, on all days or from Monday
to Friday: Poisson arrivals by the second, a quarter of an hour of rise and fall, a tenth of the
load at night. Forecast is the highest five seconds of the next minute, calibrated.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from infadapter_forecasting import (
    Forecaster,
    LastMaximum,
    Question,
    SeasonalNaive,
    backtest,
    local_time,
)
from infadapter_forecasting.forecaster import Array
from infadapter_forecasting.local_time import DAY_S, HOUR_S
from infadapter_forecasting.naive import WEEK_S

BUSY_RPS, QUIET_RPS, RAMP_S = 100.0, 10.0, 900
QUANTILE, STEP_S = 0.95, 15
CHANGES = (
    ("Europe/Berlin", datetime(2026, 3, 29)),
    ("Europe/Berlin", datetime(2026, 10, 25)),
    ("Australia/Lord_Howe", datetime(2026, 4, 5)),
)
METHODS = (
    ("a day ago by UTC", DAY_S, False),
    ("a day ago by local time", DAY_S, True),
    ("a week ago by UTC", WEEK_S, False),
    ("a week ago by local time", WEEK_S, True),
)


def expected_rps(begin_s: int, seconds: int, zone: str, days: int) -> Array:
    """Each second of these, by the clocks of the zone; `days` of the week are busy."""
    clocks = local_time(zone, begin_s - DAY_S, begin_s + seconds + DAY_S)
    at_s = begin_s + np.arange(seconds)
    offsets = np.array(clocks.offsets_s)
    local_s = at_s + offsets[np.searchsorted(np.array(clocks.changes_s), at_s, side="right")]
    of_day_s, weekday = local_s % DAY_S, (local_s // DAY_S + 3) % 7
    up = np.clip((of_day_s - 8 * HOUR_S) / RAMP_S, 0, 1)
    down = np.clip((of_day_s - 20 * HOUR_S) / RAMP_S, 0, 1)
    found: Array = QUIET_RPS + (BUSY_RPS - QUIET_RPS) * np.where(weekday < days, up - down, 0.0)
    return found


def methods(zone: str, begin_s: int, seconds: int) -> list[Forecaster]:
    until_s = begin_s + seconds + DAY_S
    seasonal = [
        SeasonalNaive(
            season_s=season_s,
            clocks=local_time(zone if is_local else "UTC", begin_s - DAY_S, until_s),
            begin_s=begin_s,
            name=name,
        )
        for name, season_s, is_local in METHODS
    ]
    return [LastMaximum(), *seasonal]


def main() -> None:
    print("| clocks change | busy | method | pinball loss, rps | too low by at most, rps |")
    print("|---|---|---|---|---|")
    for zone, change in CHANGES:
        for busy, days in (("every day", 7), ("Monday to Friday", 5)):
            _week_after(zone, change, busy, days)


def _week_after(zone: str, change: datetime, busy: str, days: int) -> None:
    local = change.replace(tzinfo=ZoneInfo(zone))
    first_s, last_s = (int((local + timedelta(days=day)).timestamp()) for day in (0, 7))
    begin_s = first_s - 9 * DAY_S
    load = expected_rps(begin_s, last_s - begin_s, zone, days)
    rates = np.random.default_rng(1).poisson(load).astype(float)
    asked = Question(horizon_s=60, step_s=STEP_S, warm_up_s=first_s - begin_s)
    looking = methods(zone, begin_s, len(rates))
    found = backtest(rates, looking, question=asked, quantiles=(QUANTILE,))
    for method in looking:
        score = found.score(method.name, QUANTILE)
        print(
            f"| {change:%d %B %Y}, {zone} | {busy} | {score.method} "
            f"| {score.pinball_rps:.2f} | {score.deepest_rps:.0f} |"
        )


if __name__ == "__main__":
    main()
