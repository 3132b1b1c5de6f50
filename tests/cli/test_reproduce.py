"""`infadapter reproduce`: on a few minutes of the authors' trace."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main
from infadapter_forecasting import PublishedLstm
from infadapter_forecasting.lstm import SHAPES
from infadapter_simulator.reproduction.reproduction import CASES

TRACE = Path(__file__).parents[2].parent / "shared/data/twitter2021/day15_bursty_1260s.csv"


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The two minutes around the step."""
    if not TRACE.exists():
        pytest.skip("the folder of shared data is not beside the repository")
    head, *rows = TRACE.read_text().splitlines()
    counts = [row.split(",")[1] for row in rows[560:680]]
    path = tmp_path_factory.mktemp("traces") / "step.csv"
    path.write_text("\n".join([head, *(f"{s},{n}" for s, n in enumerate(counts))]) + "\n")
    return str(path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["reproduce", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def test_the_table_has_all_systems_and_says_what_differs(trace: str, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    result = run("infadapter", "--trace", trace, "--seeds", "2", "--output", str(pictures))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(CASES)]] == [case[0] for case in CASES]
    assert "Where it differs:" in lines
    assert "Fitted: 40 ms of a core" in result.stdout
    assert sorted(path.suffix for path in pictures.iterdir()) == 3 * [".png"]
    assert "The pictures are" in result.stderr


def test_json_has_our_figures_beside_the_published_ones(trace: str, tmp_path: Path) -> None:
    result = run(
        *("infadapter", "--trace", trace, "--seeds", "1", "--format", "json"),
        *("--output", str(tmp_path)),
    )
    found = json.loads(result.stdout)
    assert [(row["system"], row["cost_weight"]) for row in found] == [*CASES]
    assert found[0]["published"]["cores"] == 12.3
    assert found[0]["mean"]["cores"] == pytest.approx(20.0)
    assert found[0]["seeds"] == 1


def test_an_lstm_can_stand_in_for_the_last_maximum(trace: str, tmp_path: Path) -> None:
    weights = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    lstm = tmp_path / "lstm.npz"
    PublishedLstm(weights=weights).write(lstm)
    arguments = ("infadapter", "--trace", trace, "--seeds", "1", "--output", str(tmp_path))
    assert run(*arguments, "--lstm", str(lstm)).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give --trace: requests per second of the Twitter trace's day 15"),
        (("--trace", "absent.csv"), "absent.csv cannot be read"),
        (("--trace", "absent.csv", "--lstm", "no.npz"), "no.npz can't be read: No such file"),
        (("--seeds", "0"), "Invalid value for '--seeds'"),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_sentence(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("infadapter", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_help_teaches_by_example() -> None:
    assert "reproduce infadapter --trace day15.csv" in run("--help").stdout
    text = run("infadapter", "--help").stdout
    assert "--lstm lstm.npz" in text
    assert "isn't shipped" in text
