"""`infadapter simulate` and `what-if`: their contract, and a sentence for each mistake."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main

PROFILE = """\
apiVersion: infadapter.io/v1alpha1
kind: VariantProfile
metadata: {name: small}
spec:
  accuracy: "0.7"
  loadSeconds: "3"
  allocations:
    - {resources: {cpu: "1"}, capacity: [{latencyMilliseconds: 300, percentile: 99, rps: "20"}]}
    - {resources: {cpu: "2"}, capacity: [{latencyMilliseconds: 300, percentile: 99, rps: "40"}]}
---
apiVersion: infadapter.io/v1alpha1
kind: VariantProfile
metadata: {name: large}
spec:
  accuracy: "0.8"
  loadSeconds: "9"
  allocations:
    - resources: {cpu: "1", nvidia.com/gpu: "1"}
      capacity: [{latencyMilliseconds: 300, percentile: 99, rps: "90"}]
"""

MEASURES = {
    "effective_accuracy",
    "violations",
    "late",
    "refused",
    "failed",
    "mean_cores",
    "peak_cores_held",
    "core_seconds_over_budget",
    "longest_over_budget_s",
    "plan_changes",
    "accuracy_loss_points",
    "objective",
    "regret",
}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("traces") / "steps.csv"
    counts = [20] * 40 + [60] * 50
    rows = [f"{second},{count}" for second, count in enumerate(counts)]
    path.write_text("\n".join(["second,requests", *rows]) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("profiles") / "profiles.yaml"
    path.write_text(PROFILE)
    return str(path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def simulate(*arguments: str) -> Any:
    result = run("simulate", *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_json_has_what_was_agreed(trace: str) -> None:
    found = simulate("--trace", trace, "--policies", "infadapter,fixed-resnet18-4,kpa-resnet50")
    assert found["trace"] == "steps"
    assert (found["seconds"], found["requests"]) == (90, 20 * 40 + 60 * 50)
    assert [*found["policies"]] == ["infadapter", "fixed-resnet18-4", "kpa-resnet50"]
    for own in found["policies"].values():
        assert own.keys() >= MEASURES
        assert own["violations"] == pytest.approx(own["late"] + own["refused"] + own["failed"])
        assert own["objective"] < found["bracket"]["upper"]
        assert own["regret"] == pytest.approx(1 - own["objective"] / found["bracket"]["lower"])
    assert found["bracket"]["lower"] == found["hindsight"]["objective"]
    assert re.fullmatch(r"kpa-resnet50\[\dc,\d\d%\]", found["policies"]["kpa-resnet50"]["chosen"])
    assert "chosen" not in found["policies"]["infadapter"]
    assert found["policies"]["fixed-resnet18-4"]["mean_cores"] == 4.0
    assert found["policies"]["fixed-resnet18-4"]["peak_cores_held"] == 4.0
    assert found["policies"]["fixed-resnet18-4"]["plan_changes"] is None
    assert found["policies"]["infadapter"]["plan_changes"] >= 1


def test_a_budget_that_would_take_minutes_is_refused_with_a_sentence(trace: str) -> None:
    refused = run("simulate", "--trace", trace, "--budget", "10001")
    assert refused.exit_code == 2
    assert "--budget: at most 10,000 cores are simulated." in refused.output


def test_a_policy_that_is_named_twice_is_played_once(trace: str) -> None:
    found = simulate(
        "--trace", trace, "--policies", "fixed-resnet18-4, fixed-resnet18-4", "--no-regret"
    )
    assert [*found["policies"]] == ["fixed-resnet18-4"]


def test_the_same_seed_gives_the_same_bytes(trace: str) -> None:
    arguments = ("simulate", "--trace", "synthetic:bursty:2", "--to", "60", "--no-regret")
    policies = ("--policies", "infadapter,hpa-resnet34", "--format", "json")
    first, again = (run(*arguments, *policies, "--seed", "5").stdout for _ in range(2))
    assert first == again
    assert first != run(*arguments, *policies, "--seed", "6").stdout


def test_several_seeds_have_intervals() -> None:
    found = simulate(
        *("--trace", "synthetic:bursty:2", "--to", "30", "--policies", "fixed-resnet18-8"),
        *("--seeds", "3", "--seed", "4", "--no-regret"),
    )
    assert found["seeds"] == [4, 5, 6]
    own = found["policies"]["fixed-resnet18-8"]
    assert own["half_width_95"]["effective_accuracy"] >= 0
    assert own["half_width_95"]["regret"] is None
    one = simulate(
        *("--trace", "synthetic:bursty:2", "--to", "30", "--policies", "fixed-resnet18-8"),
        *("--seed", "4", "--no-regret"),
    )
    assert "half_width_95" not in one["policies"]["fixed-resnet18-8"]


def test_what_is_before_the_part_was_seen(trace: str) -> None:
    """Ours begins with the load that it saw last, not with that of the first minute."""
    late = simulate("--trace", trace, "--from", "35", "--to", "40", "--policies", "infadapter")
    assert (late["from_s"], late["seconds"], late["requests"]) == (35, 5, 100)
    early = simulate("--trace", trace, "--from", "80", "--policies", "infadapter")
    cores = [found["policies"]["infadapter"]["mean_cores"] for found in (late, early)]
    assert cores[0] <= cores[1]


def test_what_is_held_stays_within_budget_and_surge(trace: str) -> None:
    arguments = ("--trace", trace, "--policies", "infadapter", "--no-regret", "--budget", "4")
    for surge in (0.0, 2.0):
        found = simulate(*arguments, "--max-surge", f"{surge:g}")
        own = found["policies"]["infadapter"]
        assert found["scenario"]["max_surge"] == {"cpu": surge}
        assert own["peak_cores_held"] <= 4 + surge
    assert simulate(*arguments)["scenario"]["max_surge"] == {"cpu": 4.0}


def test_rates_can_be_scaled(trace: str) -> None:
    found = simulate(
        "--trace", trace, "--rate-scale", "0.5", "--policies", "infadapter", "--no-regret"
    )
    assert found["requests"] == pytest.approx(1900, rel=0.1)


def test_any_profile_is_simulated(trace: str, profile: str) -> None:
    found = simulate(
        *("--trace", trace, "--profile", profile, "--slo-ms", "300", "--no-regret"),
        *("--budget", "cpu=8,nvidia.com/gpu=1", "--price", "nvidia.com/gpu=4"),
        *("--policies", "infadapter,kpa-small"),
    )
    assert found["scenario"]["variants"] == ["small", "large"]
    assert found["scenario"]["budget"] == {"cpu": 8.0, "nvidia.com/gpu": 1}
    for own in found["policies"].values():
        assert 0.6 < own["effective_accuracy"] <= 0.8


def test_the_paper_s_slos_can_be_had(trace: str) -> None:
    violations = {
        slo_ms: simulate(
            *("--trace", trace, "--slo-ms", slo_ms, "--policies", "fixed-resnet152-20"),
            "--no-regret",
        )["policies"]["fixed-resnet152-20"]["violations"]
        for slo_ms in ("500", "750", "1000", "1500")
    }
    assert set(violations.values()) == {0.0}


def test_options_of_the_world_make_a_difference(trace: str) -> None:
    def measures(*more: str) -> Any:
        policies = ("--policies", "fixed-resnet50-8", "--no-regret")
        return simulate("--trace", trace, *policies, *more)["policies"]["fixed-resnet50-8"]

    plain = measures()
    for more in (
        ("--sigma", "0.5"),
        ("--failures-per-pod-hour", "200"),
        ("--speed", "saturation", "--budget", "12"),
    ):
        assert measures(*more) != plain, more


def test_the_table_is_the_default(trace: str) -> None:
    result = run(
        *("simulate", "--trace", trace, "--no-regret"), "--policies", "fixed-resnet18-2,infadapter"
    )
    assert result.exit_code == 0
    assert result.stdout.index("* infadapter") < result.stdout.index("fixed-resnet18-2")


def test_html_goes_to_a_file(trace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("simulate", "--trace", trace, "--policies", "infadapter", "--no-regret")
    assert run(*arguments, "--format", "html").stdout == "The report is report.html\n"
    assert "<svg" in (tmp_path / "report.html").read_text()
    result = run(*arguments, "--format", "html", "--output", str(tmp_path / "no" / "r.html"))
    assert result.exit_code == 2
    assert "can't be written" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--trace'"),
        (("--trace", "absent.csv"), "absent.csv cannot be read: No such file"),
        (("--trace", "synthetic:nothing"), "There is no synthetic trace 'nothing'"),
        (("--trace", "TRACE", "--trace-format", "odd"), "There is no trace format 'odd'"),
        (("--trace", "TRACE", "--from", "90"), "has no part from 90 s to 90 s"),
        (("--trace", "TRACE", "--from", "9", "--to", "8"), "has no part from 9 s to 8 s"),
        (("--trace", "TRACE", "--rate-scale", "0"), "'0' is no number from 1e-06 to 1e+06"),
        (("--trace", "TRACE", "--slo-ms", "nan"), "'nan' is no number"),
        (
            ("--trace", "TRACE", "--slo-ms", "600"),
            "resnet18: no capacity is given for 600 ms, only",
        ),
        (("--trace", "TRACE", "--budget", "1"), "No size of any variant fits into --budget"),
        (("--trace", "TRACE", "--budget", "many"), "Invalid value for '--budget'"),
        (("--trace", "TRACE", "--max-surge", "-1"), "Invalid value for '--max-surge'"),
        (("--trace", "TRACE", "--budget", "cpu=4,x.io/y=1"), "x.io/y needs a price"),
        (("--trace", "TRACE", "--policies", "nobody"), "There is no policy 'nobody': choose"),
        (("--trace", "TRACE", "--policies", ","), "There is no policy ','"),
        (("--trace", "TRACE", "--policies", "fixed-resnet18-1"), "resnet18 has pods of 2, 3"),
        (("--trace", "TRACE", "--profile", "absent.yaml"), "absent.yaml can't be read"),
        (("--trace", "TRACE", "--profile", "x", "--preset", "paper"), "Give either --profile or"),
        (("--trace", "TRACE", "--output", "x.html"), "--output is for --format html"),
        (("--trace", "TRACE", "--server", "odd"), "'odd' is not one of 'same', 'published'"),
        (("--trace", "TRACE", "--sigma", "-1"), "'-1' is no number from 0 to 3"),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_sentence(
    arguments: tuple[str, ...], said: str, trace: str
) -> None:
    result = run("simulate", *(trace if each == "TRACE" else each for each in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_all_networks_in_one_pod_stand_beside_separate_pods(trace: str) -> None:
    names = ("infadapter", "infadapter-grouped")
    result = run("simulate", "--trace", trace, "--no-regret", "--policies", ",".join(names))
    assert result.exit_code == 0
    assert all(f" {name} " in result.stdout for name in names)


def test_networks_without_a_size_in_common_are_not_put_into_one_pod(
    trace: str, profile: str
) -> None:
    options = ("--profile", profile, "--slo-ms", "300", "--policies", "infadapter-grouped")
    gpu = ("--budget", "cpu=4,nvidia.com/gpu=1", "--price", "nvidia.com/gpu=5")
    result = run("simulate", "--trace", trace, *options, *gpu)
    assert result.exit_code == 2
    assert "no size of pod was measured for all of small, large" in result.stderr


@pytest.mark.parametrize("command", ["simulate", "what-if"])
@pytest.mark.parametrize("points", [False, True], ids=["plain", "points"])
def test_an_slo_that_nothing_meets_is_a_sentence(
    command: str, points: bool, trace: str, tmp_path: Path
) -> None:
    never = PROFILE.partition("---")[0].replace('rps: "20"', "rps: '0'").replace('"40"', "'0'")
    if points:
        never = never.replace("resources", "operatingPoint: only, resources")
        never += "  operatingPoints: [{name: only, accuracy: '0.7'}]\n"
    path = tmp_path / "never.yaml"
    path.write_text(never)
    slos = "300" if command == "simulate" else "300,300.1"
    result = run(command, "--trace", trace, "--profile", str(path), "--slo-ms", slos)
    assert result.exit_code == 2
    assert "No size of any variant that fits into --budget meets --slo-ms" in result.stderr


def test_silence_cannot_be_simulated(tmp_path: Path) -> None:
    silent = tmp_path / "silent.csv"
    silent.write_text("second,requests\n" + "".join(f"{s},{int(s < 5)}\n" for s in range(9)))
    result = run("simulate", "--trace", str(silent), "--from", "6")
    assert result.exit_code == 2
    assert "has no requests" in result.stderr


def test_help_teaches_by_example() -> None:
    for command in ("simulate", "what-if"):
        text = run(command, "--help").stdout
        assert f"infadapter {command} --trace requests.csv" in text


@pytest.mark.process
def test_ctrl_c_ends_all_processes() -> None:
    command = [sys.executable, "-m", "infadapter", "simulate", "--trace", "synthetic:bursty"]
    began = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    _wait_for(lambda: len(_running_in(began.pid)) > 2)
    began.send_signal(signal.SIGINT)
    stdout, stderr = began.communicate(timeout=60)
    assert began.returncode == 130
    assert stdout == ""
    assert stderr.strip().endswith("Interrupted.")
    assert "Traceback" not in stderr
    _wait_for(lambda: not _running_in(began.pid))


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def _running_in(session: int) -> list[str]:
    listed = subprocess.run(
        ["ps", "-s", str(session), "-o", "stat=,cmd="], capture_output=True, text=True
    ).stdout
    return [line for line in listed.splitlines() if not line.startswith("Z")]


def test_what_if_varies_one_option(trace: str, tmp_path: Path) -> None:
    picture = tmp_path / "slo.svg"
    result = run(
        *("what-if", "--trace", trace, "--slo-ms", "1000,500", "--format", "json"),
        *("--output", str(picture)),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["option"], found["seconds"]) == ("slo-ms", 90)
    assert [own["value"] for own in found["values"]] == [1000.0, 500.0]
    assert all(math.isfinite(own["objective"]) for own in found["values"])
    assert "<svg" in picture.read_text()


def test_what_if_names_the_value_that_can_not_be_and_keeps_the_others(trace: str) -> None:
    """
    "Otherwise the user will have to try each parameter separately":
    https://github.com/esqLABS/esqlabsR/issues/613, and the value was not named:
    https://github.com/qiskit-community/qiskit-metal/issues/907
    """
    result = run("what-if", "--trace", trace, "--budget", "1,20", "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert "--budget 1: No size of any variant fits into --budget: give more." in result.stderr
    assert len(json.loads(result.stdout)["values"]) == 1
    assert "resnet18 needs 2 cpu in the smallest size that serves, of 1;" in result.stderr
    table = run("what-if", "--trace", trace, "--budget", "1,20").stdout.splitlines()
    assert table[-1].startswith("budget: 20 cores gives ")
    assert table[-1].count("gives") == 1


@pytest.mark.parametrize(
    ("command", "more"), [("simulate", ()), ("what-if", ("--cost-weight", "0,1"))]
)
def test_variants_that_are_left_out_are_named_with_the_reason(
    command: str, more: tuple[str, ...], trace: str, tmp_path: Path
) -> None:
    """A device that is lacking is no want of cores: https://github.com/skypilot-org/skypilot/issues/1662"""
    path = tmp_path / "large.yaml"
    path.write_text(PROFILE.partition("---\n")[2])
    result = run(command, "--trace", trace, "--profile", str(path), "--slo-ms", "300", *more)
    assert result.exit_code == 2
    assert "Left out: large needs nvidia.com/gpu, which the budget does not have." in result.stderr


