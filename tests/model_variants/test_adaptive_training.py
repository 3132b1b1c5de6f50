"""Training a SuperNet: small runs of the command, which can be interrupted, and twice the same."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infadapter_server.networks.adaptive import signals, training
from infadapter_server.networks.adaptive.elastic import Elastic
from infadapter_server.networks.adaptive.sandwich import Recipe, fit
from infadapter_server.networks.adaptive.search import Found, Search, front, thinned
from infadapter_server.networks.adaptive.shapes import MNIST1D
from infadapter_server.networks.adaptive.space import SubNet
from infadapter_server.networks.adaptive.supernet import NOTES, WEIGHTS_FILE, noted, open_supernet
from infadapter_server.networks.adaptive.training import Plan, train

RECIPE = Recipe(signals=96, epochs=2, batch=48, random_subnets=1)
QUICK = Plan(
    recipe=RECIPE,
    search=Search(at_random=1, rounds=1, changed=1),
    calibration=64,
    held_out=64,
    test=64,
    points=4,
)


@pytest.fixture(scope="module", autouse=True)
def small_lots() -> Iterator[None]:
    """A lot is drawn whole, however few of its signals are wanted: thousands take a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signals, "_LOT", 100)
        patch.setattr(signals, "_lot", cache(signals._lot.__wrapped__))
        yield


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def weights(network: Elastic) -> list[float]:
    return [float(parameter.detach().double().sum()) for parameter in network.parameters()]


def fitted(checkpoint: Path, show: Callable[[int, float], None] = lambda *_: None) -> Elastic:
    torch.manual_seed(1)
    network = Elastic(MNIST1D)
    drawn = signals.sample(RECIPE.signals, RECIPE.seed)
    fit(network, RECIPE, (torch.from_numpy(drawn[0]), torch.from_numpy(drawn[1])), checkpoint, show)
    return network


@pytest.mark.process
def test_a_small_run_ends_with_weights_that_load(tmp_path: Path) -> None:
    train(tmp_path, QUICK)
    assert sorted(file.name for file in tmp_path.iterdir()) == [NOTES, WEIGHTS_FILE]
    points = open_supernet(tmp_path).points
    assert 1 <= len(points) <= 4
    assert points[0].name == "subnet-1"
    assert noted(tmp_path)["recipe"]["signals"] == 96
    assert set(noted(tmp_path)) >= {"sha256", "points", "test_signals", "torch"}


@pytest.mark.process
def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def interrupt(seen: int, _: float) -> None:
        if seen > RECIPE.signals:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "a", interrupt)
    assert weights(fitted(tmp_path / "a")) == weights(fitted(tmp_path / "b"))


def test_an_interrupt_ends_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    result = CliRunner().invoke(training.main, ["--into", str(tmp_path)])
    assert (result.exit_code, result.output.endswith("from the last epoch.\n")) == (130, True)


def test_what_is_there_is_not_trained_again(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS_FILE).touch()
    result = CliRunner().invoke(training.main, ["--into", str(tmp_path)])
    assert result.output == "The SuperNet is there; --force trains it anew.\n"


def test_what_ships_was_trained_by_the_recipe() -> None:
    notes = noted()
    assert Recipe(**notes["recipe"]) == Recipe()
    assert notes["test_signals"] == Plan().test >= 10_000


def test_training_search_and_test_see_different_signals() -> None:
    lots = {seed: signals.sample(50, seed)[0].tobytes() for seed in (1, 20_000, 20_001)}
    assert len(set(lots.values())) == 3
    assert signals.sample(50, 1)[0].tobytes() == lots[1]


found = st.builds(
    Found,
    st.just(SubNet(1.0, ())),
    st.integers(1, 20).map(lambda n: n / 20),
    st.integers(1, 20).map(float),
)


@given(st.lists(found, min_size=1, max_size=30))
def test_the_front_is_what_nothing_dominates(every: list[Found]) -> None:
    def dominated(one: Found) -> bool:
        return any(
            other.accuracy >= one.accuracy
            and other.seconds <= one.seconds
            and (other.accuracy, other.seconds) != (one.accuracy, one.seconds)
            for other in every
        )

    wanted = {(each.seconds, each.accuracy) for each in every if not dominated(each)}
    best = front(every)
    assert [(each.seconds, each.accuracy) for each in best] == sorted(wanted)


@given(st.lists(found, min_size=1, max_size=30), st.integers(1, 10))
def test_thinning_keeps_the_fastest_and_the_most_accurate(every: list[Found], most: int) -> None:
    best = front(every)
    kept = thinned(best, most)
    assert len(kept) == min(len(best), max(2, most))
    assert (kept[0], kept[-1]) == (best[0], best[-1])
    assert kept == [each for each in best if each in kept]


def test_without_the_generator_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'mnist1d'", name="mnist1d")

    monkeypatch.setattr(training, "train", missing)
    result = CliRunner().invoke(training.main, ["--into", str(tmp_path)])
    assert result.exit_code == 1
    assert "pip install mnist1d" in result.output
