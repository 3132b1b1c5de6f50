"""Whoever knows the future is ready for it, and pays for what the others pay for."""

import numpy as np
import pytest

from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.hindsight.clairvoyant import Clairvoyant
from infadapter_simulator.policies.hindsight.fluid import fluid_bound
from infadapter_simulator.policies.hindsight.foresight import Foresight, ways
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.world import World


def a_load(*pieces: tuple[int, float]) -> Workload:
    """`pieces` are (seconds, rps); requests are evenly apart within a second."""
    rates = [int(rps) for seconds, rps in pieces for _ in range(seconds)]
    arrivals = [i + (np.arange(n) + 0.5) / n for i, n in enumerate(rates) if n]
    return Workload(
        name="made up",
        arrivals_s=np.concatenate(arrivals),
        seconds=len(rates),
        history_rps=flat_history(float(rates[0])),
    )


def foreseen(scenario: Scenario, load: Workload, **changes: object) -> World:
    way = Foresight(**{"headroom": 0.9, "window_s": 30, "statistic": "max", **changes})  # type: ignore[arg-type]
    return simulate(Clairvoyant(way, scenario, load), scenario, load, 1)


def ours_on(scenario: Scenario, load: Workload) -> Measures:
    return measured(simulate(Ours(service=service_of(scenario)), scenario, load, 1))


STEP = ((90, 40.0), (90, 200.0), (90, 40.0))


def test_a_step_that_is_foreseen_costs_no_request(paper: Scenario) -> None:
    assert measured(foreseen(paper, a_load(*STEP))).violations == 0.0


def test_what_is_ready_for_a_step_was_paid_for_while_it_started(paper: Scenario) -> None:
    world = foreseen(paper, a_load(*STEP))
    begun = [h.at_s for h in world.held if h.at_s > 0 and h.millicores]
    assert begun
    assert min(begun) < 90.0


def test_nothing_of_the_past_is_kept_for_ever(paper: Scenario) -> None:
    load = a_load(*STEP)
    assert {p.target for p in foreseen(paper, load).pods} == {
        p.target for p in foreseen(paper, a_load((270, 40.0))).pods
    }


def test_a_steady_load_is_planned_once(paper: Scenario) -> None:
    world = foreseen(paper, a_load((120, 60.0)))
    assert all(held.at_s == 0.0 for held in world.held)


def test_demands_are_those_of_the_windows() -> None:
    rates = np.array([1.0, 3.0, 5.0, 5.0, 2.0])
    way = Foresight(headroom=1.0, window_s=2, statistic="mean")
    assert way.demands(rates) == [2.0, 5.0, 2.0]
    assert Foresight(headroom=1.0, window_s=2, statistic="max").demands(rates) == [3.0, 5.0, 2.0]


def test_there_are_as_many_ways_as_the_definition_names() -> None:
    assert len(list(ways())) == len({str(way) for way in ways()}) == 8 * 3 * 2


def test_the_optimum_of_every_second_is_above_ours_and_the_clairvoyant_s(paper: Scenario) -> None:
    load = a_load((60, 40.0), (60, 120.0), (60, 80.0))
    bound = fluid_bound(paper, load)
    ours = ours_on(paper, load)
    assert ours.objective < bound
    assert measured(foreseen(paper, load)).objective < bound


def test_ours_is_within_a_few_per_cent_of_it_on_a_ramp(paper: Scenario) -> None:
    load = a_load(*((10, rate) for rate in range(40, 160, 6)))
    ours = ours_on(paper, load)
    best = max(measured(foreseen(paper, load, headroom=h)).objective for h in (0.9, 1.0))
    assert ours.violations < 0.01
    assert ours.objective == pytest.approx(best, rel=0.02)
