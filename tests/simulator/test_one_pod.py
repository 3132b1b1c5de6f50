"""A scenario whose only variant has the networks of another's variants as its points."""

from dataclasses import replace

import numpy as np
import pytest

from infadapter_simulator.compare.compare import compare
from infadapter_simulator.compare.naming import ONE_POD, OURS
from infadapter_simulator.measures import cores_over_time, measured
from infadapter_simulator.one_pod import GROUPED, beside, in_one_pod
from infadapter_simulator.part import Part
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import simulate
from infadapter_workload.reading import named_trace
from infadapter_workload.trace import Trace


@pytest.fixture(scope="module")
def part() -> Part:
    return Part(trace=named_trace("synthetic:bursty:1", False, None), from_s=1000, to_s=1200)


def test_it_is_the_scenario_of_the_profile_that_is_grouped(
    paper: Scenario, together: Scenario
) -> None:
    found = in_one_pod(paper)
    (variant,), (profiled,) = found.variants, together.variants
    assert variant == replace(profiled, name=GROUPED)
    for allocation in variant.allocations:
        alone = together.speed(profiled.name, allocation.size)
        assert found.speed(GROUPED, allocation.size) == alone


def test_both_are_offered_beside_each_other(paper: Scenario) -> None:
    both = beside(paper, in_one_pod(paper))
    assert [variant.name for variant in both.variants][-2:] == [paper.variants[-1].name, GROUPED]
    assert set(both.profiles) == {variant.name for variant in both.variants}
    assert both.speed(GROUPED, both.variants[-1].allocations[0].size).points


def test_ours_with_one_pod_misses_fewer_and_is_outside_of_the_bracket(
    paper: Scenario, part: Part
) -> None:
    found = compare(paper, [OURS, ONE_POD], part, [1], lambda done, total: None, with_regret=False)
    ours, grouped = (result.measures[0] for result in found.results)
    assert grouped.violations < 0.002 < ours.violations
    assert grouped.regret is None


def test_ours_grows_pods_that_could_serve_a_higher_load_less_accurately(together: Scenario) -> None:
    """Five times the load, which what runs would serve with its fastest networks."""
    rates = np.repeat([25.0, 120.0], [60, 120])
    trace = Trace(name="a step", rates=rates)
    workload = Part(trace=trace, from_s=0, to_s=180).workload(1)
    world = simulate(Ours(service=service_of(together)), together, workload, 1)
    assert measured(world).violations < 0.01
    _, cores = cores_over_time(world, 1.0)
    before, after = cores["all"][50], cores["all"][110:].max()
    small = together.allocation("all", round(1000 * before))
    assert small.capacity_rps > 120.0
    assert after >= 1.3 * before
