import sys

import numpy as np
import pytest

from infadapter_forecasting import HoltWinters, NotInstalled


def test_without_statsmodels_a_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.tsa.holtwinters", None)
    with pytest.raises(NotInstalled, match=r"pip install 'infadapter\[forecast\]'"):
        HoltWinters().fit(np.random.default_rng(0).poisson(50, 1_000).astype(float))


def test_its_states_are_those_of_statsmodels() -> None:
    holtwinters = pytest.importorskip("statsmodels.tsa.holtwinters")
    buckets = 50 + np.cumsum(np.random.default_rng(0).normal(size=120))
    model = holtwinters.ExponentialSmoothing(
        buckets,
        trend="add",
        damped_trend=True,
        initialization_method="known",
        initial_level=buckets[0],
        initial_trend=0.0,
    )
    fixed = model.fit(smoothing_level=0.4, smoothing_trend=0.1, damping_trend=0.9, optimized=False)
    ours = HoltWinters(level_weight=0.4, trend_weight=0.1, damping=0.9)
    found = ours.predict(np.repeat(buckets, 5), 60, (0.5,))
    assert found == pytest.approx([fixed.forecast(12).max()], rel=1e-6)


def test_the_steadier_the_load_the_less_a_bucket_weighs() -> None:
    pytest.importorskip("statsmodels")
    random = np.random.default_rng(0)
    steady = random.poisson(60, 3_000).astype(float)
    wandering = np.maximum(60 + np.repeat(np.cumsum(random.normal(0, 3, 600)), 5), 0)
    fitted = HoltWinters().fit(steady), HoltWinters().fit(wandering)
    assert fitted[0].level_weight < 0.2 < fitted[1].level_weight


def test_a_short_or_constant_history_changes_no_constants() -> None:
    assert HoltWinters().fit(np.full(2_000, 3.0)) == HoltWinters()
    assert HoltWinters().fit(np.arange(100.0)) == HoltWinters()
