"""`infadapter solve`: its contract, and a sentence for everything that can be wrong."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from infadapter.command_line import main
from infadapter.profiles import read_preset
from infadapter_solver import to_variant

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDEN = SHARED / "data" / "infadapter" / "golden_decisions.json"
CAPACITIES = SHARED / "data" / "infadapter" / "capacity_resnet_cpu.csv"

PROFILE = """\
apiVersion: infadapter.io/v1alpha1
kind: VariantProfile
metadata: {name: small}
spec:
  accuracy: "0.7"
  loadSeconds: "3"
  allocations:
    - resources: {cpu: 500m}
      points:
        - {rps: "5", latencyMilliseconds: {"99": 100}}
        - {rps: "10", latencyMilliseconds: {"99": 300}}
---
apiVersion: infadapter.io/v1alpha1
kind: VariantProfile
metadata: {name: large}
spec:
  accuracy: "0.8"
  loadSeconds: "9"
  allocations:
    - resources: {cpu: "1", nvidia.com/gpu: "1"}
      batchSize: 8
      capacity: [{latencyMilliseconds: 200, percentile: 99, rps: "40"}]
"""


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def solve(*arguments: str) -> Any:
    result = run("solve", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def paper(*arguments: str) -> Any:
    return solve("--preset", "paper", *arguments)


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    path = tmp_path / "profiles.yaml"
    path.write_text(PROFILE)
    return path


def test_the_json_holds_what_is_promised_and_no_more() -> None:
    assert paper("--demand", "100") == {
        "cores": {"resnet50": 13},
        "pods": {"resnet50": 1},
        "served_rps": {"resnet50": 100},
        "accuracy": 0.7613,
        "objective": 0.7288,
        "feasible": True,
    }


@pytest.mark.parametrize("method", ["exact", "milp"])
def test_a_set_of_variants_and_the_best_alone(method: str) -> None:
    both = paper("--demand", "200", "--method", method)
    assert both["cores"] == {"resnet18": 4, "resnet50": 16}
    assert both["served_rps"] == {"resnet50": 129, "resnet18": 71}
    alone = paper("--demand", "200", "--method", method, "--max-variants", "1")
    assert alone["cores"] == {"resnet34": 20}


@pytest.mark.parametrize("method", ["exact", "milp"])
def test_the_motivating_figure(method: str) -> None:
    figure = ("--preset", "paper-raw", "--cost-weight", "0.0001", "--demand", "75")
    losses = {
        (budget, limit): 100 * (0.78312 - solve(*figure, "--budget", budget, *limit)["accuracy"])
        for budget in ("8", "14", "20")
        for limit in ((), ("--max-variants", "1", "--method", method))
    }
    alone = ("--max-variants", "1", "--method", method)
    assert [round(losses[budget, ()], 3) for budget in ("8", "14", "20")] == [2.016, 0.974, 0.2]
    assert [round(losses[b, alone], 3) for b in ("8", "14", "20")] == [2.182, 2.182, 0.938]


def test_all_golden_decisions_through_the_command() -> None:
    if not GOLDEN.exists():
        pytest.skip(f"{GOLDEN.name} is not beside the repository")
    for decision in json.loads(GOLDEN.read_text())["decisions"]:
        arguments = ("--demand", str(decision["lambda"]), "--cost-weight", str(decision["beta"]))
        for key, limit in (("set", ()), ("single", ("--max-variants", "1"))):
            if decision[key] is None:
                assert run("solve", "--preset", "paper", *arguments, *limit).exit_code == 3
                continue
            plan = paper(*arguments, *limit)
            golden = {f"resnet{name}": n for name, n in decision[key]["cores"].items() if n}
            assert plan["cores"] == golden
            assert plan["objective"] == pytest.approx(decision[key]["objective"], abs=1e-6)


def test_beyond_the_budget_it_is_the_best_effort_and_exit_status_3() -> None:
    result = run("solve", "--preset", "paper", "--demand", "500")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {
        "cores": {"resnet18": 20},
        "pods": {"resnet18": 1},
        "served_rps": {"resnet18": 386},
        "accuracy": 0.69758,
        "objective": None,
        "feasible": False,
    }
    assert result.stderr == "infadapter: the budget serves 386 of 500 rps.\n"


SMALL_PODS = [
    ("0.842", "{cpu: 89m}", "155"),
    ("0.86", "{cpu: 32m}", "55.2"),
    ("0.909", "{cpu: 26m}", "0.02"),
    ("0.79", "{cpu: 14m}", "1"),
]


@pytest.mark.parametrize(
    ("demand", "budget", "served"),
    [("100000", "1.14", "1981"), ("1000000", "106", "184605"), ("1000000", "107", "186342")],
)
@pytest.mark.parametrize("method", ["auto", "milp"])
def test_far_beyond_the_budget_it_still_serves_what_it_can(
    tmp_path: Path, method: str, demand: str, budget: str, served: str
) -> None:
    path = tmp_path / "profiles.yaml"
    documents = [
        f"apiVersion: infadapter.io/v1alpha1\nkind: VariantProfile\nmetadata: {{name: v{index}}}\n"
        f"spec: {{accuracy: '{accuracy}', loadSeconds: '3', allocations: [{{resources: {resources},"
        f" capacity: [{{latencyMilliseconds: 750, percentile: 99, rps: '{rps}'}}]}}]}}\n"
        for index, (accuracy, resources, rps) in enumerate(SMALL_PODS)
    ]
    path.write_text("---\n".join(documents))
    arguments = ("--profile", str(path), "--demand", demand, "--budget", budget)
    result = run("solve", *arguments, "--method", method)
    assert result.exit_code == 3
    assert f"the budget serves {served} of " in result.stderr


def test_a_budget_of_nothing_is_infeasible_not_an_error() -> None:
    result = run("solve", "--preset", "paper", "--demand", "5", "--budget", "0")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["cores"] == {}


def test_no_demand_is_a_demand() -> None:
    assert paper("--demand", "0")["feasible"] is True


def test_budget_forms_mean_the_same() -> None:
    plans = [
        paper("--demand", "60", "--budget", budget)
        for budget in ("12", "cpu=12", "12000m", "cpu=12000m", " cpu = 12 ")
    ]
    assert all(plan == plans[0] for plan in plans)


def test_what_runs_is_kept_where_loading_costs_more_than_it_gains() -> None:
    assert paper("--demand", "90")["cores"] == {"resnet50": 12}
    running = ("--running", "resnet50=13")
    assert paper("--demand", "90", *running)["cores"] == {"resnet50": 12}
    stayed = paper("--demand", "90", *running, "--loading-weight", "0.1")
    assert stayed["cores"] == {"resnet50": 13}
    assert stayed["objective"] == pytest.approx(0.7613 - 0.05 * 13 / 20)


def test_profiles_from_a_file_with_a_gpu(profiles: Path) -> None:
    arguments = ("--profile", str(profiles), "--slo-ms", "200", "--cost-weight", "0.02")
    plan = solve(*arguments, "--demand", "30", "--budget", "4")
    assert plan["cores"] == {"small": 2}
    assert plan["pods"] == {"small": 4}
    assert plan["served_rps"] == {"small": 30}
    budget = ("--budget", "cpu=4,nvidia.com/gpu=1", "--price", "nvidia.com/gpu=12")
    with_gpu = solve(*arguments, *budget, "--demand", "30")
    assert with_gpu["cores"] == {"large": 1}
    assert with_gpu["resources"] == {"large": {"nvidia.com/gpu": 1}}
    dear = solve(*arguments, *budget, "--demand", "30", "--cost-weight", "1")
    assert dear["cores"] == {"small": 2}
    running = solve(*arguments, "--demand", "28", "--budget", "4", "--running", "small=4x500m")
    assert running["pods"] == {"small": 4}


def test_cores_may_be_decimals(profiles: Path) -> None:
    plan = solve("--profile", str(profiles), "--slo-ms", "200", "--demand", "5", "--budget", "4")
    assert plan["cores"] == {"small": 0.5}


def test_the_table_says_the_same_and_why() -> None:
    result = run("solve", "--preset", "paper", "--demand", "200", "--format", "table")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "variant"
    assert lines[1].split() == ["resnet50", "cpu", "1", "16", "129.0", "129.0", "64.5%", "0.7613"]
    assert "100.0% of the budget (20 cpu)" in result.stdout
    assert "0.0055 better than resnet34 alone; the budget binds" in result.stdout
    assert run("solve", "--preset", "paper", "--demand", "60", "--format", "table").exit_code == 0
    result = run("solve", "--preset", "paper", "--demand", "500", "--format", "table")
    assert result.exit_code == 3
    assert "infeasible capacity 386 rps of the 500 rps wanted" in result.stdout
    nothing = ("--demand", "5", "--budget", "0", "--format", "table")
    assert run("solve", "--preset", "paper", *nothing).exit_code == 3


BAD = [
    ((), "Missing option '--demand'."),
    (("--demand", "5"), "Give either --profile or --preset."),
    (("--demand", "5", "--preset", "paper", "--profile", "x"), "Give either --profile or --preset"),
    (("--demand", "5", "--preset", "rough"), "'rough' is not one of 'paper', 'paper-raw'"),
    (("--demand", "nan", "--preset", "paper"), "'--demand': 'nan' is no number from 0"),
    (("--demand", "inf", "--preset", "paper"), "'--demand': 'inf' is no number"),
    (("--demand", "-1", "--preset", "paper"), "'--demand': '-1' is no number"),
    (("--demand", "many", "--preset", "paper"), "'--demand': 'many' is no number"),
    (("--demand", "", "--preset", "paper"), "'--demand': '' is no number"),
    (("--cost-weight", "nan"), "'--cost-weight'"),
    (("--cost-weight", "-0.1"), "'--cost-weight'"),
    (("--loading-weight", "inf"), "'--loading-weight'"),
    (("--slo-ms", "0"), "'--slo-ms': '0' is no number from 0.001"),
    (("--percentile", "100"), "'--percentile': '100' is no number from 1 to 99.99"),
    (("--percentile", "0.5"), "'--percentile'"),
    (("--max-variants", "0"), "'--max-variants': 0 is not in the range"),
    (("--max-variants", "two"), "'--max-variants': 'two' is not a valid integer range"),
    (("--budget", "-3"), "'--budget': '-3' is not between 0 and 1P"),
    (("--budget", "nan"), "'--budget': 'nan' is no quantity"),
    (("--budget", "cpu=20,"), "'--budget': '' is not NAME=VALUE"),
    (("--budget", "cpu=2,cpu=3"), "'--budget': cpu is given twice"),
    (("--budget", "cpu=2,nvidia.com/gpu=0.5"), "'0.5' is not a whole number of units"),
    (("--budget", "cpu=20,nvidia.com/gpu=2"), "nvidia.com/gpu needs a price, such as --price"),
    (("--price", "nvidia.com/gpu=12"), "nvidia.com/gpu has a price and is not in the budget"),
    (("--budget", "cpu=20,memory=4Gi"), "'--budget': may name cpu and extended resources such as"),
    (("--price", "memory=1"), "'--price': may name cpu and extended resources such as"),
    (("--price", "cpu=nan"), "'--price': 'nan' is no number"),
    (("--price", "12"), "'--price': '12' is not NAME=VALUE"),
    (("--running", "vgg=2"), "--running names vgg, which is none of resnet18, resnet34, resnet50"),
    (("--running", "resnet50=-2"), "'--running': '-2' is not between"),
    (("--running", "resnet50=axb"), "'--running': 'axb' is not CORES or PODSxCORES"),
    (("--running", "resnet50=99999x1"), "'--running': '99999x1' is not CORES or PODSxCORES"),
    (("--running", "resnet50"), "'--running': 'resnet50' is not NAME=VALUE"),
    (("--method", "guess"), "'--method': 'guess' is not one of"),
    (("--format", "xml"), "'--format': 'xml' is not one of"),
    (("--slo-ms", "600"), "resnet18: no capacity is given for 600 ms, only for 750 ms"),
    (("--percentile", "95"), "resnet18: no capacity is given for percentile 95, only for 99"),
    (("--no-such-option",), "No such option"),
    (("stray",), "Got unexpected extra argument (stray)"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_bad_arguments_end_with_status_2_and_one_sentence(
    arguments: tuple[str, ...], sentence: str
) -> None:
    if arguments and "--demand" not in arguments:
        arguments = ("--preset", "paper", "--demand", "10", *arguments)
    result = run("solve", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("infadapter: ")
    assert "Usage" not in result.stderr


SPEC = "spec: {accuracy: '0.7', loadSeconds: '3', allocations: [%s]}"
HEAD = "apiVersion: infadapter.io/v1alpha1\nkind: VariantProfile\nmetadata: {name: a}\n"
KNOWN = "capacity: [{latencyMilliseconds: 750, percentile: 99, rps: '4'}]"
BAD_FILES = [
    ("", "holds no VariantProfile"),
    ("a: [", "is not YAML: line "),
    ("\x00", "is not YAML"),
    ("- 1", "document 1: it is no Kubernetes object: kind must be VariantProfile."),
    ("kind: Deployment", "holds no VariantProfile, only Deployment."),
    (
        "kind: List\nitems: [{kind: Secret}, {kind: Pod}]",
        "holds no VariantProfile, only Pod, Secret.",
    ),
    ("a: &a [1]\nb: *a", "line 2: YAML aliases are not understood."),
    # https://github.com/kubernetes/kubernetes/issues/83253, and the same of a JavaScript reader:
    # https://github.com/nodeca/js-yaml/issues/738
    ('data:\n  a: &a ["web","web"]\n  b: &b [*a,*a]', "line 3: YAML aliases are not understood."),
    ("a: &a [1,2]\nb: &b [*a, *a]\nc: &c [*b, *b]", "line 2: YAML aliases are not understood."),
    # a reader with a stack ends with it: https://github.com/yaml/libyaml/issues/107,
    # https://github.com/yaml/pyyaml/issues/895
    ("[" * 200_000, "line 1: lists and maps are nested more than 100 deep."),
    ("a:\n" + "- " * 200_000, "line 2: lists and maps are nested more than 100 deep."),
    # kubectl wrote several objects without a line between, of which YAML keeps the last:
    # https://github.com/kubernetes/kubernetes/issues/58834, …/issues/40440
    (
        2 * (HEAD + SPEC % f"{{resources: {{cpu: '1'}}, {KNOWN}}}" + "\n"),
        "line 5: the key apiVersion comes twice: put --- between documents.",
    ),
    ("kind: Service\nspec: {a: 1, a: 2}", "line 2: the key a comes twice"),
    (HEAD, "document 1: spec: is required"),
    (HEAD + SPEC % "", "spec.allocations"),
    (HEAD + SPEC % "{resources: {cpu: '1'}}", "points or capacity must hold what was measured"),
    (HEAD + (SPEC % "{}").replace("0.7", "1.2"), "spec.accuracy"),
    (HEAD + SPEC % f"{{resources: {{cpu: '-1'}}, {KNOWN}}}", "spec.allocations[0].resources"),
    (HEAD + SPEC % f"{{resources: {{cpu: '1'}}, {KNOWN}}}" + "\n---\n", None),
    (
        2 * (HEAD + SPEC % f"{{resources: {{cpu: '1'}}, {KNOWN}}}" + "\n---\n"),
        "two profiles called a",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_FILES)
def test_a_bad_file_is_refused_with_a_sentence_that_names_the_field(
    tmp_path: Path, text: str, sentence: str | None
) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(text)
    result = run("solve", "--profile", str(path), "--demand", "3")
    if sentence is None:
        assert result.exit_code == 0, result.stderr
        return
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_what_kubectl_gets_is_taken_and_other_kinds_are_passed_over(tmp_path: Path) -> None:
    path, listed = tmp_path / "profiles.yaml", tmp_path / "list.yaml"
    path.write_text(f"{{kind: Secret}}\n---\n{PROFILE}---\n{{kind: ConfigMap}}\n")
    items = [document for document in yaml.safe_load_all(path.read_text()) if document]
    for item in items:
        item.setdefault("metadata", {}).update(uid="1", resourceVersion="7", generation=1)
    listed.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
    question = ("--demand", "8", "--slo-ms", "200")
    assert solve("--profile", str(listed), *question) == solve("--profile", str(path), *question)


ONE = HEAD + SPEC % f"{{resources: {{cpu: '1'}}, {KNOWN}}}"
OTHER = ONE.replace("{name: a}", "{name: b}").replace("0.7", "0.8")
UNTYPED = {key: yaml.safe_load(ONE)[key] for key in ("metadata", "spec")}
LISTS = {
    # https://github.com/kyverno/kyverno/issues/11689, https://github.com/zegl/kube-score/issues/92
    "of kubectl": {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(ONE)]},
    "empty beside one": [{"kind": "List", "items": []}, yaml.safe_load(ONE)],
    "of the API server, whose items may say no kind": {
        "apiVersion": "infadapter.io/v1alpha1",
        "kind": "VariantProfileList",
        "metadata": {"resourceVersion": "1"},
        "items": [UNTYPED],
    },
    # https://github.com/corneliusweig/ketall/issues/61
    "of a plugin, lists in a list": {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{"items": [{"kind": "Secret"}]}, {"items": [yaml.safe_load(ONE)]}],
    },
}


@pytest.mark.parametrize("written", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("as_json", [False, True])
def test_lists_as_tools_write_them_hold_their_profiles(
    tmp_path: Path, written: Any, as_json: bool
) -> None:
    path, plain = tmp_path / "list.yaml", tmp_path / "plain.yaml"
    documents = written if isinstance(written, list) else [written]
    texts = [json.dumps(d) if as_json else yaml.safe_dump(d) for d in documents]
    path.write_text("\n---\n".join(texts))
    plain.write_text(ONE)
    assert solve("--profile", str(path), "--demand", "3") == solve(
        "--profile", str(plain), "--demand", "3"
    )


UNITS = [
    # the suffixes of a quantity: https://github.com/fabric8io/kubernetes-client/issues/4041
    ("cpu=2000000000n", "2"),
    ("cpu=2500000u", "2500m"),
    # a tenth of a core in two spellings: https://github.com/kubernetes/website/pull/794
    ("cpu=2.1", "2100m"),
]


@pytest.mark.parametrize(("budget", "same"), UNITS)
def test_quantities_of_any_suffix_are_the_same_budget(budget: str, same: str) -> None:
    question = ("--demand", "10", "--format", "json")
    assert paper("--budget", budget, *question) == paper("--budget", same, *question)


@pytest.mark.parametrize(
    "budget",
    [
        "cpu=20,memory=4402341478400m",  # https://github.com/kubernetes/kubernetes/issues/21654
        "cpu=20,memory=2.1Gi",  # https://github.com/kubernetes/apimachinery/issues/72
        "cpu=20,ephemeral-storage=1Gi",
    ],
)
def test_what_no_pod_size_has_is_no_budget(budget: str) -> None:
    result = run("solve", "--preset", "paper", "--demand", "10", "--budget", budget)
    assert result.exit_code == 2
    assert "may name cpu and extended resources such as nvidia.com/gpu only" in result.stderr


SMALL = HEAD + SPEC % f"{{resources: {{cpu: '2'}}, {KNOWN}}}"
MIG = "nvidia.com/mig-1g.5gb"
LEFT_OUT = [
    (SMALL, ("--budget", "1"), "a needs 2 cpu in the smallest size that serves, of 1."),
    (
        SMALL.replace("cpu: '2'", "cpu: '1', nvidia.com/gpu: '1'"),
        ("--budget", "4"),
        "a needs nvidia.com/gpu, which the budget does not have.",
    ),
    (
        HEAD
        + SPEC % "{resources: {cpu: '1'}, points: [{rps: '1', latencyMilliseconds: {'99': 800}}]}",
        ("--budget", "4"),
        "a none of its sizes meets the SLO.",
    ),
    # "we just fail at infeasibility, with no context": https://github.com/hass-energy/haeo/issues/253
    (
        SMALL.replace("cpu: '2'", f"cpu: '1', {MIG}: '2'"),
        ("--budget", f"cpu=4,{MIG}=1", "--price", f"{MIG}=3"),
        f"a needs 2 {MIG} in the smallest size that serves, of 1.",
    ),
]


@pytest.mark.parametrize(("text", "budget", "why"), LEFT_OUT)
def test_variants_that_no_plan_can_have_are_named_with_the_reason(
    tmp_path: Path, text: str, budget: tuple[str, ...], why: str
) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(text)
    result = run("solve", "--profile", str(path), "--demand", "1", *budget)
    assert result.exit_code == 3
    assert result.stderr == (
        f"infadapter: the budget serves 0 of 1 rps.\ninfadapter: left out: {why}\n"
    )
    table = run("solve", "--profile", str(path), "--demand", "1", *budget, "--format", "table")
    assert f"left out   {why.removesuffix('.')}\n" in table.stdout


def test_each_variant_is_told_its_own_reason(tmp_path: Path) -> None:
    """
    Not all the causes there might be, whatever is the case:
    https://github.com/AntaresSimulatorTeam/Antares_Simulator/issues/152
    """
    path = tmp_path / "profiles.yaml"
    large, device = SMALL.replace("cpu: '2'", "cpu: '9'"), f"cpu: '1', {MIG}: '1'"
    other = OTHER.replace("cpu: '1'", device)
    path.write_text(f"{large}\n---\n{other}")
    result = run("solve", "--profile", str(path), "--demand", "1", "--budget", "4")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[1:] == [
        "infadapter: left out: a needs 9 cpu in the smallest size that serves, of 4.",
        f"infadapter: left out: b needs {MIG}, which the budget does not have.",
    ]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        result = run("solve", "--profile", str(path), "--demand", "3")
        assert result.exit_code == 2
        assert f"{path} can't be read" in result.stderr


def test_the_presets_hold_the_published_numbers() -> None:
    names = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    lines = [(24.4462, -6), (13.0444, -1), (10.3212, -3), (5.0901, 0), (3.8145, -2)]
    for profile, name, (slope, intercept) in zip(read_preset("paper"), names, lines, strict=True):
        variant = to_variant(profile, 0.75, 99)
        assert variant.name == name
        assert {a.cpu_millicores: a.capacity_rps for a in variant.allocations} == {
            1000 * n: math.floor(0.8 * (slope * n + intercept)) for n in range(2, 21)
        }
    raw = [to_variant(profile, 0.75, 99) for profile in read_preset("paper-raw")]
    assert [v.name for v in raw] == names
    assert [v.accuracy for v in raw] == [0.69758, 0.73314, 0.7613, 0.77374, 0.78312]
    assert [v.load_time_s for v in raw] == [6.44, 6.79, 6.82, 7.77, 8.52]
    assert [a.capacity_rps for a in raw[4].allocations[:6]] == [1, 5, 13, 15, 16, 25]


def test_the_raw_preset_is_the_published_table() -> None:
    if not CAPACITIES.exists():
        pytest.skip(f"{CAPACITIES.name} is not beside the repository")
    header, *rows = [line.split(",") for line in CAPACITIES.read_text().splitlines()]
    table = [dict(zip(header, row, strict=True)) for row in rows]
    published = {
        (f"resnet{row['ARCH']}", 1000 * int(row["CPU"])): float(row["capacity"])
        for row in table
        if row["SLA"] == "750"
    }
    assert published == {
        (profile.variant, a.cpu_millicores): a.capacity_rps
        for profile in read_preset("paper-raw")
        for a in to_variant(profile, 0.75, 99).allocations
    }


def test_help_and_version() -> None:
    assert run("--version").stdout.startswith("infadapter, version ")
    commands = run("--help").stdout
    assert all(name in commands for name in ("demo", "profile", "solve"))
    assert "--preset" in run("solve", "--help").stdout
    unknown = run("slove")
    assert (unknown.exit_code, unknown.stderr) == (2, "infadapter: No such command 'slove'.\n")
    assert run().exit_code == 2


def test_a_command_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    for module in ("commands.profile", "profile_here", "profile_text"):
        monkeypatch.delitem(sys.modules, f"infadapter.{module}", raising=False)
    result = run("profile", "--help")
    assert result.exit_code == 1
    assert "pip install 'infadapter[operator,profile]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_solving_needs_neither_torch_nor_a_web_server() -> None:
    heavy = ["torch", "aiohttp", "fastapi", "kopf", "kubernetes", "rich", "matplotlib"]
    code = (
        "import sys, infadapter.command_line, infadapter.commands.solve;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_interrupt_ends_with_status_130_and_no_traceback(tmp_path: Path) -> None:
    pipe = tmp_path / "profiles.yaml"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "infadapter", "solve", "--profile", str(pipe), "--demand", "3"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        writer = os.open(pipe, os.O_WRONLY)  # returns once the command has opened it to read
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        os.close(writer)
    assert process.returncode == 130
    assert stderr.strip() == "Interrupted."
