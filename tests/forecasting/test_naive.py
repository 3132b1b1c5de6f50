import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting import Exponential, HoltWinters, LastMaximum, SeasonalNaive
from infadapter_forecasting.forecaster import Forecaster

METHODS: list[Forecaster] = [
    LastMaximum(),
    SeasonalNaive(season_s=300),
    Exponential(),
    HoltWinters(),
]


def by_name(method: Forecaster) -> str:
    return method.name


@pytest.mark.parametrize("method", METHODS, ids=by_name)
@given(
    counts=st.lists(st.integers(0, 300), min_size=1, max_size=700),
    horizon_s=st.sampled_from([5, 12, 60, 120]),
)
def test_many_origins_at_once_say_what_each_says_alone(
    method: Forecaster, counts: list[int], horizon_s: int
) -> None:
    history = np.array(counts, dtype=float)
    origins = np.unique(np.linspace(1, len(history), 5).astype(int))
    together = method.predict_many(history, origins, horizon_s, (0.5, 0.9))
    alone = [method.predict(history[:end], horizon_s, (0.5, 0.9)) for end in origins]
    assert together == pytest.approx(np.array(alone), abs=1e-6)


@pytest.mark.parametrize("method", METHODS, ids=by_name)
@pytest.mark.parametrize("length_s", [1, 3, 40, 2_000])
def test_a_constant_load_stays_what_it_is(method: Forecaster, length_s: int) -> None:
    for horizon_s in (5, 15, 60, 120):
        found = method.fit(np.full(length_s, 42.0)).predict(
            np.full(length_s, 42.0), horizon_s, (0.5, 0.95)
        )
        assert found == pytest.approx([42.0, 42.0])


def test_the_last_maximum_is_of_buckets_not_of_seconds() -> None:
    history = np.full(120, 10.0)
    history[90] = 60.0
    assert LastMaximum().predict(history, 60, (0.5,)) == pytest.approx([20.0])
    assert LastMaximum(bucket_s=1).predict(history, 60, (0.5,)) == pytest.approx([60.0])


def test_the_season_is_that_of_a_day_ago() -> None:
    history = np.full(86_400 + 50, 10.0)
    history[60:65] = 80.0
    assert SeasonalNaive().predict(history, 15, (0.5,)) == pytest.approx([80.0])


def test_without_a_day_ago_the_last_maximum_stands_in() -> None:
    history = np.concatenate((np.full(1_000, 10.0), np.full(10, 50.0)))
    assert SeasonalNaive().predict(history, 60, (0.5,)) == pytest.approx([50.0])


def test_a_second_of_a_horizon_ago_weighs_half() -> None:
    history = np.zeros(120)
    history[-1], history[-61] = 1.0, 1.0
    last, older = (
        Exponential().predict(np.where(np.arange(120) == at, 1.0, 0.0), 60, (0.5,))[0]
        for at in (119, 59)
    )
    assert older / last == pytest.approx(0.5)


def test_holt_winters_follows_a_ramp() -> None:
    rising = np.linspace(10, 200, 1_200)
    fitted = HoltWinters().fit(rising)
    assert fitted.predict(rising, 60, (0.5,))[0] > 203
    assert fitted.predict(rising[::-1], 60, (0.5,))[0] < 12
