"""`infadapter solve` where a profile has operating points, and a floor below which none counts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main

POINTS = (("deep", "0.9", "10"), ("middle", "0.85", "20"), ("shallow", "0.7", "40"))
ROW = """\
    - resources: {{cpu: "{cores}"}}
      operatingPoint: {point}
      capacity: [{{latencyMilliseconds: 750, percentile: 99, rps: "{rps}"}}]
"""
NET = """\
apiVersion: infadapter.io/v1alpha1
kind: VariantProfile
metadata: {name: net}
spec:
  accuracy: "0.9"
  loadSeconds: "5"
  operatingPoints:
""" + "".join(f'    - {{name: {name}, accuracy: "{a}"}}\n' for name, a, _ in POINTS)
PLAIN = """\
---
apiVersion: infadapter.io/v1alpha1
kind: VariantProfile
metadata: {name: plain}
spec:
  accuracy: "0.75"
  loadSeconds: "5"
  allocations:
    - resources: {cpu: "1"}
      capacity: [{latencyMilliseconds: 750, percentile: 99, rps: "30"}]
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    rows = "".join(
        ROW.format(cores=cores, point=point, rps=int(rps) * cores)
        for point, _, rps in POINTS
        for cores in (1, 2)
    )
    path = tmp_path / "profiles.yaml"
    path.write_text(f"{NET}  allocations:\n{rows}{PLAIN}")
    return path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def solve(profiles: Path, *arguments: object) -> Any:
    result = run("solve", "--profile", profiles, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_plan_says_which_points_it_expects_to_serve_with(profiles: Path) -> None:
    plan = solve(profiles, "--demand", 30, "--budget", 2, "--cost-weight", 0.01)
    assert plan["cores"] == {"net": 2}
    assert plan["served_rps"] == {"net": 30}
    assert plan["points"] == {"net": pytest.approx({"deep": 1 / 3, "middle": 2 / 3})}
    assert plan["accuracy"] == pytest.approx((10 * 0.9 + 20 * 0.85) / 30)


def test_a_plan_of_plain_variants_says_nothing_of_points() -> None:
    result = run("solve", "--preset", "paper", "--demand", 100)
    assert "points" not in json.loads(result.stdout)


def test_the_table_says_the_same(profiles: Path) -> None:
    arguments = ("--demand", 30, "--budget", 2, "--cost-weight", 0.01, "--format", "table")
    table = run("solve", "--profile", profiles, *arguments).stdout
    assert "points     net answers 33.3% with deep, 66.7% with middle" in table
    (row,) = [line for line in table.splitlines() if line.startswith("net")]
    assert row.split()[-1] == "0.8667"


def test_below_the_floor_points_and_variants_are_not_planned_with(profiles: Path) -> None:
    arguments = ("--demand", 70, "--budget", 2, "--format", "table")
    free = run("solve", "--profile", profiles, *arguments)
    assert (free.exit_code, "shallow" in free.stdout) == (0, True)
    floor = run("solve", "--profile", profiles, *arguments, "--accuracy-floor", 0.85)
    assert floor.exit_code == 3
    assert "shallow" not in floor.stdout
    assert "left out   plain is below the accuracy floor of 0.85, at 0.75" in floor.stdout
    assert "infadapter: the budget serves 40 of 70 rps." in floor.stderr
    assert "left out: plain is below the accuracy floor of 0.85, at 0.75." in floor.stderr


def test_a_floor_that_no_variant_reaches_is_refused(profiles: Path) -> None:
    result = run("solve", "--profile", profiles, "--demand", 1, "--accuracy-floor", 0.95)
    assert result.exit_code == 2
    assert "as accurate as --accuracy-floor 0.95: the best is net with 0.9." in result.output


def test_a_floor_above_all_that_meets_the_slo_is_named(profiles: Path) -> None:
    slow = re.sub('(deep\n.*rps: )"[0-9]+"', r'\1"0"', profiles.read_text())
    profiles.write_text(slow)
    result = run("solve", "--profile", profiles, "--demand", 1, "--accuracy-floor", 0.87)
    assert result.exit_code == 3
    assert (
        "left out: net none of its sizes meets the SLO at an accuracy of 0.87 or" in result.stderr
    )


@pytest.mark.parametrize("floor", ["1.1", "-0.1", "nan", "high"])
def test_a_floor_is_a_fraction(profiles: Path, floor: str) -> None:
    result = run("solve", "--profile", profiles, "--demand", 1, f"--accuracy-floor={floor}")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("operatingPoint: deep", "operatingPoint: wide"),
        ("operatingPoint: deep", "batchSize: 1"),
        ("{name: middle, ", "{name: deep, "),
        ("operatingPoint: middle", "operatingPoint: deep"),
        ('accuracy: "0.9"', 'accuracy: "0.8"'),
    ],
)
def test_points_that_contradict_themselves_are_refused_with_a_sentence(
    profiles: Path, right: str, wrong: str
) -> None:
    profiles.write_text(profiles.read_text().replace(right, wrong, 1))
    result = run("solve", "--profile", profiles, "--demand", 1)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert "document 1: " in result.output
