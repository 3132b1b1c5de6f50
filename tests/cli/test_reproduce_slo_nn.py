"""`infadapter reproduce slo-nn`: an experiment for a moment, and what can't be used."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main


def run(tmp_path: Path, *arguments: str) -> Result:
    folders = ("--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "pictures"))
    result = CliRunner().invoke(main, ["reproduce", "slo-nn", *arguments, *folders])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.process
def test_targets_are_printed_with_their_intervals_and_drawn(tmp_path: Path) -> None:
    result = run(tmp_path, "--experiment", "targets", "--quick", "--samples", "100")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("ACLO, 2,000 labels: one model, 5 targets")
    assert (tmp_path / "pictures" / "slo-nn-targets.png").stat().st_size > 10_000
    assert list((tmp_path / "cache" / "quick").glob("labels-2000-32.npz"))


def test_a_damaged_network_is_refused_with_what_to_do(tmp_path: Path) -> None:
    damaged = tmp_path / "cache" / "quick" / "labels-2000-32.npz"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not weights")
    result = run(tmp_path, "--experiment", "targets", "--quick")
    assert result.exit_code == 2
    assert "labels-2000-32.npz is damaged" in result.stderr
    assert "delete it and make it anew." in result.stderr


def test_an_unknown_experiment_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    result = run(tmp_path, "--experiment", "nope")
    assert result.exit_code == 2
    assert "'interference'" in result.stderr
