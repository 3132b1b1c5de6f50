"""What pods delivered, counted as the servers' metrics do: what was refused, and what was late."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from infadapter_operator.domain.load import Delivered
from infadapter_simulator.platform import SimulatedLoad
from infadapter_simulator.scenario import PodSpeed, Scenario, Server
from infadapter_simulator.world.metrics import late_by_pod
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_solver import CPU, Allocation, PodSize, Variant

SIZE = PodSize(resources={CPU: 1000})
SERVICE_S, SLO_S = 0.5, 0.6
VARIANT = Variant(
    name="a",
    accuracy=0.7,
    load_time_s=1.0,
    allocations=(Allocation(size=SIZE, capacity_rps=1 / SERVICE_S),),
)
SCENARIO = Scenario(variants=(VARIANT,), speeds={("a", SIZE): PodSpeed(1, SERVICE_S)}, slo_s=SLO_S)


class Measured:
    """A pod, and requests at these times."""

    def __init__(self, arrivals_s: list[float], *, waiting: int | None) -> None:
        """`waiting`: so many may wait; None: what can't be answered in time is refused."""
        server = Server.SAME if waiting is None else Server.PUBLISHED
        scenario = replace(SCENARIO, server=server)
        self.world = world_of_requests(scenario, np.array(arrivals_s), np.full(600, 1.0), 60, 1)
        self.world.resources.queue_limits = None if waiting is None else {("a", 1000): waiting}
        self.pod: SimulatedPod = self.world.start("a", SIZE, ready=True)
        self.world.route({self.pod.name: 1})
        self.load = SimulatedLoad(self.world)
        self.delivered()

    def delivered(self) -> Mapping[str, Delivered]:
        return asyncio.run(self.load.delivered(5.0, self.world.now_s))

    def within(self, seconds: float) -> Delivered:
        self.world.advance(self.world.now_s + seconds)
        return self.delivered()[self.pod.name]


def test_what_is_answered_in_time_is_not_missed() -> None:
    assert Measured([1.0, 2.0, 3.0], waiting=None).within(5.0) == Delivered(0.6, 0.0, 5.0)


def test_what_is_refused_is_missed() -> None:
    measured = Measured([1.0, 1.05, 1.1, 1.15], waiting=None)
    assert measured.within(5.0) == Delivered(0.8, 0.6, 5.0)


def test_what_is_answered_too_late_is_missed_as_what_is_refused() -> None:
    """The second is answered at 2.0, the third at 2.5; a fourth may not wait."""
    measured = Measured([1.0, 1.1, 1.2, 1.25], waiting=2)
    assert measured.within(5.0) == Delivered(0.8, 0.6, 5.0)


def test_what_is_late_is_counted_once_when_it_is_answered() -> None:
    """The second is answered at 2.0, the third within half a second."""
    measured = Measured([1.0, 1.1, 2.05], waiting=9)
    assert measured.within(1.9).missed_rps == 0.0
    after = measured.within(0.2)
    assert after.missed_rps == pytest.approx(1 / 0.2)
    assert measured.within(1.0).missed_rps == 0.0


def test_no_more_is_missed_than_has_arrived() -> None:
    measured = Measured([1.0, 1.1, 1.2], waiting=9)
    assert measured.within(1.9) == Delivered(3 / 1.9, 0.0, 1.9)
    assert measured.within(0.2).missed_rps == 0.0


def test_of_a_pod_that_began_anew_nothing_is_known() -> None:
    measured = Measured([1.0, 1.1, 1.2], waiting=9)
    measured.within(1.3)
    measured.world.traffic.fail(measured.pod.slot, measured.world.now_s)
    measured.world.advance(5.0)
    assert measured.delivered() == {}


@pytest.mark.parametrize("asked_every_s", [0.3, 1.0, 7.0])
def test_all_that_is_late_is_counted_however_often_it_is_asked_for(asked_every_s: float) -> None:
    """Against the outcomes of the whole run."""
    arrivals_s = list(np.sort(np.random.default_rng(3).uniform(0, 40, 90)))
    measured = Measured(arrivals_s, waiting=100)
    late = 0
    while measured.world.now_s < 60:
        then_s = measured.world.now_s
        measured.world.advance(then_s + asked_every_s)
        late += late_by_pod(measured.world, then_s)[measured.pod.name]
    latency_s = measured.world.traffic.finish_s - measured.world.traffic.arrivals_s
    assert late == np.sum(latency_s > SLO_S) > 20
