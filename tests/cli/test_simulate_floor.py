"""`simulate` and `what-if` with an accuracy floor, and of a profile with operating points."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from infadapter.command_line import main

LADDER = Path(__file__).with_name("ladder_profile.yaml")
GLYPH_1, GLYPH_2, GLYPH_3 = 0.8364, 0.88525, 0.91425


def a_trace(path: Path, rps: int, seconds: int) -> str:
    path.write_text("second,requests\n" + "".join(f"{s},{rps}\n" for s in range(seconds)))
    return str(path)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    return a_trace(tmp_path / "steady.csv", rps=70, seconds=60)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def found(*arguments: object) -> Any:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def of_the_ladder(trace: str, *arguments: object) -> Any:
    return found("what-if", "--trace", trace, "--profile", LADDER, "--slo-ms", 250, *arguments)


def test_below_the_floor_nothing_is_there_for_any_policy(trace: str) -> None:
    policies = ("infadapter", "infadapter-paper", "proteus", "kpa-resnet50")
    arguments = ("--trace", trace, "--to", 15, "--policies", ",".join(policies))
    floor = found("simulate", *arguments, "--accuracy-floor", 0.75)
    assert floor["scenario"]["accuracy_floor"] == 0.75
    assert floor["scenario"]["variants"] == ["resnet50", "resnet101", "resnet152"]
    for own in (*floor["policies"].values(), floor["hindsight"]):
        assert own["effective_accuracy"] >= 0.75 * (1 - own["violations"])
    free = found("simulate", "--trace", trace, "--policies", "proteus", "--no-regret")["scenario"]
    assert (free["accuracy_floor"], len(free["variants"])) == (0, 5)


def test_variants_that_are_left_out_are_named_and_are_no_policy_s(trace: str) -> None:
    arguments = ("simulate", "--trace", trace, "--no-regret", "--accuracy-floor", 0.72)
    result = run(*arguments, "--policies", "infadapter")
    assert result.exit_code == 0
    left_out = [line for line in result.stderr.splitlines() if "left out" in line]
    assert left_out == [
        "infadapter: left out: resnet18 is below the accuracy floor of 0.72, at 0.69758."
    ]
    refused = run(*arguments, "--policies", "fixed-resnet18-8")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "There is no policy 'fixed-resnet18-8'" in refused.stderr


def test_points_below_the_floor_answer_nothing(trace: str) -> None:
    """Also in the pods of policies that know of no points."""
    arguments = ("--trace", trace, "--profile", LADDER, "--slo-ms", 250, "--no-regret")
    policies = ("infadapter", "infadapter-paper", "kpa-ladder")
    much = ("--rate-scale", 1.3, "--budget", 0.2, "--policies", ",".join(policies))
    free = found("simulate", *arguments, *much)["policies"]
    floor = found("simulate", *arguments, *much, "--accuracy-floor", 0.91)["policies"]
    for name in policies:
        in_time = 1 - floor[name]["violations"]
        assert floor[name]["effective_accuracy"] == pytest.approx(GLYPH_3 * in_time)
        assert free[name]["violations"] < 0.02 < floor[name]["violations"]


def test_who_fits_a_line_to_the_profile_fits_it_to_the_points_that_are_left(trace: str) -> None:
    """Else 0.2 cores seem enough, as they are for points below the floor."""
    arguments = ("--trace", trace, "--profile", LADDER, "--slo-ms", 250, "--no-regret")
    much = ("--rate-scale", 1.3, "--budget", 0.6, "--policies", "infadapter-paper")
    (own,) = found("simulate", *arguments, *much, "--accuracy-floor", 0.91)["policies"].values()
    assert own["violations"] < 0.01
    assert own["mean_cores"] > 0.25


@pytest.mark.parametrize("command", ["simulate", "what-if"])
def test_a_floor_that_no_variant_reaches_is_refused(command: str, trace: str) -> None:
    slos = "500,750" if command == "what-if" else "750"
    result = run(command, "--trace", trace, "--slo-ms", slos, "--accuracy-floor", 0.9)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "infadapter: No variant is as accurate as --accuracy-floor 0.9: the best is resnet152 "
        "with 0.78312.\n"
    )


@pytest.mark.parametrize("command", ["simulate", "what-if"])
@pytest.mark.parametrize("floor", ["1.1", "-0.1", "nan", "high"])
def test_a_floor_is_a_fraction(command: str, floor: str, trace: str) -> None:
    result = run(command, "--trace", trace, f"--accuracy-floor={floor}")
    assert result.exit_code == 2
    assert "Invalid value for '--accuracy-floor'" in result.stderr


def test_a_floor_may_be_what_leaves_no_size(trace: str) -> None:
    arguments = ("--profile", LADDER, "--slo-ms", 250, "--budget", 0.1, "--accuracy-floor", 0.91)
    result = run("simulate", "--trace", trace, *arguments)
    assert result.exit_code == 2
    assert "fits into --budget: give more, or lower --accuracy-floor." in result.stderr


def test_pages_say_the_floor(trace: str, tmp_path: Path) -> None:
    page, sweep = tmp_path / "page.html", tmp_path / "sweep.html"
    floor = ("--trace", trace, "--accuracy-floor", 0.75, "--output")
    policies = ("--policies", "infadapter", "--no-regret", "--format", "html")
    assert run("simulate", *floor, page, *policies).exit_code == 0
    assert "<dt>accuracy floor</dt><dd>0.75: variants and" in page.read_text()
    assert run("what-if", *floor, sweep, "--slo-ms", "500,750").exit_code == 0
    assert "below the accuracy floor of 0.75 are left out" in sweep.read_text()


def test_what_if_mixes_points_as_one_reckons_by_hand(trace: str) -> None:
    """
    A pod of 0.1 cores answers 66 requests a second with glyph-2, or 90 with glyph-1. At 70 it is
    always busy: of each second, x requests take 1/66 s, and the others that are in time 1/90 s.
    """
    profile = yaml.safe_load(LADDER.read_text())["spec"]
    rates = {
        row["operatingPoint"]: row["saturationRps"]
        for row in profile["allocations"]
        if row["resources"] == {"cpu": "100m"}
    }
    assert rates == {"glyph-1": "90", "glyph-2": "66"}
    smallest, larger = of_the_ladder(trace, "--budget", "0.1,0.2")["values"]
    assert smallest["mean_cores"] == 0.1
    assert smallest["violations"] < 0.005
    in_time = 70 * (1 - smallest["violations"])
    better = (1 - in_time / 90) / (1 / 66 - 1 / 90)
    by_hand = (better * GLYPH_2 + (in_time - better) * GLYPH_1) / 70
    assert smallest["effective_accuracy"] == pytest.approx(by_hand, abs=0.001)
    assert larger["effective_accuracy"] > GLYPH_2


def test_what_if_of_a_floor_is_of_the_points_that_are_left(trace: str) -> None:
    """Of 0.2 cores only glyph-3 is left, which answers 82 requests a second."""
    sweep = of_the_ladder(trace, "--budget", "0.1,0.2", "--accuracy-floor", 0.91)
    assert sweep["accuracy_floor"] == 0.91
    (only,) = sweep["values"]
    assert (only["value"], only["mean_cores"]) == (0.2, 0.2)
    assert only["effective_accuracy"] == pytest.approx(GLYPH_3 * (1 - only["violations"]))
