"""Traffic as rates: what pods get and miss of them, and what is seen of them."""

import asyncio
from dataclasses import replace

import pytest

from infadapter_operator.domain.load import Delivered
from infadapter_simulator.platform import SimulatedLoad
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.fluid import Fluid
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation, PodSize, Variant

ONE, TWO = (PodSize(resources={CPU: 1000 * cores}) for cores in (1, 2))
SCENARIO = Scenario(
    variants=(
        Variant(
            name="a",
            accuracy=0.7,
            load_time_s=1.0,
            allocations=(
                Allocation(size=ONE, capacity_rps=10.0),
                Allocation(size=TWO, capacity_rps=20.0),
            ),
        ),
    ),
    speeds={("a", ONE): PodSpeed(1, 0.1), ("a", TWO): PodSpeed(2, 0.1)},
    slo_s=0.5,
    scrape_lag_s=0.0,
)


def rising(at_s: float) -> float:
    return 2.0 * at_s


def begun(fluid: Fluid, *weights: int) -> tuple[World, SimulatedLoad]:
    world = World(SCENARIO, fluid, fluid.until)
    pods = [world.start("a", ONE, ready=True) for _ in weights]
    world.route({pod.name: weight for pod, weight in zip(pods, weights, strict=True)})
    return world, SimulatedLoad(world)


def delivered_within(world: World, load: SimulatedLoad, seconds: float) -> dict[str, Delivered]:
    asyncio.run(load.delivered(seconds, world.now_s))
    world.advance(world.now_s + seconds)
    return dict(asyncio.run(load.delivered(seconds, world.now_s)))


def test_pods_get_their_shares_and_miss_what_is_beyond_their_rate() -> None:
    found = delivered_within(*begun(Fluid(SCENARIO, lambda _: 20.0), 3, 1), 10.0)
    assert found == {"a-0": Delivered(15.0, 5.0, 10.0), "a-1": Delivered(5.0, 0.0, 10.0)}


def test_what_evens_out_within_seconds_is_not_missed() -> None:
    fluid = Fluid(SCENARIO, lambda at_s: 14.0 if at_s % 2 else 6.0)
    (found,) = delivered_within(*begun(fluid, 1), 10.0).values()
    assert found == Delivered(10.0, 0.0, 10.0)


@pytest.mark.parametrize("step_s", [0.3, 1.0, 5.0])
def test_every_second_has_its_own_rate_however_time_is_passed(step_s: float) -> None:
    fluid = Fluid(SCENARIO, rising)
    world, _ = begun(fluid, 1)
    while world.now_s < 10.0:
        world.advance(min(10.0, world.now_s + step_s))
    sent, missed = fluid.counts(0)
    assert sent == pytest.approx(110.0)
    assert missed == pytest.approx(10.0)


def test_pods_that_deliver_less_than_promised_miss_more() -> None:
    fluid = Fluid(SCENARIO, lambda _: 10.0)
    fluid.delivers = 0.7
    (found,) = delivered_within(*begun(fluid, 1), 10.0).values()
    assert found.missed_rps == pytest.approx(3.0)


def test_a_pod_that_grows_misses_no_more() -> None:
    world, load = begun(Fluid(SCENARIO, lambda _: 20.0), 1)
    world.resize(world.pods[0], TWO)
    world.advance(10.0)
    (found,) = delivered_within(world, load, 10.0).values()
    assert found == Delivered(20.0, 0.0, 10.0)


def test_a_pod_ends_when_nobody_sends_to_it() -> None:
    world, _ = begun(Fluid(SCENARIO, lambda _: 50.0), 1)
    world.remove(world.pods[0])
    world.advance(10.0)
    assert world.pods
    world.route({})
    world.advance(10.0 + SCENARIO.weights_lag_s + SCENARIO.drain_s)
    assert not world.pods


def test_what_is_seen_of_the_load_is_whole_seconds_since_it_began() -> None:
    fluid = Fluid(SCENARIO, rising, began_s=3.0)
    world = World(replace(SCENARIO, scrape_lag_s=2.0), fluid, fluid.until)
    world.advance(8.5)
    samples = asyncio.run(SimulatedLoad(world).history(60.0, world.now_s)).samples
    assert [tuple(sample) for sample in samples] == [(4.0, 8.0), (5.0, 10.0), (6.0, 12.0)]


def test_of_a_pod_that_failed_nothing_is_counted_any_more() -> None:
    fluid = Fluid(SCENARIO, lambda _: 8.0)
    world, _ = begun(fluid, 1)
    world.advance(2.0)
    assert fluid.counts(0) == (16.0, 0.0)
    fluid.fail(0, 2.0)
    assert fluid.counts(0) == (0.0, 0.0)
