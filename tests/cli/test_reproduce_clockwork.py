"""`infadapter reproduce clockwork`: each section for a moment, and what it says of itself."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main
from infadapter.commands.reproduce_clockwork import ALL

TABLE = "model,weights_mb,load_ms,b1_ms,b2_ms,b4_ms\na,20,2,1,1.5,2\nb,40,4,2,3,5\n"


def run(tmp_path: Path, *arguments: str) -> Result:
    output = ("--output", str(tmp_path / "pictures"))
    result = CliRunner().invoke(main, ["reproduce", "clockwork", *arguments, *output])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


@pytest.mark.parametrize("experiment", sorted(set(ALL) - {"2", "6.5", "6.6"}))
def test_each_section_prints_a_table_and_draws_a_picture(tmp_path: Path, experiment: str) -> None:
    result = run(tmp_path, "--experiment", experiment, "--minutes", "0.01")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"§{experiment} ")
    assert "not published as a number" in result.stdout
    assert (tmp_path / "pictures" / f"clockwork-{experiment}.png").stat().st_size > 10_000


def test_scale_has_the_published_figure_beside_its_own(tmp_path: Path) -> None:
    result = run(tmp_path, "--experiment", "6.6", "--minutes", "0.01", "--format", "json")
    rows = json.loads(result.stdout)["rows"]
    assert [row["published r/s"] for row in rows if row["workers"] == "110"] == ["103,387"]


def test_one_at_a_time_is_measured_here(tmp_path: Path) -> None:
    result = run(tmp_path, "--experiment", "2", "--minutes", "0.01", "--format", "json")
    rows = json.loads(result.stdout)["rows"]
    assert [row["at a time"] for row in rows] == ["1", "2", "4", "8"]
    assert all(int(row["inferences"].replace(",", "")) > 0 for row in rows)


def test_nothing_accepted_is_late_in_the_trace_and_a_table_may_be_given(tmp_path: Path) -> None:
    table = tmp_path / "models.csv"
    table.write_text(TABLE)
    options = ("--minutes", "0.01", "--table", str(table), "--format", "json")
    result = run(tmp_path, "--experiment", "6.5", *options)
    found = json.loads(result.stdout)
    assert [row["late"] for row in found["rows"]] == ["0", "0", "0"]
    assert "2 networks of the published table stand for its 61." in found["said"][0]
    assert "not published as a number" in found["said"][-1]
    assert (tmp_path / "pictures" / "clockwork-6.5.png").stat().st_size > 10_000


def test_a_table_that_is_none_is_said_so(tmp_path: Path) -> None:
    table = tmp_path / "models.csv"
    table.write_text("nothing\n")
    result = run(tmp_path, "--experiment", "6.5", "--quick", "--table", str(table))
    assert result.exit_code == 2
    assert "models.csv" in result.stderr


def test_what_is_imported_late_and_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run(tmp_path, "--experiment", "2", "--minutes", "0.02")
    assert result.exit_code == 1
    assert "infadapter reproduce needs torch, which is not installed: pip install" in result.stderr
