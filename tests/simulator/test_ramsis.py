"""RAMSIS's own inputs: its Model-Switching's published decisions, the fluid limit, and ours."""

from pathlib import Path

import numpy as np
import pytest

from infadapter_scheduler import Model, Point, Timed
from infadapter_scheduler.points.frontier import frontier
from infadapter_simulator.reproduction.ramsis.decisions import LOADS_RPS, batch_cap, decisions
from infadapter_simulator.reproduction.ramsis.inputs import (
    WORKERS,
    Step,
    arrivals,
    fastest_for_accuracy,
    networks,
    trace,
)
from infadapter_simulator.reproduction.ramsis.serving import limit, looked_up, policies
from infadapter_simulator.reproduction.superserve.fluid import mixture
from infadapter_simulator.reproduction.superserve.serving import delivered

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "ramsis"
PUBLISHED = {60: "77543222222222111111", 70: "77654322222222222111", 80: "77754332222222222221"}
"""Of nine networks, by load from 200 to 4,000 requests a second."""

PUBLISHED_ACCURACY = {60: 62.7, 70: 65.7, 80: 71.5}
FLUID_LIMIT = {60: 69.9, 70: 74.3, 80: 75.5}
SEED = 3
"""Three of the sixty are so near 1 % that five minutes of other arrivals can decide otherwise."""


@pytest.fixture(scope="module")
def folder() -> Path:
    if not DATA.is_dir():
        pytest.skip("the folder of shared data is not beside the repository")
    return DATA


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return networks(folder)


def test_all_sixty_published_decisions_of_model_switching_come_out(
    model: Model, folder: Path
) -> None:
    able = fastest_for_accuracy(model)
    names = [point.name for point in able]
    assert (len(names), len(model.points)) == (9, 26)
    for workers in WORKERS:
        found = decisions(able, workers, np.random.default_rng(SEED))
        numbers = "".join(str(1 + names.index(decided.point)) for decided in found.values())
        assert numbers == PUBLISHED[workers]
        accuracy = looked_up(model, found, trace(folder))
        assert accuracy == pytest.approx(PUBLISHED_ACCURACY[workers], abs=0.06)


def test_the_fluid_limit_is_within_half_a_point_of_the_known_one(
    model: Model, folder: Path
) -> None:
    for workers in WORKERS:
        found = limit(model, workers, trace(folder))
        assert found == pytest.approx(FLUID_LIMIT[workers], abs=0.5)


CLOSED = {60: 0.35, 70: 0.5, 80: 0.5}
"""Of the gap. Half is what is wanted; 60 workers can hardly serve the highest of these loads."""

MORE_VIOLATIONS = 0.006
"""None is what is wanted: within 150 ms ours refuses some where bursts come to few workers."""


@pytest.mark.parametrize("workers", WORKERS)
def test_ours_closes_much_of_the_gap_at_hardly_more_violations(
    model: Model, folder: Path, workers: int
) -> None:
    """A small part of each step of the trace; the benchmark runs all of it."""
    scale, steps = 0.03, trace(folder)
    able = fastest_for_accuracy(model)
    decided = decisions(able, workers, np.random.default_rng(SEED), seconds=30.0)
    made = policies(model, decided, steps, scale, workers)
    ours, theirs = (
        delivered(made[name](), model, arrivals(steps, scale, np.random.default_rng(1)), workers)
        for name in ("ours", "Model-Switching")
    )
    looked, best = looked_up(model, decided, steps), limit(model, workers, steps)
    assert ours.accuracy >= looked + CLOSED[workers] * (best - looked)
    assert ours.attainment >= theirs.attainment - MORE_VIOLATIONS
    assert ours.late == 0


def test_a_batch_is_capped_by_half_the_slo_of_the_most_accurate_network_that_keeps_up() -> None:
    small = Point("small", 50.0, {1: 0.020, 2: 0.030, 4: 0.060, 8: 0.110})
    large = Point("large", 70.0, {1: 0.050, 2: 0.074, 4: 0.150})
    assert batch_cap([small, large], 25.0) == 2
    assert batch_cap([small, large], 40.0) == 4
    assert batch_cap([small, large], 1000.0) == 4


def test_a_mixture_lies_between_its_neighbours_on_the_hull_and_never_below() -> None:
    points = [
        Timed(0, "a", 50.0, {1: 0.010}),
        Timed(1, "below", 52.0, {1: 0.020}),
        Timed(2, "b", 70.0, {1: 0.030}),
    ]
    rungs = frontier(points, 1.0)
    assert [rung.point.name for rung in rungs] == ["a", "b"]
    assert mixture(rungs, 0.005) == 50.0
    assert mixture(rungs, 0.020) == pytest.approx(60.0)
    assert mixture(rungs, 1.0) == 70.0


def test_the_loads_that_are_decided_for_cover_the_trace(folder: Path) -> None:
    steps = trace(folder)
    assert len(steps) == 27
    assert max(step.rate_rps for step in steps) <= max(LOADS_RPS)
    assert steps[0] == Step(0.0, 1850.0)
