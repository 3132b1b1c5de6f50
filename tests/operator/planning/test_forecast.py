import itertools
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_forecasting import Question, backtest
from infadapter_forecasting.forecaster import BUCKET_S
from infadapter_forecasting.rates import highest_after
from infadapter_operator.domain.load import History, Sample
from infadapter_operator.domain.service import Calendar, ForecastMethod, Season
from infadapter_operator.planning.forecast import METHODS, history_s, quantile_forecast
from infadapter_operator.planning.rates import bucketed, highest_rps, rate_now_rps

loads = st.lists(st.floats(0, 500), min_size=1, max_size=300)


def every_second(*pieces: tuple[int, float], end_s: float = 1000.0) -> tuple[Sample, ...]:
    """Return a sample per second of (seconds, rps) pieces, the last of which ends at `end_s`."""
    rates = [rps for seconds, rps in pieces for _ in range(seconds)]
    return tuple(Sample(end_s - len(rates) + 1 + i, rps) for i, rps in enumerate(rates))


def test_buckets_are_means_over_whole_multiples_of_their_length() -> None:
    assert bucketed(every_second((5, 2.0), (5, 4.0))) == (Sample(995.0, 2.0), Sample(1000.0, 4.0))


def test_the_unfinished_bucket_is_left_out() -> None:
    samples = every_second((5, 2.0), (2, 90.0), end_s=1002.0)
    assert bucketed(samples) == (Sample(1000.0, 2.0),)


def test_sparse_samples_are_a_bucket_each() -> None:
    sparse = tuple(Sample(at, 3.0) for at in (900.0, 915.0, 930.0))
    assert [bucket.at_s for bucket in bucketed(sparse)] == [900.0, 915.0, 930.0]


def test_the_highest_second_is_noise_and_the_highest_bucket_is_demand() -> None:
    samples = every_second((50, 10.0), (1, 60.0), (9, 10.0))
    assert highest_rps(samples, 0.0) == 20.0


def test_a_history_shorter_than_a_bucket_is_its_mean() -> None:
    assert highest_rps(every_second((2, 8.0), end_s=1001.0), 0.0) == 8.0


def test_the_rate_of_now_is_steady_under_noise() -> None:
    noise = itertools.cycle([14.0, 26.0, 18.0, 22.0])
    samples = tuple(Sample(float(at), next(noise)) for at in range(1, 61))
    assert rate_now_rps(samples) == pytest.approx(20.0, abs=0.5)


def test_the_rate_of_now_believes_a_jump_after_its_first_second() -> None:
    assert rate_now_rps(every_second((60, 20.0), (1, 90.0))) == 90.0


def test_the_rate_of_now_believes_a_fall_too() -> None:
    assert rate_now_rps(every_second((60, 90.0), (3, 10.0))) == 10.0


def test_one_sample_is_a_rate() -> None:
    assert rate_now_rps((Sample(7.0, 3.0),)) == 3.0


def said(method: ForecastMethod, *pieces: tuple[int, float], quantile: float = 0.95) -> float:
    return quantile_forecast(method, History(every_second(*pieces)), 30.0, quantile)


def test_few_errors_give_a_tenth_of_headroom() -> None:
    assert said(ForecastMethod.LAST_MAXIMUM, (60, 10.0)) == pytest.approx(11.0)


def test_a_constant_load_has_no_errors_and_needs_no_headroom() -> None:
    assert said(ForecastMethod.LAST_MAXIMUM, (600, 10.0)) == pytest.approx(10.0)


def test_the_quantile_is_of_the_errors_that_were_made() -> None:
    """The load jumps by 20 every minute, so half of the forecasts are wrong by 20."""
    jumps = [(60, 10.0), (60, 30.0)] * 8
    low, high = (said(ForecastMethod.LAST_MAXIMUM, *jumps, quantile=q) for q in (0.5, 0.99))
    assert low == pytest.approx(30.0)
    assert high == pytest.approx(50.0)


def test_a_day_ago_says_what_comes_now() -> None:
    day = 86_400
    a_day_ago = [(600, 10.0), (300, 70.0), (day - 900, 10.0)]
    assert said(ForecastMethod.SEASONAL_NAIVE, *a_day_ago, (600, 10.0)) >= 70.0


@settings(max_examples=60, deadline=None)
@given(
    load=loads,
    method=st.sampled_from([*METHODS, ForecastMethod.QUANTILE_NETWORK]),
    quantile=st.floats(0.01, 0.99),
)
def test_a_forecast_is_a_rate_and_grows_with_its_quantile(
    load: list[float], method: ForecastMethod, quantile: float
) -> None:
    history = History(tuple(Sample(float(at), rps) for at, rps in enumerate(load)))
    lower = quantile_forecast(method, history, 20.0, quantile / 2)
    upper = quantile_forecast(method, history, 20.0, quantile)
    assert 0.0 <= lower <= upper + 1e-9