def test_variants_that_are_left_out_of_a_run_are_named_too(trace: str, profile: str) -> None:
    asked = ("--trace", trace, "--profile", profile, "--slo-ms", "300", "--format", "json")
    why = "left out: large needs nvidia.com/gpu, which the budget does not have.\n"
    alone = run("simulate", *asked, "--policies", "infadapter", "--no-regret")
    assert (alone.exit_code, alone.stderr.count(f"infadapter: {why}")) == (0, 1)
    swept = run("what-if", *asked, "--budget", "2,4")
    assert (swept.exit_code, swept.stderr.count(why)) == (0, 2)
    assert f"infadapter: --budget 4: {why}" in swept.stderr


def test_what_if_is_a_table_and_a_page(trace: str, tmp_path: Path) -> None:
    page = tmp_path / "budget.html"
    result = run("what-if", "--trace", trace, "--budget", "4,8,20", "--output", str(page))
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()[2:6]]
    assert [row[0] for row in rows] == ["budget,", "4", "8", "20"]
    assert "can't be compared" in result.stdout
    assert "<h1>What if: budget</h1>" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give several values to one of --slo-ms, --budget, --cost-weight, such as"),
        (("--slo-ms", "500,750", "--budget", "8,9"), "Give several values to one of"),
        (("--slo-ms", "500,,750"), "'' is no number from 0.001 to 1e+07"),
        (("--slo-ms", "400,600"), "--slo-ms 600: resnet18: no capacity is given for 600 ms"),
        (("--slo-ms", "500,750", "--max-surge", "some"), "Invalid value for '--max-surge'"),
        (("--budget", "0.5,1"), "--budget 1: No size of any variant fits into --budget"),
        (("--budget", "2,3", "--output", "x.jpg"), "--output must end in .html, .png, .svg"),
    ],
)
def test_bad_arguments_of_what_if(arguments: tuple[str, ...], said: str, trace: str) -> None:
    result = run("what-if", "--trace", trace, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
