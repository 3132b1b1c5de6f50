import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting.rates import buckets_in, every, highest_after, per_second

RATES = st.lists(st.integers(0, 500), min_size=1, max_size=80).map(
    lambda counts: np.array(counts, dtype=float)
)


@given(rates=RATES, horizon_s=st.integers(1, 40), bucket_s=st.integers(1, 7))
def test_the_highest_bucket_is_that_of_a_loop_over_buckets(
    rates: np.ndarray, horizon_s: int, bucket_s: int
) -> None:
    starts = np.arange(-2, len(rates) + 2)
    found = highest_after(rates, starts, horizon_s, bucket_s)
    count = buckets_in(horizon_s, bucket_s)
    for start, highest in zip(starts, found, strict=True):
        end = start + count * bucket_s
        if start < 0 or end > len(rates):
            assert np.isnan(highest)
        else:
            assert highest == pytest.approx(
                max(rates[start:end].reshape(count, bucket_s).mean(axis=1))
            )


def test_a_horizon_is_rounded_up_to_whole_buckets() -> None:
    assert [buckets_in(horizon_s, 5) for horizon_s in (1, 5, 6, 12, 60)] == [1, 1, 2, 3, 12]


def test_a_sample_stands_for_the_time_that_ends_with_it() -> None:
    rates = per_second(np.array([2.0, 5.0, 6.0]), np.array([10.0, 20.0, 30.0]), 6.0, 10)
    assert rates.tolist() == [10, 20, 20, 20, 30]


def test_after_the_last_sample_its_rate_goes_on() -> None:
    rates = per_second(np.array([1.0, 2.0]), np.array([4.0, 8.0]), 5.0, 4)
    assert rates.tolist() == [8, 8, 8, 8]


def test_without_samples_there_are_no_seconds() -> None:
    assert len(per_second(np.zeros(0), np.zeros(0), 5.0, 4)) == 0


def test_origins_end_with_the_history() -> None:
    assert every(23, 5).tolist() == [3, 8, 13, 18, 23]
