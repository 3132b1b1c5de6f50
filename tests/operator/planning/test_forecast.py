import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.load import History, Sample
from infadapter_operator.domain.service import ForecastMethod
from infadapter_operator.planning.forecast import (
    FORECASTERS,
    SEASON_S,
    exponential,
    last_maximum,
    past_errors,
    quantile_forecast,
    seasonal_naive,
)
from infadapter_operator.planning.rates import BUCKET_S, bucketed, highest_rps, rate_now_rps

loads = st.lists(st.floats(0, 500), min_size=1, max_size=300)


def every_second(*pieces: tuple[int, float], end_s: float = 1000.0) -> tuple[Sample, ...]:
    """`pieces` are (seconds, rps), the last of them ends at `end_s`."""
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


def test_last_maximum_is_the_highest_bucket_of_as_long_ago() -> None:
    samples = every_second((30, 90.0), (30, 10.0), (30, 20.0))
    assert last_maximum(samples, 60.0, 1000.0) == 20.0
    assert last_maximum(samples, 90.0, 1000.0) == 90.0


def test_exponential_weighs_what_is_recent_more() -> None:
    rising = every_second((60, 10.0), (60, 30.0))
    assert 20.0 < exponential(rising, 60.0, 1000.0) < 30.0


def test_seasonal_naive_looks_at_what_followed_a_day_ago() -> None:
    a_day_ago = every_second((60, 70.0), end_s=SEASON_S + 60)
    samples = (*a_day_ago, *every_second((60, 10.0), end_s=2 * SEASON_S))
    assert seasonal_naive(samples, 60.0, 2 * SEASON_S) == 70.0


def test_seasonal_naive_falls_back_while_there_is_no_day() -> None:
    samples = every_second((60, 10.0))
    assert seasonal_naive(samples, 60.0, 1000.0) == last_maximum(samples, 60.0, 1000.0)


def test_few_errors_give_a_tenth_of_headroom() -> None:
    history = History(every_second((60, 10.0)))
    expected = quantile_forecast(ForecastMethod.LAST_MAXIMUM, history, 30.0, 0.95, 1000.0)
    assert expected == pytest.approx(11.0)


def test_a_constant_load_has_no_errors_and_needs_no_headroom() -> None:
    history = History(every_second((600, 10.0)))
    expected = quantile_forecast(ForecastMethod.LAST_MAXIMUM, history, 30.0, 0.95, 1000.0)
    assert expected == pytest.approx(10.0)


def test_the_quantile_is_of_the_errors_that_were_made() -> None:
    """Every other minute the load jumps by 20, so half of the forecasts were 20 too low or high."""
    history = History(every_second(*[(60, 10.0), (60, 30.0)] * 8))
    method = ForecastMethod.LAST_MAXIMUM
    low, high = (quantile_forecast(method, history, 30.0, q, 1000.0) for q in (0.5, 0.99))
    assert low == pytest.approx(30.0)
    assert high == pytest.approx(50.0)


def test_errors_are_judged_only_where_the_whole_horizon_has_come() -> None:
    buckets = bucketed(every_second((100, 10.0)))
    assert len(past_errors(last_maximum, buckets, 30.0)) < len(buckets) - 2 * 30.0 / BUCKET_S + 2


@settings(max_examples=60, deadline=None)
@given(
    load=loads,
    method=st.sampled_from([*FORECASTERS, ForecastMethod.QUANTILE_NETWORK]),
    quantile=st.floats(0.01, 0.99),
)
def test_a_forecast_is_a_rate_and_grows_with_its_quantile(
    load: list[float], method: ForecastMethod, quantile: float
) -> None:
    history = History(tuple(Sample(float(at), rps) for at, rps in enumerate(load)))
    now_s = float(len(load) - 1)
    lower = quantile_forecast(method, history, 20.0, quantile / 2, now_s)
    upper = quantile_forecast(method, history, 20.0, quantile, now_s)
    assert 0.0 <= lower <= upper + 1e-9


@settings(max_examples=60, deadline=None)
@given(load=loads, method=st.sampled_from(list(FORECASTERS)))
def test_a_forecaster_stays_within_what_it_has_seen(
    load: list[float], method: ForecastMethod
) -> None:
    samples = tuple(Sample(float(at), rps) for at, rps in enumerate(load))
    expected = FORECASTERS[method](samples, 20.0, float(len(load) - 1))
    assert min(load) - 1e-6 <= expected <= max(load) + 1e-6
