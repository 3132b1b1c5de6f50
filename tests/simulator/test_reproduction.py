"""The paper's evaluation, on its trace, beside its figures."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from infadapter_simulator.part import Part
from infadapter_simulator.policies.hindsight.fixed import Fixed
from infadapter_simulator.policies.papers.watched import Watched
from infadapter_simulator.reproduction.report import as_facts, as_text, differences, draw
from infadapter_simulator.reproduction.reproduction import CASES, PUBLISHED, Row, reproduce
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_workload.reading import read_trace
from infadapter_workload.trace import Trace

TRACE = Path(__file__).parents[2].parent / "shared" / "data" / "twitter2021"


def nobody(done: int, total: int) -> None:
    return


@pytest.fixture(scope="module")
def rows(paper: Scenario) -> tuple[Row, ...]:
    path = TRACE / "day15_bursty_1260s.csv"
    if not path.exists():
        pytest.skip("the folder of shared data is not beside the repository")
    trace = read_trace(path)
    return reproduce(Part(trace=trace, from_s=0, to_s=trace.seconds), paper, nobody, seeds=[0, 1])


def mean_violations(rows: tuple[Row, ...]) -> dict[str, float]:
    return {row.case[0]: row.over_seeds(fmean).violations for row in rows if row.case[1] is None}


def planners(rows: tuple[Row, ...]) -> list[Row]:
    return [row for row in rows if row.case[1] is not None]


def test_cores_are_within_15_percent_of_the_published_ones(rows: tuple[Row, ...]) -> None:
    for row in planners(rows):
        found = row.over_seeds(fmean).cores
        assert found == pytest.approx(row.published.cores, rel=0.15), row.case


def test_accuracy_loss_is_within_0_6_points_of_the_published_one(rows: tuple[Row, ...]) -> None:
    for row in planners(rows):
        found = row.over_seeds(fmean).accuracy_loss_points
        assert found == pytest.approx(row.published.accuracy_loss_points, abs=0.6), row.case


def test_with_what_was_fitted_to_one_vpa_the_cores_of_all_are_the_published_ones(
    rows: tuple[Row, ...],
) -> None:
    for row in rows:
        if row.case[1] is None:
            assert row.over_seeds(fmean).cores == pytest.approx(row.published.cores, rel=0.06)


def test_vpa_18_stands_on_the_five_cores_that_were_fitted(rows: tuple[Row, ...]) -> None:
    vpa = next(row for row in rows if row.case[0] == "VPA-18")
    for run in vpa.runs:
        at_s, cores = run.timeline.at_s, run.timeline.cores
        assert set(cores[at_s < 120]) == {20}
        assert set(cores[(at_s > 300) & (at_s < 550)]) == {5}


def test_a_vpa_of_one_variant_violates_far_more_than_what_chooses_variants(
    rows: tuple[Row, ...],
) -> None:
    worst = max(row.over_seeds(fmean).violations for row in planners(rows))
    found = mean_violations(rows)
    assert found["VPA-152"] > 0.6
    assert found["VPA-152"] > found["VPA-50"] > found["VPA-18"] > 5 * worst


def test_what_differs_is_said_with_reasons(rows: tuple[Row, ...]) -> None:
    said = differences(rows)
    assert "VPA-18: +" in said
    assert "Fitted: 40 ms of a core" in said
    assert "VPA-152:" not in said
    assert as_facts(rows)[-1]["published"]["cores"] == 18.9


def test_the_table_shows_all_systems_beside_the_published_figures(rows: tuple[Row, ...]) -> None:
    lines = as_text(rows).splitlines()
    assert len(lines) == 1 + len(CASES)
    assert lines[2].split()[:2] == ["InfAdapter", "0.05"]
    assert "14.2" in lines[2]


def test_there_is_a_picture_for_each_price(rows: tuple[Row, ...], tmp_path: Path) -> None:
    paths = draw(rows, tmp_path / "pictures")
    assert len(paths) == 3
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths)


def test_seeds_keep_their_runs_and_their_order(paper: Scenario) -> None:
    trace = Trace(name="flat", rates=np.full(150, 20.0))
    part = Part(trace=trace, from_s=0, to_s=150)
    cases = CASES[:2]
    both = reproduce(part, paper, nobody, seeds=[3, 4], cases=cases)
    later = reproduce(part, paper, nobody, seeds=[4], cases=cases)
    for row, alone in zip(both, later, strict=True):
        assert row.published == PUBLISHED[row.case]
        assert row.runs[1].figures == alone.runs[0].figures


def test_cores_are_sampled_every_five_seconds_while_the_policy_does_as_it_would(
    paper: Scenario,
) -> None:
    watched = Watched(Fixed("resnet50", 8), {("resnet50", 8000): 5})
    load = Workload(
        name="flat",
        arrivals_s=np.arange(0, 60, 0.1),
        seconds=60,
        history_rps=flat_history(10.0),
    )
    simulate(watched, paper, load, 1)
    assert watched.name == "fixed-resnet50-8"
    assert watched.cores == [8.0] * 12
    assert np.diff(watched.at_s)[1:] == pytest.approx(5.0)
