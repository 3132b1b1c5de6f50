import numpy as np
import pytest

from infadapter_forecasting import (
    AUTO,
    Exponential,
    LastMaximum,
    QuantileNetwork,
    Question,
    SeasonalNaive,
    backtest,
    table,
)

STEADY = np.random.default_rng(0).poisson(60, 14_400).astype(float)


def jumps() -> np.ndarray:
    rates = np.full(3_600, 20.0)
    rates[1_800:2_400] = 80.0
    return rates


def test_under_forecasts_have_a_depth_and_a_duration() -> None:
    result = backtest(jumps(), [LastMaximum()], question=Question(horizon_s=15), quantiles=(0.5,))
    score = result.score("LastMaximum", 0.5, calibrated=False)
    assert score.deepest_rps == pytest.approx(80 - 22)
    assert score.longest_s == pytest.approx(20, abs=5)
    assert score.coverage > 0.99
    assert score.pinball_rps > 0


def test_on_a_steady_load_every_calibrated_method_covers_what_is_asked() -> None:
    result = backtest(
        STEADY,
        [QuantileNetwork.read(), LastMaximum(), Exponential()],
        question=Question(horizon_s=15, warm_up_s=3_600),
    )
    for score in result.scores:
        if score.calibrated:
            assert score.coverage == pytest.approx(score.quantile, abs=0.03)


def test_auto_is_never_much_worse_than_the_best_method() -> None:
    methods = [Exponential(), LastMaximum(), QuantileNetwork.read()]
    result = backtest(STEADY, methods, question=Question(horizon_s=60, warm_up_s=7_200))
    for quantile in (0.5, 0.9, 0.95):
        best = min(result.score(m.name, quantile).pinball_rps for m in methods)
        assert result.score(AUTO, quantile).pinball_rps <= 1.25 * best


def test_the_season_is_worth_something_where_there_is_one() -> None:
    at = np.arange(6 * 600)
    wave = 100 + 80 * np.sin(2 * np.pi * at / 600)
    methods = [SeasonalNaive(season_s=600), LastMaximum()]
    result = backtest(wave, methods, question=Question(warm_up_s=700), quantiles=(0.5,))
    seasonal = result.score("SeasonalNaive", 0.5)
    assert seasonal.pinball_rps < result.score("LastMaximum", 0.5).pinball_rps


def test_the_published_target_can_be_asked() -> None:
    question = Question(horizon_s=60, bucket_s=1)
    ones = backtest(STEADY, [LastMaximum(bucket_s=1)], question=question)
    fives = backtest(STEADY, [LastMaximum()], question=Question())
    assert ones.came_rps > fives.came_rps + 5


def test_a_trace_too_short_to_score_gives_no_score_and_no_warning() -> None:
    result = backtest(STEADY[:300], [LastMaximum()])
    assert result.origins == 0
    assert "0 times" in table(result)


def test_the_table_has_a_line_for_each_score_the_best_first() -> None:
    result = backtest(STEADY[:3_600], [LastMaximum(), Exponential()], quantiles=(0.9,))
    lines = table(result).splitlines()
    assert len(lines) == 4 + len(result.scores)
    losses = [float(line.split("0.9", 1)[1].split()[0]) for line in lines[4:]]
    assert losses == sorted(losses)
    assert any(line.startswith("Exponential, uncalibrated") for line in lines)
    assert any(line.startswith("Auto ") for line in lines)
