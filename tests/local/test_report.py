"""The report: one page that needs nothing else, and the same numbers as JSON."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from infadapter_local.measures import measure_run
from infadapter_local.report import Circumstances, Finished, headline, write_report
from infadapter_local.run import Run
from infadapter_local.series import series_of
from infadapter_local.workload import LEAD_IN_S
from infadapter_profiles.profile import OperatingPoint, Profile

ABOUT = Circumstances(
    machine="a <small> machine",
    cores=2,
    limits="CPU is limited by quotas.",
    trace="generated burst",
    duration_s=10.0,
    scale=1.0,
    seed=7,
    speeds={"glyph-1": 1.0, "glyph-2": 0.9},
    speed=0.35,
)
HELD = (
    *("peak_cores_held", "core_seconds_over_budget", "longest_over_budget_s", "plan_changes"),
    "longest_start_s",
)


@pytest.fixture
def finished(played: Run) -> list[Finished]:
    measures = measure_run(
        played.outcomes,
        played.held,
        service=played.service,
        begin_s=LEAD_IN_S,
        end_s=LEAD_IN_S + 10.0,
        cpu_seconds_used=4.0,
        plan_changes_s=played.plan_changes_s,
        starts_s=played.starts_s,
    )
    return [Finished(run=played, measures=measures, explanation="The loop.")]


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path, finished: list[Finished]) -> None:
    page = write_report(tmp_path, finished, ABOUT).read_text()
    assert page.count("<svg") == 6
    fetched = re.findall(r'(?:src|href)="(?!#)([^"]*)"', page)
    assert fetched == []
    assert "a &lt;small&gt; machine" in page
    assert "20 rps are seen." in page
    assert "most cores at once" in page


def test_the_numbers_are_kept_as_json(tmp_path: Path, finished: list[Finished]) -> None:
    write_report(tmp_path, finished, ABOUT)
    facts = json.loads((tmp_path / "report.json").read_text())
    (run,) = facts["runs"]
    assert facts["circumstances"]["seed"] == 7
    assert run["measures"]["arrived"] == 200
    assert facts["circumstances"]["speed"] == 0.35
    held = {name: run["measures"][name] for name in HELD}
    assert held == dict(zip(HELD, (1.0, 0.0, 0.0, 1, LEAD_IN_S + 5.0), strict=True))
    assert run["generator_late_ms"]["p50"] == pytest.approx(1.0)
    assert [plan["at_s"] for plan in run["decisions"]] == [0.5 - LEAD_IN_S, 5.0]
    assert len(run["series"]["second_s"]) == 10


def test_series_are_those_of_the_trace_without_the_lead_in(played: Run) -> None:
    series = series_of(played)
    assert series.arrived_rps == [20.0] * 10
    assert series.p99_ms[0] == pytest.approx(50)
    assert series.p99_ms[-1] == pytest.approx(300)
    assert series.effective_accuracy[0] == pytest.approx(0.7)
    assert series.effective_accuracy[6] == pytest.approx(0.8)
    assert series.cores["glyph-2"][0] == 0.0
    assert series.core_seconds[-1] == pytest.approx(0.5 * 5 + 1.0 * 4.5, abs=0.3)


def test_the_headline_says_what_came_out(finished: list[Finished]) -> None:
    assert headline(finished).startswith("Effective accuracy 67.")


def test_answers_by_network_are_shown_where_pods_choose_one(
    tmp_path: Path, played: Run, finished: list[Finished]
) -> None:
    points = (
        OperatingPoint(name="large", accuracy=0.8),
        OperatingPoint(name="small", accuracy=0.7),
    )
    profile = Profile(
        variant="glyph-1", accuracy=0.8, load_time_s=1, allocations=(), operating_points=points
    )
    outcomes = [
        replace(outcome, point="small" if number % 4 else "large")
        for number, outcome in enumerate(played.outcomes)
    ]
    service = replace(played.service, profiles={"glyph-1": profile})
    run = replace(played, title="ladder", service=service, outcomes=outcomes)
    series = series_of(run)
    assert list(series.points) == ["small", "large"]
    assert series.points["small"][0] == pytest.approx(0.75)
    assert series.effective_accuracy[0] == pytest.approx(0.75 * 0.7 + 0.25 * 0.8)
    grouped = replace(finished[0], run=run)
    page = write_report(tmp_path, [*finished, grouped], ABOUT).read_text()
    assert page.count("<svg") == 7
    assert "Answers by network: ladder" in page
