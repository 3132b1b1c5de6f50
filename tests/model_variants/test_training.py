"""The training script: small runs of it end with weights, a measured accuracy, and no surprises."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infadapter_server.networks import ladder, training
from infadapter_server.networks.training import Recipe, learning_rate

QUICK = Recipe(seed=1, grown_from=None, images=160, peak_rate=1e-3)


def test_a_trained_rung_is_written_and_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training.train_rung("glyph-1", QUICK, tmp_path, test_images=60)
    note = json.loads((tmp_path / "ladder.json").read_text())["glyph-1"]
    assert 0 <= note["accuracy"] <= 1
    assert (note["test_images"], note["images"], note["seed"]) == (60, 160, 1)
    assert training.measure(ladder.build("glyph-1", tmp_path), 60) == pytest.approx(
        note["accuracy"], abs=1e-5
    )
    assert sorted(file.name for file in tmp_path.iterdir()) == ["glyph-1.pt", "ladder.json"]
    assert "glyph-1      160 of 160 images" in capsys.readouterr().out


def test_training_twice_gives_the_same_network(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        training.train_rung("glyph-1", QUICK, folder, test_images=10)
    states = [ladder.build("glyph-1", tmp_path / folder).state_dict() for folder in "ab"]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.process
def test_a_rung_grows_from_the_one_in_the_same_folder(tmp_path: Path) -> None:
    training.train_rung("glyph-3", QUICK, tmp_path, test_images=10)
    grown = Recipe(seed=1, grown_from="glyph-3", images=64, peak_rate=1e-9)
    training.train_rung("glyph-4", grown, tmp_path, test_images=10)
    before, after = ladder.build("glyph-3", tmp_path), ladder.build("glyph-4", tmp_path)
    torch.testing.assert_close(after.head.weight, before.head.weight)


def test_what_is_there_is_not_trained_again(tmp_path: Path) -> None:
    training.train_rung("glyph-1", QUICK, tmp_path, test_images=10)
    before = (tmp_path / "glyph-1.pt").stat().st_mtime_ns
    result = CliRunner().invoke(training.main, ["--into", str(tmp_path), "glyph-1"])
    assert result.exit_code == 0
    assert result.output == "glyph-1  is there; --force trains it anew\n"
    assert (tmp_path / "glyph-1.pt").stat().st_mtime_ns == before


def test_an_interrupt_ends_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "fit", interrupted)
    result = CliRunner().invoke(training.main, ["--into", str(tmp_path)])
    assert result.exit_code == 130
    assert result.output.endswith("the same command goes on from there.\n")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_rung_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(training.main, ["--into", str(tmp_path), "glyph-9"])
    assert result.exit_code == 2
    assert "glyph-1" in result.output


def test_no_training_image_can_be_a_test_image_and_no_two_rungs_share_theirs() -> None:
    lots = [
        set(training.lots(seed, recipe.images))
        for recipe in training.RECIPES.values()
        for seed in training.round_seeds(recipe)
    ]
    assert sum(map(len, lots)) == len(set[int]().union(*lots))
    assert all(min(lot) >= 1_000_000 > training.TEST_SEED for lot in lots)


def test_the_ladder_states_what_its_recipes_say() -> None:
    for name, recipe in training.RECIPES.items():
        note = ladder.measured()[name]
        stated = Recipe(
            **{field.name: note[field.name] for field in fields(Recipe) if field.name in note},
            peak_rate=recipe.peak_rate,
        )
        assert stated == recipe


@given(st.floats(0, 1))
def test_the_learning_rate_depends_on_progress_alone_and_ends_near_zero(done: float) -> None:
    assert 0 < learning_rate(done, 0.01) <= 0.01 + 1e-8
    assert learning_rate(1, 0.01) < 1e-8
    assert learning_rate(0.1, 0.01) == pytest.approx(0.01)
