"""The paper's evaluation, on its trace, beside its figures."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from infadapter_simulator.part import Part
from infadapter_simulator.policies.fixed import Fixed
from infadapter_simulator.policies.watched import Watched
from infadapter_simulator.reproduction import CASES, PUBLISHED, Row, reproduce
from infadapter_simulator.reproduction_report import as_text, draw
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.traces.reading import read_trace
from infadapter_simulator.traces.trace import Trace

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


def test_a_vpa_of_one_variant_violates_far_more_than_what_chooses_variants(
    rows: tuple[Row, ...],
) -> None:
    violations = {row.case: row.over_seeds(fmean).violations for row in rows}
    worst = max(violations[row.case] for row in planners(rows))
    assert violations["VPA-152", None] > 0.6
    assert violations["VPA-152", None] > violations["VPA-18", None] > worst


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
