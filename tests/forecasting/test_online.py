import time
from collections.abc import Sequence

import numpy as np
import pytest

from infadapter_forecasting import (
    Calibration,
    Exponential,
    HoltWinters,
    LastMaximum,
    OnlineForecast,
    QuantileNetwork,
    Rule,
)
from infadapter_forecasting.forecaster import Forecaster

SHORT = Calibration(window_s=600)


def load(seconds: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    level = 50 * np.exp(np.cumsum(random.normal(0, 0.004, seconds)))
    return random.poisson(level).astype(float)


def methods() -> Sequence[Forecaster]:
    return [LastMaximum(), QuantileNetwork.read(), HoltWinters(), Exponential()]


def online(calibration: Calibration = SHORT, horizon_s: int = 60) -> OnlineForecast:
    return OnlineForecast(
        methods(), horizon_s=horizon_s, calibration=calibration, rule=Rule(window_s=300)
    )


@pytest.mark.parametrize("horizon_s", [12, 60])
def test_built_afresh_it_says_what_it_said_as_time_went_on(horizon_s: int) -> None:
    history = load(8_000)
    growing = online(horizon_s=horizon_s)
    random = np.random.default_rng(1)
    end = 0
    while end < 7_900:
        end += int(random.integers(1, 9))
        growing.observe(history[max(0, end - 60) : end], end)
    fresh = online(horizon_s=horizon_s)
    assert fresh.history_s < end
    fresh.observe(history[end - fresh.history_s : end], end)
    assert growing.forecast().rps == pytest.approx(fresh.forecast().rps)
    assert growing.forecast().method == fresh.forecast().method
    assert growing.by_method() == pytest.approx(fresh.by_method())


def test_known_seconds_are_skipped_and_a_gap_starts_it_again() -> None:
    history = load(3_000)
    once, again, gap = online(), online(), online()
    for each in (once, again, gap):
        each.observe(history[:2_000], 2_000)
    once.observe(history[2_000:2_005], 2_005)
    again.observe(history[1_000:2_005], 2_005)
    assert once.forecast() == again.forecast()
    gap.observe(history[2_900:], 3_000)
    fresh = online()
    fresh.observe(history[2_900:], 3_000)
    assert gap.forecast() == fresh.forecast()


def test_the_first_second_is_enough_for_an_answer() -> None:
    young = online()
    young.observe(np.array([20.0]), 1_000_000_001)
    found = young.forecast()
    assert found.rps == pytest.approx(22.0)
    assert found.method == "LastMaximum"
    assert found.coverage is None


def test_the_better_method_comes_to_be_believed() -> None:
    at = np.arange(7_200)
    saw = 100.0 + np.where(at % 400 < 200, 50.0, 0.0) * np.exp(-(at % 200) / 30)
    history = np.random.default_rng(0).poisson(saw).astype(float)
    pair = OnlineForecast(
        [Exponential(), QuantileNetwork.read()],
        horizon_s=15,
        quantile=0.5,
        rule=Rule(window_s=3_600),
    )
    pair.observe(history, len(history))
    assert pair.forecast().method == "QuantileNetwork"


def test_what_it_said_covers_what_it_was_asked() -> None:
    history = np.random.default_rng(0).poisson(60, 14_000).astype(float)
    steady = OnlineForecast(methods(), horizon_s=15, quantile=0.9)
    steady.observe(history, len(history))
    assert steady.forecast().coverage == pytest.approx(0.9, abs=0.03)


def test_a_look_is_cheap() -> None:
    history = load(6_000)
    growing = online(Calibration())
    growing.observe(history[:5_000], 5_000)
    start = time.process_time()
    for end in range(5_002, 5_602, 2):
        growing.observe(history[end - 30 : end], end)
        growing.forecast()
    assert (time.process_time() - start) / 300 < 0.005


def test_before_anything_was_observed_there_is_no_forecast() -> None:
    with pytest.raises(ValueError, match="nothing has been observed"):
        online().forecast()