@settings(max_examples=40, deadline=None)
@given(
    load=st.lists(st.floats(0, 500), min_size=60, max_size=900),
    method=st.sampled_from(list(METHODS)),
)
def test_the_operator_says_what_a_backtest_of_the_name_would_have_said(
    load: list[float], method: ForecastMethod
) -> None:
    """Compare at the last origin with a known outcome, with the data the operator had then."""
    horizon_s, quantile = 20, 0.9
    told = load[:-horizon_s]
    samples = tuple(Sample(float(at), rps) for at, rps in enumerate(told, 1))
    ours = quantile_forecast(method, History(samples), float(horizon_s), quantile)
    came = highest_after(np.array(load), np.array([len(told)]), horizon_s, BUCKET_S)[0]
    question = Question(horizon_s=horizon_s, step_s=BUCKET_S, warm_up_s=len(told))
    report = backtest(np.array(load), [METHODS[method]], question=question, quantiles=(quantile,))
    theirs = report.score(METHODS[method].name, quantile)
    assert theirs.mean_rps == pytest.approx(ours, rel=1e-6, abs=1e-6)
    assert theirs.coverage == float(came <= ours + 1e-9)


def local_load(at_s: float, zone: str) -> float:
    """Return 100 rps from 8 to 20 h on working days in the zone, 10 rps otherwise."""
    local = datetime.fromtimestamp(at_s, ZoneInfo(zone))
    return 100.0 if 8 <= local.hour < 20 and local.weekday() < 5 else 10.0


def recorded(zone: str, now: datetime, days: int) -> History:
    """Return a history as from Prometheus: by the second in the last hour, else every 3 min."""
    now_s = int(now.timestamp())
    at_s = [*range(now_s - days * 86_400, now_s - 3_600, 180), *range(now_s - 3_600, now_s + 1)]
    return History(tuple(Sample(float(at), local_load(at - 0.5, zone)) for at in at_s))


SEASONAL = ForecastMethod.SEASONAL_NAIVE
MORNINGS = {
    "the Monday after the clocks went forward": ("Europe/Berlin", datetime(2026, 3, 30, 7, 59, 30)),
    "the Monday after they went back": ("Europe/Berlin", datetime(2026, 10, 26, 7, 59, 30)),
    "the same where it is half an hour": ("Australia/Lord_Howe", datetime(2026, 4, 6, 7, 59, 30)),
    "a Monday without a change": ("Asia/Kolkata", datetime(2026, 6, 8, 7, 59, 30)),
}


@pytest.mark.parametrize(("zone", "local"), MORNINGS.values(), ids=MORNINGS)
def test_half_a_minute_before_work_begins_the_week_says_so(zone: str, local: datetime) -> None:
    history = recorded(zone, local.replace(tzinfo=ZoneInfo(zone)), days=8)
    by_week, by_day = (
        quantile_forecast(SEASONAL, history, 60.0, 0.95, Calendar(season=season, zone=zone))
        for season in (Season.WEEK, Season.DAY)
    )
    assert by_week == pytest.approx(100.0, abs=1.0)
    assert by_day == pytest.approx(10.0, abs=1.0)


@pytest.mark.parametrize(
    ("local", "comes"),
    [(datetime(2026, 4, 1, 7, 59, 30), 100.0), (datetime(2026, 10, 28, 6, 59, 30), 10.0)],
    ids=["an hour late after spring", "an hour early after autumn"],
)
def test_told_by_utc_work_begins(local: datetime, comes: float) -> None:
    zone = "Europe/Berlin"
    history = recorded(zone, local.replace(tzinfo=ZoneInfo(zone)), days=8)
    by_its_clocks, by_utc = (
        quantile_forecast(SEASONAL, history, 60.0, 0.95, Calendar(zone=name))
        for name in (zone, "UTC")
    )
    assert by_its_clocks == pytest.approx(comes, abs=1.0)
    assert by_utc == pytest.approx(110.0 - comes, abs=1.0)


def test_virtual_time_begins_where_the_calendar_says() -> None:
    zone, local = MORNINGS["the Monday after the clocks went forward"]
    history = recorded(zone, local.replace(tzinfo=ZoneInfo(zone)), days=8)
    first_s = history.samples[0].at_s
    virtual = History(tuple(Sample(s.at_s - first_s, s.rps) for s in history.samples))
    calendar = Calendar(zone=zone, began_s=first_s)
    assert quantile_forecast(SEASONAL, virtual, 60.0, 0.95, calendar) == pytest.approx(100, abs=1)


def test_what_a_season_needs_is_asked_for() -> None:
    assert history_s(ForecastMethod.LAST_MAXIMUM, 60.0, Season.WEEK) == 1_800
    day_s = history_s(SEASONAL, 60.0, Season.DAY)
    assert 86_400 + 7_200 < day_s < 1.2 * 86_400
    assert history_s(SEASONAL, 60.0, Season.WEEK) == day_s + 6 * 86_400


@settings(max_examples=30, deadline=None)
@given(
    load=st.lists(st.floats(0, 500), min_size=60, max_size=900),
    season=st.sampled_from(list(Season)),
)
def test_while_there_is_no_season_ago_no_calendar_changes_what_is_said(
    load: list[float], season: Season
) -> None:
    history = History(tuple(Sample(float(at), rps) for at, rps in enumerate(load, 1)))
    told = Calendar(season=season, zone="Europe/Berlin", began_s=1.7e9)
    assert quantile_forecast(SEASONAL, history, 30.0, 0.9, told) == quantile_forecast(
        ForecastMethod.LAST_MAXIMUM, history, 30.0, 0.9
    )
