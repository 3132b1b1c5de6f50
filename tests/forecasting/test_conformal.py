import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_forecasting import Calibration, Calibrator, Curves, LastMaximum, curves
from infadapter_forecasting.conformal import GRID, LEVELS, log_odds
from infadapter_forecasting.rates import every, highest_after


def spread_out(rows: int) -> Curves:
    """Forecasts of a standard normal distribution, far from 0, as `LEVELS` tell it."""
    rates = 50 + np.array([-1.645, -0.674, 0.0, 0.674, 1.282, 1.645, 1.960, 2.326])
    return Curves(rates_rps=np.tile(rates, (rows, 1)), is_point=False)


@given(st.floats(40, 60))
def test_the_rate_at_the_place_of_an_outcome_is_the_outcome(came_rps: float) -> None:
    said = spread_out(1)
    place = said.places(np.array([came_rps]))
    assert np.abs(place) <= 7
    if np.abs(place) < 7:
        assert said.at(place) == pytest.approx([came_rps])


def test_the_place_of_a_quantile_is_its_log_odds() -> None:
    said = spread_out(len(LEVELS))
    assert said.places(said.rates_rps[0].copy()) == pytest.approx(GRID)


def test_a_distribution_that_is_too_narrow_is_widened_to_its_coverage() -> None:
    random = np.random.default_rng(1)
    came = 50 + 1.4 * random.standard_normal(6_000)
    said = spread_out(len(came))
    calibrator = Calibrator(horizon_s=5, step_s=5)
    found = calibrator.forecasts(said, said.places(came), 0.95)
    assert np.mean(came <= 50 + 1.645) < 0.9
    assert np.mean(came[2_000:] <= found[2_000:]) == pytest.approx(0.95, abs=0.02)


def test_a_right_distribution_is_left_nearly_alone() -> None:
    random = np.random.default_rng(2)
    came = 50 + random.standard_normal(6_000)
    said = spread_out(len(came))
    found = Calibrator(horizon_s=5, step_s=5).forecasts(said, said.places(came), 0.9)
    assert np.abs(found - 51.28).max() < 0.35


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95])
def test_a_point_forecast_gets_its_quantile_from_its_errors(quantile: float) -> None:
    history = np.random.default_rng(3).poisson(60, 20_000).astype(float)
    origins = every(len(history), 5)
    came = highest_after(history, origins, 15, 5)
    said = curves(LastMaximum(), history, origins, 15)
    found = Calibrator(horizon_s=15, step_s=5).forecasts(said, said.places(came), quantile)
    late = ~np.isnan(came) & (origins > 4_000)
    assert np.mean(came[late] <= found[late]) == pytest.approx(quantile, abs=0.02)


def test_while_errors_are_unknown_a_point_is_taken_times_the_papers_headroom() -> None:
    history = np.full(100, 20.0)
    origins = every(len(history), 5)
    said = curves(LastMaximum(), history, origins, 60)
    places = said.places(highest_after(history, origins, 60, 5))
    found = Calibrator(horizon_s=60, step_s=5).forecasts(said, places, 0.95)
    assert found == pytest.approx(np.full(len(origins), 22.0))


def test_nothing_after_an_origin_changes_what_is_said_there() -> None:
    random = np.random.default_rng(4)
    history = random.poisson(60, 3_000).astype(float)
    changed = history.copy()
    changed[2_000:] *= 5

    def said(rates: np.ndarray) -> np.ndarray:
        origins = every(len(rates), 5)
        known = curves(LastMaximum(), rates, origins, 60)
        places = known.places(highest_after(rates, origins, 60, 5))
        calibrator = Calibrator(horizon_s=60, step_s=5, calibration=Calibration(window_s=600))
        return calibrator.forecasts(known, places, 0.9)[origins <= 2_000]

    assert said(changed) == pytest.approx(said(history))


def test_the_quantile_of_few_errors_is_a_little_higher() -> None:
    calibrator = Calibrator(horizon_s=60, step_s=5)
    said = Curves(rates_rps=np.zeros((1, len(LEVELS))) + 100 + GRID, is_point=True)
    known = np.full((1, calibrator.window), np.nan)
    known[0, -200:] = np.linspace(0, 1, 200)
    assert calibrator.corrected(said, known, 0.8)[0] > 100.8
    assert log_odds((0.5,)).tolist() == [0.0]
