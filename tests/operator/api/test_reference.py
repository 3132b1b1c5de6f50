from pathlib import Path

import pytest

from infadapter_operator.api.reference import main, reference, rows
from infadapter_operator.api.schema import crds

COMMITTED = Path(__file__).parents[3] / "docs/api.md"
PARTS = [
    (part, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part])
    for crd in crds()
    for part in ("spec", "status")
]
ROWS = [row for part, schema in PARTS for row in rows(part, schema)]


LINES = reference().splitlines()


def line_of(path: str) -> str:
    found = [line for line in LINES if line.startswith(f"| `{path}` ")]
    return found[0]


def test_the_committed_reference_is_what_the_models_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--check", str(COMMITTED)]) == 0, capsys.readouterr().out


def test_a_reference_that_differs_is_named_and_then_rewritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "api.md"
    file.write_text("edited by hand")
    assert main(["--check", str(file)]) == 1
    assert "api.md" in capsys.readouterr().out
    assert file.read_text() == "edited by hand"
    assert main([str(file)]) == 0
    assert main(["--check", str(file)]) == 0


def test_every_field_says_what_it_is() -> None:
    assert [row.path for row in ROWS if not row.schema.get("description")] == []


def test_every_field_has_its_line() -> None:
    assert len(ROWS) > 100
    for row in ROWS:
        assert line_of(row.path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("spec.slo.latencyMilliseconds", ("integer", "required", "ms", "1 to 600000")),
        ("spec.objective.costWeight", ("decimal", '`"0.05"`', "at least 0")),
        ("spec.forecast.quantile", ("decimal", "above 0 and below 1")),
        ("spec.budget", ("map of quantity", "required", "cores, devices", "1 to 8 keys")),
        ("spec.mode", ('`"Auto"`', "Auto, Recommend, Paused")),
        ("spec.variants", ("each: exactly one of template and deploymentRef must be set",)),
        ("status.plan.plannedAt", ("time", "required")),
        ("spec.allocations[].points[].latencyMilliseconds", ("each: above 0 to 3600000",)),
    ],
)
def test_a_line_has_type_default_unit_and_bounds(path: str, words: tuple[str, ...]) -> None:
    assert [word for word in words if word not in line_of(path)] == []


def test_what_holds_between_fields_stands_above_their_table() -> None:
    assert "- `budget`: must name cpu, which every pod uses\n" in reference()


def test_no_cell_breaks_the_table() -> None:
    for line in reference().splitlines():
        if line.startswith("| `"):
            assert line.replace("\\|", "").count("|") == 7, line
