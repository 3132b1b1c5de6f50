"""What a capacity misses, of a fluid that waits no longer than the SLO."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting.overflow import overflow

RATES = st.lists(st.floats(0, 200), min_size=1, max_size=60).map(np.array)


def missed(*rates: float, able_rps: float = 80.0) -> float:
    return overflow(np.array(rates), np.full(len(rates), able_rps), 0.75)


def test_what_waits_no_longer_than_the_slo_is_served() -> None:
    assert missed(140.0, 20.0) == 0


def test_beyond_that_all_excess_is_missed() -> None:
    assert missed(*[90.0] * 100) == pytest.approx(100 * 10 - 0.75 * 80)


@given(RATES, st.floats(1, 200))
def test_it_is_no_more_than_the_sum_of_what_exceeds_the_capacity(
    rates: np.ndarray[tuple[int], np.dtype[np.float64]], able_rps: float
) -> None:
    able = np.full(len(rates), able_rps)
    assert 0 <= overflow(rates, able, 0.75) <= (rates - able).clip(min=0).sum() + 1e-6
