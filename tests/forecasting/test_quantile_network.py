import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting import QuantileNetwork, highest_after
from infadapter_forecasting.features import WINDOW_S, features
from infadapter_forecasting.quantile_network import HORIZONS_S

NETWORK = QuantileNetwork.read()
QUANTILES = (0.05, 0.3, 0.5, 0.9, 0.95, 0.99)
COUNTS = st.lists(st.integers(0, 300), min_size=1, max_size=100)


@given(counts=COUNTS, horizon_s=st.integers(1, 120))
def test_quantiles_never_cross_and_are_never_negative(counts: list[int], horizon_s: int) -> None:
    found = NETWORK.predict(np.array(counts, dtype=float), horizon_s, QUANTILES)
    assert np.isfinite(found).all()
    assert found[0] >= 0
    assert all(low <= high for low, high in pairwise(found))


def test_many_origins_at_once_say_what_each_says_alone() -> None:
    history = np.random.default_rng(0).poisson(40, WINDOW_S + 900).astype(float)
    origins = np.array([1, 7, 29, 30, 300, WINDOW_S, len(history)])
    together = NETWORK.predict_many(history, origins, 60, QUANTILES)
    alone = [NETWORK.predict(history[:end], 60, QUANTILES) for end in origins]
    assert together == pytest.approx(np.array(alone), abs=1e-6)


def test_what_came_after_an_origin_changes_nothing() -> None:
    history = np.random.default_rng(0).poisson(40, 900).astype(float)
    other = np.concatenate((history[:600], 10 * history[600:]))
    origins = np.arange(10, 601, 10)
    assert NETWORK.predict_many(other, origins, 60, QUANTILES) == pytest.approx(
        NETWORK.predict_many(history, origins, 60, QUANTILES)
    )


def test_older_seconds_than_its_window_change_nothing() -> None:
    history = np.random.default_rng(0).poisson(40, WINDOW_S + 600).astype(float)
    other = np.concatenate((np.full(600, 900.0), history[600:]))
    assert NETWORK.predict(other, 60, QUANTILES) == pytest.approx(
        NETWORK.predict(history, 60, QUANTILES)
    )


@pytest.mark.parametrize("rate_rps", [3, 20, 80, 400])
@pytest.mark.parametrize("horizon_s", [15, 60])
def test_a_steady_poisson_load_is_covered_as_asked(rate_rps: float, horizon_s: int) -> None:
    history = np.random.default_rng(0).poisson(rate_rps, 30_000).astype(float)
    origins = np.arange(WINDOW_S, len(history) - horizon_s, 5)
    came = highest_after(history, origins, horizon_s, 5)
    found = NETWORK.predict_many(history, origins, horizon_s, (0.5, 0.95))
    assert np.mean(came <= found[:, 0]) == pytest.approx(0.5, abs=0.15)
    assert np.mean(came <= found[:, 1]) == pytest.approx(0.95, abs=0.045)


def test_shorter_buckets_and_longer_horizons_reach_higher() -> None:
    history = np.random.default_rng(0).poisson(60, 2_000).astype(float)
    seconds = QuantileNetwork.read(bucket_s=1)
    fives = [NETWORK.predict(history, horizon_s, (0.95,))[0] for horizon_s in HORIZONS_S]
    ones = [seconds.predict(history, horizon_s, (0.95,))[0] for horizon_s in HORIZONS_S]
    assert all(short < long for short, long in pairwise(fives))
    assert all(five < one for five, one in zip(fives, ones, strict=True))


@given(counts=COUNTS, factor=st.sampled_from([1, 1_000_000]))
def test_features_are_of_the_order_of_one_at_any_scale(counts: list[int], factor: int) -> None:
    history = np.array(counts, dtype=float) * factor
    seen = features(history, np.array([len(history)]))
    assert np.abs(seen.inputs).max() < 25
    assert (seen.spread_rps > 0).all()


def test_an_answer_takes_less_than_a_few_milliseconds() -> None:
    history = np.random.default_rng(0).poisson(60, 3_000).astype(float)
    start = time.process_time()
    for _ in range(50):
        NETWORK.predict(history, 60, (0.95,))
    assert (time.process_time() - start) / 50 < 0.005
