"""`infadapter schedule replay`: its files, and a sentence for everything that can be wrong."""

import csv
import random
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main
from infadapter_scheduler import POLICIES

TABLE = """\
model,weights_mb,load_ms,b1_ms,b2_ms,b4_ms,b8_ms,b16_ms
small,20,2,1,2,3,,
large,102.2,8.3,2.73,4.05,5.87,9.93,17.3
"""
HEADER = "arrival_s,model,decided_s,outcome,executor,batch,start_s,end_s,cold"
TIMES_MS: dict[str, dict[int, float]] = {
    "small": {1: 1, 2: 2, 4: 3},
    "large": {1: 2.73, 2: 4.05, 4: 5.87, 8: 9.93, 16: 17.3},
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(TABLE)
    draw, now_s = random.Random(2), 0.0
    lines = ["arrival_s,model,slo_ms"]
    for _ in range(800):
        now_s += draw.expovariate(900)
        model = draw.choice(("small", "large"))
        lines.append(f"{now_s:.6f},{model},{draw.choice((20, 50, 200))}")
    (tmp_path / "arrivals.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def called(folder: Path, *more: str) -> Result:
    names = ("--table", "table.csv", "--arrivals", "arrivals.csv", "--out", "out.csv")
    paths = [str(folder / name) if name.endswith(".csv") else name for name in names]
    return CliRunner().invoke(main, ["schedule", "replay", *paths, *more])


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "out.csv").open() as file:
        return list(csv.DictReader(file))


def test_each_arrival_has_its_row_and_each_execution_takes_what_the_table_says(files: Path) -> None:
    result = called(files, "--executors", "2")
    assert result.exit_code == 0, result.output
    assert (files / "out.csv").read_text().splitlines()[0] == HEADER
    given = list(csv.DictReader((files / "arrivals.csv").read_text().splitlines()))
    rows = rows_of(files)
    assert [(r["arrival_s"], r["model"]) for r in rows] == [
        (g["arrival_s"], g["model"]) for g in given
    ]
    runs = defaultdict(list)
    for row, arrival in zip(rows, given, strict=True):
        if row["outcome"] == "on_time":
            late_s = float(row["end_s"]) - float(arrival["arrival_s"])
            assert late_s <= float(arrival["slo_ms"]) / 1000 + 1e-8
            runs[row["executor"], row["start_s"], row["end_s"]].append(row)
        else:
            assert row["outcome"] == "refused"
            assert float(row["decided_s"]) == float(arrival["arrival_s"])
            assert row["executor"] == row["batch"] == row["start_s"] == ""
    for (_, start_s, end_s), batch in runs.items():
        assert {int(row["batch"]) for row in batch} == {len(batch)}
        took_ms = 1000 * (float(end_s) - float(start_s))
        assert took_ms == pytest.approx(TIMES_MS[batch[0]["model"]][len(batch)], abs=1e-5)
    assert {executor for executor, _, _ in runs} == {"0", "1"}
    assert f"{len(rows)} arrivals: on time" in result.output


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_every_policy_writes_the_same_columns_and_the_same_bytes_twice(
    files: Path, policy: str
) -> None:
    options = ("--policy", policy, "--noise", "0.1", "--seed", "3", "--memory-pages", "9")
    assert called(files, *options).exit_code == 0
    first = (files / "out.csv").read_bytes()
    assert called(files, *options).exit_code == 0
    assert (files / "out.csv").read_bytes() == first
    assert {row["outcome"] for row in rows_of(files)} <= {
        "on_time", "late", "refused", "cancelled"
    }  # fmt: skip


def test_weights_that_are_not_there_make_a_request_cold(files: Path) -> None:
    (files / "arrivals.csv").write_text("arrival_s,model,slo_ms\n1,large,50\n2,large,50\n")
    assert called(files, "--memory-pages", "7").exit_code == 0
    rows = rows_of(files)
    assert [row["cold"] for row in rows] == ["1", "0"]
    assert float(rows[0]["start_s"]) == pytest.approx(1.0083)


def test_a_model_that_is_larger_than_the_memory_is_refused(files: Path) -> None:
    (files / "arrivals.csv").write_text("arrival_s,model,slo_ms\n1,large,50\n2,small,50\n")
    assert called(files, "--memory-pages", "6").exit_code == 0
    assert [row["outcome"] for row in rows_of(files)] == ["refused", "on_time"]


def test_arrivals_need_not_be_in_order_and_keep_theirs(files: Path) -> None:
    (files / "arrivals.csv").write_text("arrival_s,model,slo_ms\n2,large,50\n1,small,50\n")
    assert called(files).exit_code == 0
    assert [row["start_s"][:2] for row in rows_of(files)] == ["2.", "1."]


def test_no_arrivals_are_no_rows(files: Path) -> None:
    (files / "arrivals.csv").write_text("arrival_s,model,slo_ms\n")
    assert called(files).exit_code == 0
    assert (files / "out.csv").read_text() == HEADER + "\n"


def test_a_given_buffer_is_kept_free(files: Path) -> None:
    (files / "arrivals.csv").write_text("arrival_s,model,slo_ms\n1,large,5\n")
    assert called(files, "--buffer-ms", "3").exit_code == 0
    assert rows_of(files)[0]["outcome"] == "refused"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("table.csv", "model,b1_ms\na,1\n", "has no column weights_mb"),
        ("table.csv", TABLE.replace("b2_ms", "b1_ms"), "has two columns 'b1_ms'"),
        ("table.csv", TABLE + "small,20,2,1,2,3,,\n", "small is there twice"),
        ("table.csv", TABLE + "b,20,2,,2,3,,\n", "b has no b1_ms"),
        ("table.csv", TABLE + "b,20,2,-1,2,3,,\n", "b1_ms is '-1'"),
        ("table.csv", TABLE + "b,20,2,x,2,3,,\n", "b1_ms is 'x'"),
        ("table.csv", TABLE.splitlines()[0] + "\n", "has no models"),
        ("table.csv", TABLE + "b,20\n", "line 4 has more or fewer cells"),
        ("table.csv", "\x00\xff", "table.csv"),
        ("arrivals.csv", "arrival_s,model\n1,small\n", "has no column slo_ms"),
        ("arrivals.csv", "arrival_s,model,slo_ms\n1,other,5\n", "no model 'other'"),
        ("arrivals.csv", "arrival_s,model,slo_ms\n1,small,0\n", "slo_ms is '0'"),
        ("arrivals.csv", "arrival_s,model,slo_ms\n1,small,nan\n", "slo_ms is 'nan'"),
        ("arrivals.csv", "arrival_s,model,slo_ms\n-1,small,9\n", "arrival_s is '-1'"),
    ],
)
def test_bad_files_are_one_sentence(files: Path, name: str, text: str, sentence: str) -> None:
    (files / name).write_text(text, encoding="latin-1")
    result = called(files)
    assert result.exit_code == 2
    assert sentence in result.output
    assert not (files / "out.csv").exists()


def test_files_that_are_not_there_and_options_that_cannot_be_are_one_sentence(files: Path) -> None:
    assert called(files, "--noise", "-1").exit_code == 2
    assert called(files, "--executors", "0").exit_code == 2
    assert called(files, "--policy", "best").exit_code == 2
    (files / "table.csv").unlink()
    result = called(files)
    assert result.exit_code == 2
    assert "can't be read" in result.output


def test_the_help_names_files_policies_and_examples() -> None:
    text = CliRunner().invoke(main, ["schedule", "replay", "--help"]).output
    for word in ("arrival_s,model,slo_ms", "decided_s", "Examples:", "clockwork", "--lag-ms"):
        assert word in text
