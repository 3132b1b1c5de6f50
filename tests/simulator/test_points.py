"""Simulated pods with operating points: who is welcome, which point answers, what a mixture is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter.profiles import read_preset
from infadapter_profiles.grouped import grouped
from infadapter_scheduler import Arrival, Model, Point, Scheduler
from infadapter_scheduler import World as Executors
from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_scheduler.virtual import replay
from infadapter_simulator.measures import accuracy_over_time, measured
from infadapter_simulator.scenario import PodSpeed, PointSpeed, Scenario, speeds_of, variants_of
from infadapter_simulator.simulate import flat_history
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.queues import MOST_WAITING, ON_TIME, REFUSED, Floats
from infadapter_simulator.world.traffic import Traffic
from infadapter_simulator.world.world import World
from infadapter_solver import PodSize
from tests.deep import drawn

SLO_S = 0.75
LADDER = (PointSpeed(0.8, 0.2), PointSpeed(0.75, 0.1), PointSpeed(0.7, 0.04))


def pod(servers: int, *points: PointSpeed) -> PodSpeed:
    return PodSpeed(servers, points[-1].service_s, points)


def served(
    arrivals_s: Floats, speed: PodSpeed, limit: int | None = None, slo_s: float = SLO_S
) -> Traffic:
    """One pod; rows of other sizes leave room for resizes."""
    widest = {("v", PodSize()): speed, ("v", PodSize(batch_size=2)): PodSpeed(8, 1.0)}
    traffic = Traffic(arrivals_s, Scenario(variants=(), speeds=widest, slo_s=slo_s), 1)
    traffic.add(speed, limit, 0.0)
    traffic.route({0: 1})
    return traffic


def accuracies(traffic: Traffic) -> Floats:
    return traffic.accuracies(traffic.outcomes() != REFUSED, np.zeros(1))


def evenly(rps: float, seconds: float) -> Floats:
    return np.arange(0.5 / rps, seconds, 1 / rps)


def poisson(rps: float, seconds: float, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0, seconds, rng.poisson(rps * seconds)))


times = st.lists(st.floats(0, 4, allow_nan=False, width=32), max_size=60).map(
    lambda found: np.sort(np.array(found, dtype=np.float64))
)
sizes = st.tuples(st.integers(1, 8), st.floats(0.015625, 1, width=32))


@settings(max_examples=drawn(50), deadline=None)
@given(
    times,
    sizes,
    st.lists(st.tuples(st.floats(0, 4, width=32), sizes), max_size=4),
    st.sampled_from([None, 0, 1, 3, MOST_WAITING]),
)
def test_with_one_point_a_pod_is_as_one_without_points(
    arrivals_s: Floats,
    size: tuple[int, float],
    resizes: list[tuple[float, tuple[int, float]]],
    limit: int | None,
) -> None:
    plain = served(arrivals_s, PodSpeed(*size), limit)
    one = served(arrivals_s, pod(size[0], PointSpeed(0.7, size[1])), limit)
    for at_s, (servers, service_s) in sorted(resizes):
        for traffic in (plain, one):
            traffic.advance(at_s)
        plain.resize(0, PodSpeed(servers, service_s), limit, at_s)
        one.resize(0, pod(servers, PointSpeed(0.7, service_s)), limit, at_s)
    for traffic in (plain, one):
        traffic.advance(np.inf)
    assert one.outcomes().tolist() == plain.outcomes().tolist()
    assert one.start_s.tolist() == plain.start_s.tolist()
    assert one.finish_s.tolist() == plain.finish_s.tolist()
    assert set(accuracies(one)) <= {0.7}


points = st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.01, 0.5)), min_size=1, max_size=4).map(
    lambda found: tuple(map(PointSpeed, *map(sorted_down, zip(*found, strict=True))))
)


def sorted_down(values: tuple[float, ...]) -> list[float]:
    return sorted(values, reverse=True)


@settings(max_examples=drawn(100), deadline=None)
@given(times, st.integers(1, 4), points)
def test_nobody_who_was_taken_is_late_for_a_better_answer_to_another(
    arrivals_s: Floats, servers: int, ladder: tuple[PointSpeed, ...]
) -> None:
    traffic = served(arrivals_s, pod(servers, *ladder))
    traffic.advance(np.inf)
    assert set(traffic.outcomes()) <= {ON_TIME, REFUSED}
    taken = traffic.slot_of == 0
    takes_s = traffic.finish_s[taken] - traffic.start_s[taken]
    known = {round(point.service_s, 9): 0.0 for point in ladder}
    assert {round(float(s), 9) for s in takes_s} <= known.keys()


@settings(max_examples=drawn(50), deadline=None)
@given(times, st.integers(1, 4), points)
def test_no_more_are_served_at_once_than_there_are_servers(
    arrivals_s: Floats, servers: int, ladder: tuple[PointSpeed, ...]
) -> None:
    traffic = served(arrivals_s, pod(servers, *ladder))
    traffic.advance(np.inf)
    traffic.outcomes()
    taken = traffic.slot_of == 0
    begins, ends = np.sort(traffic.start_s[taken]), np.sort(traffic.finish_s[taken])
    late = np.arange(len(begins)) >= servers
    assert (begins[late] >= ends[: len(ends) - servers][: late.sum()] - 1e-9).all()
    assert (np.diff(traffic.start_s[taken]) >= 0).all()  # first come, first served


def test_when_little_comes_all_is_answered_by_the_most_accurate_point() -> None:
    traffic = served(evenly(1.0, 60.0), pod(1, *LADDER))
    traffic.advance(60.0)
    assert set(accuracies(traffic)) == {0.8}


def test_when_all_that_can_be_served_comes_all_is_answered_by_the_fastest() -> None:
    traffic = served(evenly(24.5, 60.0), pod(1, *LADDER))
    traffic.advance(60.0)
    assert accuracies(traffic).mean() < 0.703
    assert (traffic.outcomes() == ON_TIME).mean() > 0.995


def test_a_burst_costs_accuracy_in_place_of_deadlines() -> None:
    """Within the fastest point's rate, beyond the best one's: nobody is refused."""
    burst = np.sort(np.concatenate([evenly(3.0, 60.0), 30.0 + evenly(12.0, 5.0)]))
    found = served(burst, pod(1, *LADDER))
    found.advance(60.0)
    assert set(found.outcomes()) == {ON_TIME}
    during = (burst > 31.0) & (burst < 35.0)
    assert accuracies(found)[during].mean() < 0.76 < accuracies(found)[burst < 30.0].min()
    best = served(burst, PodSpeed(1, 0.2))
    best.advance(60.0)
    assert (best.outcomes() == REFUSED).sum() > 20


def test_a_pod_that_failed_has_nobody_waiting() -> None:
    traffic = served(np.full(8, 1.0), pod(1, *LADDER))
    traffic.advance(1.01)
    traffic.fail(0, 1.01)
    assert (traffic.outcomes() != ON_TIME).all()
    assert traffic.lost.all()


def test_who_waits_when_a_pod_grows_gets_its_new_servers() -> None:
    traffic = served(np.full(3, 1.0), pod(1, PointSpeed(0.8, 0.25)))
    traffic.advance(1.1)
    traffic.resize(0, pod(3, PointSpeed(0.8, 0.25)), None, 1.1)
    traffic.advance(9.0)
    assert traffic.start_s.tolist() == [1.0, 1.1, 1.1]


# The paper's networks in one pod


def run(scenario: Scenario, cores: int, rps: float, seconds: int = 300) -> World:
    arrivals_s = poisson(rps, seconds)
    world = world_of_requests(scenario, arrivals_s, flat_history(rps), seconds, 1)
    only = world.start("all", scenario.allocation("all", 1000 * cores).size, ready=True)
    world.route({only.name: 1})
    world.advance(float(seconds))
    return world


def planned(scenario: Scenario, cores: int, rps: float) -> float:
    """By the segments of a pod, which are filled by falling marginal accuracy."""
    variant = scenario.variant("all")
    left_rps, found = rps, 0.0
    for segment in variant.segments(scenario.allocation("all", 1000 * cores)):
        takes_rps = min(left_rps, segment.rps)
        left_rps, found = left_rps - takes_rps, found + takes_rps * segment.accuracy
    return found / (rps - left_rps)


@pytest.mark.parametrize("cores", [2, 4, 8])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.7, 0.85])
def test_a_mixture_is_as_accurate_as_planned_and_in_time(
    together: Scenario, cores: int, share: float
) -> None:
    """Between two points' capacities, which are at a percentile and so need not add up."""
    rps = share * together.allocation("all", 1000 * cores).capacity_rps
    found = measured(run(together, cores, rps))
    assert found.violations <= 0.01
    assert found.effective_accuracy == pytest.approx(planned(together, cores, rps), rel=0.02)


