"""`infadapter forecast`: backtests, networks, and a sentence for each mistake."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main
from infadapter.commands import forecast_train
from infadapter_forecasting import PublishedLstm, QuantileNetwork, ScaledLstm

HOUR_S = 3600


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An hour and a half of waves."""
    path = tmp_path_factory.mktemp("traces") / "waves.csv"
    mean_rps = 60 + 30 * np.sin(np.arange(5400) / 150)
    counts = np.random.default_rng(0).poisson(mean_rps)
    rows = [f"{second},{count}" for second, count in enumerate(counts)]
    path.write_text("\n".join(["second,requests", *rows]) + "\n")
    return str(path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["forecast", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    return result


def backtest(*arguments: str) -> Any:
    result = run("backtest", *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def train(*arguments: str) -> Result:
    pytest.importorskip("torch", reason="training needs torch")
    return run("train", *arguments)


def test_a_table_has_every_method_for_every_quantile(trace: str) -> None:
    result = run("backtest", "--trace", trace, "--to", "1500", "--quantiles", "0.9,0.5")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Highest 5 s mean of the next 60 s, 169 times")
    for method in ("QuantileNetwork", "LastMaximum", "Exponential", "SeasonalNaive", "Auto"):
        rows = [line.split() for line in result.stdout.splitlines() if line.startswith(method)]
        assert {row[-8] for row in rows} == {"0.5", "0.9"}
    assert "about 1,500 s of load" in result.stderr


def test_json_has_what_the_library_found(trace: str) -> None:
    short = ("--to", "1200", "--horizon-seconds", "15", "--bucket-seconds", "1")
    found = backtest("--trace", trace, *short)
    assert found["question"] == {"horizon_s": 15, "bucket_s": 1, "step_s": 5, "warm_up_s": 600}
    score = found["scores"][0]
    assert score.keys() >= {"pinball_rps", "coverage", "deepest_rps", "under_s", "longest_s"}
    assert 60 < found["came_rps"] < 120


def test_what_is_before_the_part_was_seen_and_is_not_scored(trace: str) -> None:
    part = ("--from", "3000", "--to", "3300")
    found = backtest("--trace", trace, *part, "--quantiles", "0.9")
    assert found["question"]["warm_up_s"] == 3000
    assert found["origins"] == (300 - 60) / 5 + 1


def test_rates_can_be_scaled_and_made_up(trace: str) -> None:
    few = ("--to", "900", "--quantiles", "0.9")
    once, twice = (
        backtest("--trace", trace, "--rate-scale", factor, *few) for factor in ("1", "2")
    )
    assert twice["came_rps"] == pytest.approx(2 * once["came_rps"])
    assert backtest("--trace", "synthetic:bursty:3", *few)["origins"] > 0


@pytest.mark.process
def test_a_network_goes_on_from_the_shipped_one(trace: str, tmp_path: Path) -> None:
    output = tmp_path / "own.npz"
    result = train("--trace", trace, "--to", "3600", "--output", str(output))
    assert result.exit_code == 0, result.output
    assert f"The network is {output}" in result.stdout
    assert "1 of 10 epochs done in" in result.stderr
    own, shipped = QuantileNetwork.read(output), QuantileNetwork.read()
    apart = np.abs(own.weights["first_weight"] - shipped.weights["first_weight"])
    assert 0 < apart.max() < 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["own.npz"]
    assert backtest("--trace", trace, "--to", "900", "--network", str(output))["origins"] > 0


@pytest.mark.process
def test_an_lstm_is_trained_and_asked(trace: str, tmp_path: Path) -> None:
    published, scaled = tmp_path / "published.npz", tmp_path / "scaled.npz"
    for method, output in (("published-lstm", published), ("scaled-lstm", scaled)):
        result = train("--trace", trace, "--method", method, "--output", str(output))
        assert result.exit_code == 0, result.output
    found = backtest(
        *("--trace", trace, "--to", "1500", "--quantiles", "0.9"),
        *("--published-lstm", str(published), "--scaled-lstm", str(scaled)),
    )
    assert {"PublishedLstm", "ScaledLstm"} <= {score["method"] for score in found["scores"]}
    assert run("backtest", "--trace", trace, "--published-lstm", str(scaled)).exit_code == 2
    assert not np.array_equal(
        PublishedLstm.read(published).weights["bias"], ScaledLstm.read(scaled).weights["bias"]
    )


def test_the_shipped_network_is_made_by_its_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forecast_train.SHIPPED == {"training_traces": 900, "varied_loads": 2_100}
    monkeypatch.setattr(forecast_train, "SHIPPED", {"training_traces": 1, "varied_loads": 2})
    output = tmp_path / "default.npz"
    result = train("--synthetic", "--output", str(output))
    assert result.exit_code == 0, result.output
    assert "Making 3 loads" in result.stderr
    assert QuantileNetwork.read(output).weights.keys() == QuantileNetwork.read().weights.keys()


def test_training_without_torch_says_what_to_install(
    trace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("train", "--trace", trace, "--output", str(tmp_path / "own.npz"))
    assert result.exit_code == 1
    assert "needs torch, which is not installed: pip install 'infadapter[" in result.stderr
    assert not list(tmp_path.iterdir())


def test_what_fails_leaves_the_old_file(
    trace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def write(self, path: Path) -> None:
            path.write_text("half")
            raise KeyboardInterrupt

    monkeypatch.setattr(forecast_train, "_own", lambda *_: Interrupted())
    output = tmp_path / "own.npz"
    output.write_text("old")
    result = train("--trace", trace, "--to", "3600", "--output", str(output))
    assert result.exit_code == 130
    assert result.stderr.strip().endswith("Interrupted.")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("own.npz", "old")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backtest",), "Missing option '--trace'"),
        (("backtest", "--trace", "absent.csv"), "absent.csv cannot be read: No such file"),
        (("backtest", "--trace", "synthetic:odd"), "There is no synthetic trace 'odd'"),
        (("backtest", "--trace", "TRACE", "--from", "9000"), "has no part from 9000 s to 5400 s"),
        (("backtest", "--trace", "TRACE", "--to", "620"), "too short: give 660 s or more"),
        (("backtest", "--trace", "TRACE", "--quantiles", "1"), "'1' is no number from 0.01"),
        (
            ("backtest", "--trace", "TRACE", "--network", "no.npz"),
            "no.npz can't be read: No such file",
        ),
        (("train", "--output", "x.npz"), "Give either --trace or --synthetic"),
        (("train", "--trace", "TRACE"), "Missing option '--output'"),
        (("train", "--trace", "TRACE", "--synthetic", "--output", "x.npz"), "Give either"),
        (("train", "--trace", "TRACE", "--output", "x.bin"), "must end in .npz, not x.bin"),
        (("train", "--trace", "TRACE", "--output", "no/x.npz"), "no/x.npz can't be written"),
        (
            ("train", "--synthetic", "--method", "published-lstm", "--output", "x.npz"),
            "learns the size of one load: give --trace",
        ),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_sentence(
    arguments: tuple[str, ...], said: str, trace: str
) -> None:
    result = run(*(trace if each == "TRACE" else each for each in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr.splitlines()[-1]


def test_too_short_a_history_is_refused(trace: str, tmp_path: Path) -> None:
    result = train("--trace", trace, "--to", "900", "--output", str(tmp_path / "own.npz"))
    assert result.exit_code == 2
    assert f"900 s are too short to learn from: give {HOUR_S} s" in result.stderr


def test_help_teaches_by_example() -> None:
    for command in ("backtest", "train"):
        text = run(command, "--help").stdout
        assert f"infadapter forecast {command} --trace requests.csv" in text
    assert {"backtest", "train"} <= set(run("--help").stdout.split())
