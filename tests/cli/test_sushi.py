"""`infadapter sushi replay`: what it writes, and a sentence for everything that can be wrong."""

import copy
import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main

SCENARIO: dict[str, Any] = {
    "every": 2,
    "start": "G0",
    "subgraphs": {"G0": [32, 0], "G1": [32, 64]},
    "subnets": {
        "small": {"accuracy": 0.75, "vector": [32, 0], "latency_ms": {"G0": 7, "G1": 8}},
        "large": {"accuracy": 0.8, "vector": [64, 64], "latency_ms": {"G0": 19, "G1": 12.25}},
    },
}
QUERIES = """\
policy,accuracy,latency_ms
strict_accuracy,0.8,1
strict_accuracy,0.9,1
strict_latency,0.1,12.25
strict_latency,0.1,5
strict_accuracy,0.7,1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.json").write_text(json.dumps(SCENARIO))
    (tmp_path / "q.csv").write_text(QUERIES)
    return tmp_path


def replayed(folder: Path) -> Result:
    files = (f"--{name}={folder / file}" for name, file in (("scenario", "s.json"), ("out", "o")))
    queries = f"--queries={folder / 'q.csv'}"
    result = CliRunner().invoke(main, ["sushi", "replay", *files, queries])
    assert "Traceback" not in result.output
    return result


def test_each_query_has_its_subnet_and_what_was_cached_then(folder: Path) -> None:
    result = replayed(folder)
    assert result.exit_code == 0, result.output
    assert (folder / "o").read_text() == (
        "subnet,subgraph,latency_ms,met\n"
        "large,G0,19,1\n"  # the fastest that is accurate enough
        "large,G0,19,0\n"  # none is: the most accurate
        "large,G1,12.25,1\n"  # two served by large: G1 is nearest to (64, 64)
        "small,G1,8,0\n"  # none is fast enough: the fastest
        "small,G0,7,1\n"  # (48, 32) is as near to both: the first
    )
    assert "5 queries: 3 limits kept (60.00 %)" in result.stdout
    assert "2 changes of the cache" in result.stdout


def expected(scenario: dict[str, Any], queries: list[tuple[str, float, float]]) -> list[list[str]]:
    """The rule as it is documented, in other words than the kernel's."""
    cached, served, rows = scenario["start"], [], []
    nets = scenario["subnets"]
    for number, (policy, accuracy, limit) in enumerate(queries, start=1):
        took = {name: net["latency_ms"][cached] for name, net in nets.items()}
        if policy == "strict_accuracy":
            order = sorted(nets, key=lambda name: took[name])
            enough = [name for name in order if nets[name]["accuracy"] >= accuracy]
            best = sorted(order, key=lambda name: -nets[name]["accuracy"])
        else:
            order = sorted(sorted(nets, key=took.__getitem__), key=lambda n: -nets[n]["accuracy"])
            enough = [name for name in order if took[name] <= limit]
            best = sorted(nets, key=lambda name: took[name])
        name = (enough or best)[0]
        rows.append([name, cached, f"{took[name]:g}", str(int(bool(enough)))])
        served.append(nets[name]["vector"])
        if number % scenario["every"] == 0:
            recent = served[-scenario["every"] :]
            sums = [sum(column) for column in zip(*recent, strict=True)]
            apart = {
                graph: sum(
                    (len(recent) * mine - theirs) ** 2
                    for mine, theirs in zip(vector, sums, strict=True)
                )
                for graph, vector in scenario["subgraphs"].items()
            }
            cached = min(apart, key=apart.__getitem__)
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_replays_follow_the_documented_rule(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    length, graphs = draw.randint(1, 4), [f"G{at}" for at in range(draw.randint(1, 5))]
    scenario = {
        "every": draw.randint(1, 4),
        "start": draw.choice(graphs),
        "subgraphs": {graph: [draw.randint(0, 3) for _ in range(length)] for graph in graphs},
        "subnets": {
            f"SN{at}": {
                "accuracy": draw.choice((0.7, 0.75, 0.8)),
                "vector": [draw.randint(0, 3) for _ in range(length)],
                "latency_ms": {graph: draw.randint(1, 6) for graph in graphs},
            }
            for at in range(draw.randint(1, 5))
        },
    }
    queries = [
        (
            draw.choice(("strict_accuracy", "strict_latency")),
            draw.choice((0.7, 0.75, 0.85)),
            float(draw.randint(0, 7)),
        )
        for _ in range(200)
    ]
    lines = ["policy,accuracy,latency_ms", *(",".join(map(str, query)) for query in queries)]
    (tmp_path / "s.json").write_text(json.dumps(scenario))
    (tmp_path / "q.csv").write_text("\n".join(lines) + "\n")
    assert replayed(tmp_path).exit_code == 0
    with (tmp_path / "o").open() as file:
        assert list(csv.reader(file))[1:] == expected(scenario, queries)


def without(*path: str) -> str:
    scenario = copy.deepcopy(SCENARIO)
    inner = scenario
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return json.dumps(scenario)


def having(value: object, *path: str) -> str:
    scenario = copy.deepcopy(SCENARIO)
    inner = scenario
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(scenario)


TWICE = '{"every": 1, "start": "G", "subgraphs": {"G": [1], "G": [2]}, "subnets": {}}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 is no JSON"),
        ("{", "line 1 is no JSON"),
        ("[]", "no JSON object"),
        ("[" * 100_000, "can't be read"),
        (TWICE, "'G' is there twice"),
        (without("every"), "has no 'every'"),
        (without("start"), "has no 'start'"),
        (without("subgraphs"), "has no 'subgraphs'"),
        (without("subnets"), "has no 'subnets'"),
        (without("subnets", "small", "accuracy"), "small has no 'accuracy'"),
        (without("subnets", "small", "vector"), "small has no 'vector'"),
        (without("subnets", "small", "latency_ms"), "small has no 'latency_ms'"),
        (without("subnets", "small", "latency_ms", "G1"), "small: latency_ms has no 'G1'"),
        (having(0, "every"), "every is 0"),
        (having(True, "every"), "every is True"),
        (having(1.5, "every"), "every is 1.5"),
        (having("G9", "start"), "start is 'G9', which is none of the subgraphs"),
        (having(["G0"], "start"), "which is none of the subgraphs"),
        (having({}, "subgraphs"), "none of the subgraphs|no SubGraphs"),
        (having({}, "subnets"), "no SubNets"),
        (having([], "subnets"), "subnets is no JSON object"),
        (having([], "subnets", "small"), "small is no JSON object"),
        (having([1], "subgraphs", ""), "has an empty name"),
        (having([1], "subgraphs", "G1"), "G1 has 1 numbers and that of G0 2"),
        (having([1], "subnets", "large", "vector"), "large has 1 numbers and that of G0 2"),
        (having([], "subgraphs", "G0"), "no list of numbers"),
        (having(["x", 1], "subgraphs", "G0"), "'x', no number"),
        (having(75, "subnets", "small", "accuracy"), "accuracy is 75, no number from 0 to 1"),
        (having(float("nan"), "subnets", "small", "accuracy"), "NaN, which is no number"),
        (having("7", "subnets", "small", "latency_ms", "G0"), "'7', no number"),
        (having(-1, "subnets", "small", "latency_ms", "G0"), "-1, no number"),
        (having(7, "subnets", "small", "latency_ms", "G7"), "'G7', which is none"),
        (json.dumps(SCENARIO).replace("12.25", "1e999"), "inf, no number"),
    ],
)
def test_a_wrong_scenario_is_one_sentence_and_status_2(folder: Path, text: str, said: str) -> None:
    (folder / "s.json").write_text(text)
    refused(folder, said, "s.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column policy"),
        ("policy,accuracy\nstrict_accuracy,0.8\n", "has no column latency_ms"),
        ("policy,accuracy,latency_ms\n", "has no queries"),
        ("policy,accuracy,latency_ms\nstrict,0.8,1\n", "policy is 'strict', neither"),
        ("policy,accuracy,latency_ms\nstrict_latency,0.8\n", "line 2 has more or fewer cells"),
        ("policy,accuracy,latency_ms\nstrict_latency,nan,1\n", "accuracy is 'nan'"),
        ("policy,accuracy,latency_ms\nstrict_latency,80,1\n", "accuracy is '80'"),
        ("policy,accuracy,latency_ms\nstrict_latency,0.8,\n", "latency_ms is ''"),
        ("policy,accuracy,latency_ms\nstrict_latency,0.8,inf\n", "latency_ms is 'inf'"),
    ],
)
def test_wrong_queries_are_one_sentence_and_status_2(folder: Path, text: str, said: str) -> None:
    (folder / "q.csv").write_text(text)
    refused(folder, said, "q.csv")


@pytest.mark.parametrize("name", ["s.json", "q.csv"])
def test_a_file_that_is_not_there_or_no_text_is_said_so(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\xfe\x00")
    refused(folder, "can't be read", name)
    (folder / name).unlink()
    refused(folder, "can't be read: No such file", name)


@pytest.mark.parametrize(
    ("name", "said"), [("s.json", "larger than"), ("q.csv", "letters or more")]
)
def test_a_file_without_an_end_is_a_sentence(folder: Path, name: str, said: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    refused(folder, said, name)


def refused(folder: Path, said: str, name: str) -> None:
    result = replayed(folder)
    assert result.exit_code == 2
    assert any(part in result.stderr for part in said.split("|")), result.stderr
    assert name in result.stderr
    assert result.stderr.count("\n") <= 1, result.stderr
    assert not (folder / "o").exists()


def test_help_teaches_the_files() -> None:
    text = CliRunner().invoke(main, ["sushi", "replay", "--help"]).stdout
    for word in ("subgraphs", "strict_accuracy", "subnet,subgraph,latency_ms,met", "Ties"):
        assert word in text
