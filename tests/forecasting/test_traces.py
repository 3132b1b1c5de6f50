"""How the shipped network does on loads that it was not trained on."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from infadapter_forecasting import (
    Exponential,
    LastMaximum,
    QuantileNetwork,
    Question,
    SeasonalNaive,
    backtest,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
DAY_S = 86_400


def shared(name: str) -> Path:
    if not SHARED.is_dir():
        pytest.skip("the folder of shared data is not beside the repository")
    return SHARED / name


@pytest.fixture(scope="module")
def two_days() -> np.ndarray:
    """Days 10 and 11 of the Twitter trace, without the collector's gaps."""
    text = gzip.decompress(shared("twitter2021/requests_per_second_days_01_14.txt.gz").read_bytes())
    counts = np.array(text.split()[9 * DAY_S : 11 * DAY_S], dtype=float)
    silent = np.convolve(counts == 0, np.ones(10), mode="same") >= 10
    return counts[~silent]


@pytest.mark.parametrize("horizon_s", [15, 60])
def test_it_covers_what_is_asked_within_two_points_on_a_day_it_never_saw(
    two_days: np.ndarray, horizon_s: int
) -> None:
    question = Question(horizon_s=horizon_s, step_s=10, warm_up_s=len(two_days) - DAY_S)
    result = backtest(two_days, [QuantileNetwork.read()], question=question)
    for quantile in (0.5, 0.9, 0.95):
        found = result.score("QuantileNetwork", quantile)
        assert found.coverage == pytest.approx(quantile, abs=0.02)


@pytest.mark.parametrize("horizon_s", [15, 60])
def test_it_beats_the_simple_methods_on_a_day_it_never_saw(
    two_days: np.ndarray, horizon_s: int
) -> None:
    question = Question(horizon_s=horizon_s, step_s=20, warm_up_s=len(two_days) - DAY_S)
    simple = [LastMaximum(), Exponential(), SeasonalNaive()]
    result = backtest(two_days, [QuantileNetwork.read(), *simple], question=question)
    for quantile in (0.5, 0.9, 0.95):
        ours = result.score("QuantileNetwork", quantile)
        for method in simple:
            theirs = result.score(method.name, quantile)
            assert ours.pinball_rps < 1.05 * theirs.pinball_rps
