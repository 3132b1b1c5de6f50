"""`infadapter reproduce superserve`: for a moment each, and what it says of bad input."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main


def run(folder: Path, *arguments: str) -> Result:
    whole = ["reproduce", "superserve", *arguments, "--output", str(folder)]
    return CliRunner().invoke(main, whole)


@pytest.mark.parametrize("experiment", ["switching", "faults"])
def test_an_experiment_prints_its_table_beside_what_is_published_and_draws_it(
    experiment: str, tmp_path: Path
) -> None:
    result = run(tmp_path, "--experiment", experiment, "--quick", "--minutes", "0.003")
    assert result.exit_code == 0, result.output
    assert "Published: " in result.stdout
    assert "calibrated to the orderings printed" in result.stdout
    assert (tmp_path / f"superserve-{experiment}.png").stat().st_size > 10_000


def test_a_trace_of_your_own_is_replayed_in_its_shape(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("second,requests\n" + "".join(f"{s},{20 + s}\n" for s in range(60)))
    arguments = ("--experiment", "trace", "--trace", str(trace), "--minutes", "0.003")
    result = run(tmp_path, *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert {row["policy"] for row in facts["rows"]} >= {"ours", "SlackFit", "fixed 80.16"}
    assert any("closes" in sentence for sentence in facts["said"])


@pytest.mark.parametrize(
    "arguments",
    [("--experiment", "trace"), ("--experiment", "bursty", "--trace", "some.csv")],
)
def test_a_trace_is_for_its_experiment_and_the_experiment_needs_one(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert "Experiment `trace` needs --trace" in result.output
