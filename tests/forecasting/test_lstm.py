import numpy as np
import pytest

from infadapter_forecasting import PublishedLstm, ScaledLstm
from infadapter_forecasting.lstm import SHAPES, minute_maxima


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: 0.2 * random.standard_normal(shape) for name, shape in SHAPES.items()}


def test_it_sees_the_highest_second_of_each_of_ten_minutes_the_latest_last() -> None:
    history = np.zeros(900)
    history[-1] = 9.0
    history[-601] = 77.0
    history[-600] = 1.0
    assert minute_maxima(history, np.array([900])).tolist() == [[1, 0, 0, 0, 0, 0, 0, 0, 0, 9]]


def test_with_less_than_ten_minutes_a_weighted_mean_of_the_minutes_stands_in() -> None:
    history = np.concatenate((np.full(60, 10.0), np.full(60, 20.0)))
    decay = 1 - 2 / 11
    expected = (20 + decay * 10) / (1 + decay)
    assert PublishedLstm(weights=arrays()).predict(history, 60, (0.5,)) == pytest.approx([expected])


def test_the_first_minute_is_what_there_is_of_it() -> None:
    assert PublishedLstm(weights=arrays()).predict(np.full(20, 7.0), 60, (0.5,)) == pytest.approx(
        [7.0]
    )


def test_horizon_and_quantile_change_nothing() -> None:
    history = np.random.default_rng(0).poisson(60, 700).astype(float)
    lstm = PublishedLstm(weights=arrays())
    assert lstm.predict(history, 15, (0.5, 0.95)) == pytest.approx(
        lstm.predict(history, 60, (0.9, 0.99))
    )


def test_the_scaled_one_scales_with_the_load() -> None:
    history = np.random.default_rng(0).poisson(60, 700).astype(float)
    lstm = ScaledLstm(weights={**arrays(), "dense_bias": np.ones(1)})
    assert lstm.predict(50 * history, 60, (0.5,)) == pytest.approx(
        50 * lstm.predict(history, 60, (0.5,))
    )


def test_a_silent_load_is_forecast_without_a_warning() -> None:
    assert np.isfinite(ScaledLstm(weights=arrays()).predict(np.zeros(700), 60, (0.5,))).all()
