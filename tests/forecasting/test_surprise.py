import numpy as np
import pytest

from infadapter_forecasting import surprise, surprises


def poisson(rate_rps: float, seconds: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rate_rps, seconds).astype(float)


def alarms(history: np.ndarray) -> int:
    changed = surprises(history, np.arange(1, len(history) + 1)).changed.astype(int)
    return int((np.diff(changed, prepend=0) == 1).sum())


@pytest.mark.parametrize("rate_rps", [5, 20, 45, 100, 200])
def test_a_steady_poisson_load_surprises_less_than_once_an_hour(rate_rps: float) -> None:
    assert alarms(poisson(rate_rps, 10 * 3_600)) < 10


def test_noisier_arrivals_surprise_little_more() -> None:
    random = np.random.default_rng(0)
    counts = random.negative_binomial(40, 0.5, 10 * 3_600).astype(float)  # twice Poisson's variance
    assert alarms(counts) < 20


@pytest.mark.parametrize("seed", range(20))
def test_a_jump_to_three_times_the_load_is_seen_within_two_seconds(seed: int) -> None:
    history = np.concatenate((poisson(45, 120, seed), poisson(130, 2, seed + 100)))
    found = surprise(history)
    assert found.changed
    assert found.rises
    assert found.before_rps == pytest.approx(45, rel=0.15)
    assert found.level_rps > 90


def test_after_a_while_the_level_is_known_well_and_then_it_is_the_usual_one() -> None:
    history = np.concatenate((poisson(45, 120), poisson(130, 200, 1)))
    after_20_s, much_later = surprise(history[:140]), surprise(history)
    assert after_20_s.changed
    assert after_20_s.level_rps == pytest.approx(130, rel=0.15)
    assert after_20_s.since_s == pytest.approx(20, abs=10)
    assert not much_later.changed
    assert much_later.since_s == 0


def test_a_fall_is_a_surprise_that_does_not_rise() -> None:
    found = surprise(np.concatenate((poisson(130, 120), poisson(45, 5, 1))))
    assert found.changed
    assert not found.rises


def test_a_small_change_is_none() -> None:
    assert not surprise(np.concatenate((np.full(300, 1_000.0), np.full(20, 1_150.0)))).changed


@pytest.mark.parametrize("length_s", [1, 2, 29])
def test_a_history_of_seconds_surprises_nobody(length_s: int) -> None:
    assert not surprise(poisson(50, length_s) * np.linspace(1, 9, length_s)).changed


def test_many_origins_say_what_each_says_alone() -> None:
    history = np.concatenate((poisson(30, 300), poisson(90, 60, 1), poisson(20, 200, 2)))
    origins = np.arange(1, len(history) + 1, 7)
    together = surprises(history, origins)
    for at, end in enumerate(origins):
        alone = surprise(history[:end])
        assert bool(together.changed[at]) == alone.changed
        assert together.level_rps[at] == pytest.approx(alone.level_rps)
