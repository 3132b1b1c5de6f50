"""`--time-zone` and `--season`: one load by Berlin's clocks, on the morning after they changed."""

import json
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from infadapter.command_line import main

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN_S = int(datetime(2026, 3, 28, 6, 55, tzinfo=BERLIN).timestamp())
DAY_S = 86_400
EIGHT_S = DAY_S + 300
"""Of the trace, the second at which it is eight in Berlin on the next day."""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> str:
    """By the minute; 100 rps from eight on, 10 before."""
    path = tmp_path_factory.mktemp("traces") / "spring.csv"
    rows = ["time,requests per second"]
    for at_s in range(BEGIN_S, BEGIN_S + DAY_S + 1_200, 60):
        busy = 8 <= datetime.fromtimestamp(at_s, BERLIN).hour < 20
        rows.append(f"{datetime.fromtimestamp(at_s, UTC).isoformat()},{100 if busy else 10}")
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def told(*arguments: str) -> Any:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def backtest(trace: str, *arguments: str) -> dict[str, float]:
    """The uncalibrated seasonal forecast of the ten minutes around eight o'clock."""
    part = ("--from", str(EIGHT_S - 300), "--to", str(EIGHT_S + 300), "--quantiles", "0.95")
    found = told("forecast", "backtest", "--trace", trace, *part, *arguments)
    (score,) = [
        score
        for score in found["scores"]
        if score["method"] == "SeasonalNaive" and not score["calibrated"]
    ]
    return dict(score)


@pytest.fixture
def of_few_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten minutes, not of a day: the forecast that is looked at is calibrated on none."""
    monkeypatch.setattr(import_module("infadapter_forecasting.backtest"), "LEARNT_S", 600)


@pytest.mark.usefixtures("of_few_errors")
def test_a_backtest_by_local_clocks_finds_the_hour_that_utc_misses(trace: str) -> None:
    assert backtest(trace)["deepest_rps"] == pytest.approx(100 - 1.1 * 10)
    by_berlin = backtest(trace, "--time-zone", "Europe/Berlin")
    assert (by_berlin["deepest_rps"], by_berlin["coverage"]) == (0, 1)


def test_simulated_pods_are_there_when_work_begins(trace: str) -> None:
    part = ("--from", str(EIGHT_S - 60), "--to", str(EIGHT_S + 30))
    policy = ("--policies", "infadapter", "--no-regret", "--forecast", "SeasonalNaive")
    missed = {
        zone: told("simulate", "--trace", trace, *part, *policy, "--time-zone", zone)["policies"][
            "infadapter"
        ]["violations"]
        for zone in ("UTC", "Europe/Berlin")
    }
    assert missed["Europe/Berlin"] == 0
    assert missed["UTC"] > 0.005


@pytest.mark.parametrize("command", [("simulate",), ("forecast", "backtest")])
def test_a_zone_that_is_none_is_a_sentence(trace: str, command: tuple[str, ...]) -> None:
    result = run(*command, "--trace", trace, "--time-zone", "Europe/Atlantis")
    assert result.exit_code == 2
    assert "no time zone of the IANA database: write one such as Europe/Berlin" in result.stderr


@pytest.mark.parametrize("command", [("simulate",), ("forecast", "backtest")])
def test_a_zone_asks_for_a_trace_that_says_when_it_began(command: tuple[str, ...]) -> None:
    result = run(*command, "--trace", "synthetic:bursty:1", "--time-zone", "Europe/Berlin")
    assert result.exit_code == 2
    assert "--time-zone needs a trace that says when it began" in result.stderr