def test_accuracy_over_time_is_that_of_the_answers(together: Scenario) -> None:
    world = run(together, 4, 40.0, 100)
    _, found = accuracy_over_time(world, 50.0)
    assert found.mean() == pytest.approx(measured(world).effective_accuracy, rel=0.01)
    assert found.max() < world.scenario.variant("all").accuracy - 0.01


def test_where_no_pod_was_ever_ready_there_is_no_accuracy(together: Scenario) -> None:
    separate = variants_of(read_preset("paper-raw"), SLO_S, 99.0)
    for scenario in (together, replace(together, variants=separate, speeds={})):
        world = world_of_requests(scenario, poisson(5.0, 50), flat_history(5.0), 50, 1)
        world.advance(50.0)
        assert np.isnan(accuracy_over_time(world)[1]).all()
        found = measured(world)
        assert (found.violations, found.effective_accuracy) == (1.0, 0.0)


@pytest.mark.parametrize("rps", [8.0, 14.0, 22.0, 40.0])
def test_it_answers_about_as_the_scheduler_of_the_pod_does(rps: float) -> None:
    """Two executors; batches are of one request in both."""
    names = [Point(f"p{n}", p.accuracy, {1: p.service_s}) for n, p in enumerate(LADDER)]
    model = Model("m", {}, points=tuple(names))
    arrivals_s = poisson(rps, 200.0)
    fates = replay(
        Scheduler([model], points=KeepingUp()),
        [Arrival(float(at_s), "m", SLO_S) for at_s in arrivals_s],
        Executors({"m": model}, executors=2),
    )
    in_time = [fate for fate in fates if fate.outcome == "on_time"]
    accuracy = np.mean([model.points[fate.point].accuracy for fate in in_time])
    traffic = served(arrivals_s, pod(2, *LADDER))
    traffic.advance(np.inf)
    assert accuracies(traffic).mean() == pytest.approx(accuracy, abs=0.01)
    attained = (traffic.outcomes() == ON_TIME).mean()
    assert attained == pytest.approx(len(in_time) / len(fates), abs=0.01)


