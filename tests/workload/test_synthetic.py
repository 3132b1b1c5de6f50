import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_workload.synthetic import (
    KINDS,
    parse_synthetic,
    synthetic,
    training_traces,
)
from infadapter_workload.trace import Array, TraceError


def shares_near(rates: Array, level: float) -> float:
    return float((np.abs(rates - level) < 0.2 * level).mean())


def autocorrelation(values: Array, lag: int) -> float:
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_load_is_what_the_examples_can_serve(kind: str) -> None:
    for seed in range(25):
        trace = synthetic(kind, seed)
        assert trace.seconds == 3600
        assert 40 <= trace.mean_rps <= 150
        assert trace.peak_rps <= 300.001
        assert not trace.counted


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_load_and_another_seed_another(kind: str) -> None:
    rates = synthetic(kind, 7).rates
    assert np.array_equal(rates, synthetic(kind, 7).rates)
    assert abs(np.corrcoef(rates, synthetic(kind, 8).rates)[0, 1]) < 0.95


@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**60),
    seconds=st.integers(1, 5000),
    mean_rps=st.floats(0.01, 2000),
)
@settings(max_examples=60, deadline=None)
def test_any_length_and_mean_can_be_asked_for(
    kind: str, seed: int, seconds: int, mean_rps: float
) -> None:
    trace = synthetic(kind, seed, seconds, mean_rps)
    assert trace.seconds == seconds
    assert trace.mean_rps == pytest.approx(mean_rps)
    assert trace.rates.min() > 0


def test_smooth_load_carries_a_little_noise_that_lasts_some_seconds() -> None:
    for seed in range(10):
        rates = synthetic("diurnal", seed).rates
        smooth = np.convolve(rates, np.ones(121) / 121, mode="valid")
        noise = rates[60:-60] / smooth - 1
        assert 0.005 < noise.std() < 0.08
        assert autocorrelation(noise, lag=1) > 0.6


def test_a_flash_crowd_comes_within_a_minute_and_leaves_over_minutes() -> None:
    for seed in range(20):
        rates = np.convolve(synthetic("flash-crowd", seed).rates, np.ones(5) / 5, mode="same")[3:-3]
        peak, top = int(rates[:3500].argmax()), rates[:3500].max()
        before = np.median(rates[max(0, peak - 400) : max(1, peak - 180)])
        assert top > 2 * before
        half = (top + before) / 2
        fell = int((rates[peak:] < half).argmax())
        rose = int((rates[:peak][::-1] < half).argmax())
        assert rose < 130
        assert 30 < fell < 900
        assert fell > rose / 3


def test_on_off_load_is_on_one_of_two_levels_and_switches_within_seconds() -> None:
    for seed in range(10):
        rates = synthetic("on-off", seed).rates
        low, high = np.quantile(rates, [0.02, 0.98])
        middle = np.sqrt(low * high)
        levels = [float(np.median(rates[rates < middle])), float(np.median(rates[rates > middle]))]
        assert 3 < levels[1] / levels[0] < 9
        assert sum(shares_near(rates, level) for level in levels) > 0.93


def test_a_regime_lasts_minutes_and_ends_from_one_second_to_the_next() -> None:
    jumps = [np.abs(np.diff(np.log(synthetic("regime-change", s).rates))).max() for s in range(20)]
    assert np.median(jumps) > 0.25


def test_heavy_tailed_load_is_bursty_on_every_scale() -> None:
    for seed in range(5):
        rates = synthetic("heavy-tail", seed, 14_400).rates
        by_minute, by_ten_minutes = (rates.reshape(-1, step_s).mean(axis=1) for step_s in (60, 600))
        # Of sessions without a heavy tail, ten minutes would level out two thirds of the swings.
        assert by_ten_minutes.std() > 0.35 * by_minute.std()


def test_a_text_names_a_synthetic_trace_with_or_without_a_seed() -> None:
    trace = parse_synthetic("synthetic:bursty:7")
    assert trace is not None
    assert trace.name == "synthetic:bursty:7"
    assert np.array_equal(trace.rates, synthetic("bursty", 7).rates)
    unseeded = parse_synthetic("synthetic:on-off", seconds=60, mean_rps=5)
    assert unseeded is not None
    assert np.array_equal(unseeded.rates, synthetic("on-off", 0, 60, 5).rates)
    assert parse_synthetic("traces/synthetic.csv") is None


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(TraceError, match="'lumpy'; there are diurnal, bursty, flash-crowd, ramps"):
        parse_synthetic("synthetic:lumpy:1")


@pytest.mark.parametrize("text", ["synthetic:bursty:x", "synthetic:bursty:-1", "synthetic:a:1:2"])
def test_a_text_that_only_begins_like_a_synthetic_trace_is_refused(text: str) -> None:
    with pytest.raises(TraceError, match="must be synthetic:KIND or synthetic:KIND:SEED"):
        parse_synthetic(text)


def test_a_length_or_mean_out_of_range_is_refused() -> None:
    for seconds in (0, -5, 10**9):
        with pytest.raises(TraceError, match="lasts from 1 to"):
            synthetic("ramps", 1, seconds)
    for mean in (0, -1, float("nan"), float("inf")):
        with pytest.raises(TraceError, match="number above 0"):
            synthetic("ramps", 1, mean_rps=mean)


def test_training_traces_are_counts_of_many_levels_and_some_hours() -> None:
    traces = training_traces(60, seed=1)
    assert all(2 * 3600 <= len(counts) <= 4 * 3600 for counts in traces)
    assert all(((counts % 1 == 0) & (counts >= 0)).all() for counts in traces)
    means = np.array([counts.mean() for counts in traces])
    assert means.min() < 5
    assert means.max() > 300
    assert means.max() < 1050


def test_more_training_traces_begin_with_the_same_ones() -> None:
    few, many = training_traces(2, seed=3), training_traces(4, seed=3)
    assert all(np.array_equal(one, other) for one, other in zip(few, many, strict=False))
    assert not np.array_equal(few[0], training_traces(1, seed=4)[0])
