"""`infadapter reproduce sushi`: simulated and measured, as a table or as JSON."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main


def run(tmp_path: Path, *arguments: str) -> Result:
    output = ("--output", str(tmp_path / "pictures"))
    result = CliRunner().invoke(main, ["reproduce", "sushi", *arguments, *output])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def test_experiments_that_are_named_are_printed_and_drawn(tmp_path: Path) -> None:
    named = ("--experiment", "published", "--experiment", "resnet50")
    result = run(tmp_path, *named, "--queries", "8")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("SUSHI beside its published figures, simulated")
    assert "by its calibration, simulated" in result.stdout
    assert (tmp_path / "pictures" / "sushi-published.png").stat().st_size > 10_000
    assert "The pictures are" in result.stderr


@pytest.mark.process
def test_the_measured_one_runs_the_networks_here(tmp_path: Path) -> None:
    result = run(tmp_path, "--experiment", "cpu", "--queries", "2", "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)[0]
    assert found["said"][0].startswith("Measured on this machine")
    executed = [row for row in found["rows"] if row["system"].endswith(", run")]
    assert len(executed) == 4
    assert all(float(row["latency ms"]) > 0 for row in executed)


def test_an_experiment_that_there_is_not_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, "--experiment", "gpu")
    assert result.exit_code == 2
    assert "gpu" in result.stderr