FIVE = tuple(
    PointSpeed(accuracy, seconds)
    for accuracy, seconds in (
        (0.932, 0.2),
        (0.923, 0.1),
        (0.914, 0.06),
        (0.885, 0.04),
        (0.836, 0.03),
    )
)


@pytest.mark.parametrize("servers", [1, 4])
@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 0.95])
def test_it_is_within_a_point_of_accuracy_and_two_in_time_of_the_default_policy(
    servers: int, share: float
) -> None:
    """Executors have a queue each, servers one together: that is what they differ by."""
    model = Model("m", {}, points=tuple(Point(str(p), p.accuracy, {1: p.service_s}) for p in FIVE))
    arrivals_s = poisson(share * servers / FIVE[-1].service_s, 40.0)
    fates = replay(
        Scheduler([model], points=KeepingUp()),
        [Arrival(float(at_s), "m", SLO_S) for at_s in arrivals_s],
        Executors({"m": model}, executors=servers),
    )
    in_time = [fate for fate in fates if fate.outcome == "on_time"]
    accuracy = np.mean([model.points[fate.point].accuracy for fate in in_time])
    traffic = served(arrivals_s, pod(servers, *FIVE))
    traffic.advance(np.inf)
    assert accuracies(traffic).mean() == pytest.approx(accuracy, abs=0.01)
    attained = (traffic.outcomes() == ON_TIME).mean()
    assert attained == pytest.approx(len(in_time) / len(fates), abs=0.02)


def test_points_that_full_load_finds_needless_are_left_out() -> None:
    """By capacity one is faster; by the rate at full load a better one is as fast."""
    small, *_, large = read_preset("paper-raw")
    quick = replace(
        large,
        allocations=tuple(replace(row, saturation_rps=1000.0) for row in large.allocations),
    )
    one = grouped("both", [small, quick])
    variants = variants_of([one], SLO_S, 99.0)
    for speed in speeds_of([one], variants).values():
        assert [point.accuracy for point in speed.points] in ([large.accuracy], [small.accuracy])
