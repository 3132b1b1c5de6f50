import numpy as np

from infadapter_forecasting import Rule, chosen, pinball

RULE = Rule(margin=0.05, window_s=600, patience_s=100, least=30)


def noisy(means: list[float], count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.gamma(4.0, np.array(means) / 4.0, (count, len(means)))


def test_the_first_method_is_believed_while_nothing_is_known() -> None:
    assert not chosen(np.full((50, 3), np.nan), RULE, 5).any()


def test_a_challenger_that_is_clearly_better_is_believed_after_a_while() -> None:
    picks = chosen(noisy([2.0, 1.0], 400), RULE, 5)
    assert not picks[:40].any()
    assert picks[200:].all()


def test_a_challenger_within_the_margin_is_not() -> None:
    assert not chosen(noisy([1.0, 0.98], 4_000), Rule(), 5).any()


def test_what_may_be_chance_changes_nothing() -> None:
    alike = [chosen(noisy([1.0, 1.0, 1.0], 2_000, seed), Rule(), 5, 12.0) for seed in range(10)]
    assert sum(picks.any() for picks in alike) <= 1


def test_a_challenger_that_is_ahead_for_a_moment_is_not_believed() -> None:
    losses = np.ones((400, 2))
    losses[150:170, 1] = 0.2
    losses[170:, 1] = 2.0
    assert not chosen(losses, Rule(window_s=100, patience_s=200, least=10), 5).any()


def test_a_method_that_gets_worse_is_left_again() -> None:
    losses = np.concatenate((noisy([2.0, 1.0], 500), noisy([1.0, 2.0], 500, 1)))
    picks = chosen(losses, RULE, 5)
    assert picks[450] == 1
    assert picks[-1] == 0


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    came = np.random.default_rng(0).normal(size=20_000)
    at = np.linspace(0, 3, 61)
    losses = [pinball(came, np.full(len(came), rate), 0.9).mean() for rate in at]
    assert abs(at[int(np.argmin(losses))] - 1.28) < 0.1
