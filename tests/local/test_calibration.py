"""What a pod is believed to serve: no more than it was seen to answer in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from infadapter_local.calibration import in_time_rps
from infadapter_local.spec import HEADROOM, SLO_S
from infadapter_profiles.profile import Point, ProfiledAllocation
from infadapter_solver import CPU
from infadapter_solver.problem import PodSize
from infadapter_workload.outcomes import Outcome

FLOOD_RPS = 100.0
ROW = ProfiledAllocation(
    size=PodSize(resources={CPU: 300}),
    saturation_rps=FLOOD_RPS,
    points=(Point(rps=FLOOD_RPS, latency_s={99.0: 0.1}),),
)


@dataclass
class Pod:
    """Answers so many a second in time, and refuses the others."""

    most_rps: float
    settled: int = 0

    async def flood(self, seconds: float) -> Sequence[Outcome]:
        raise NotImplementedError

    async def poisson(
        self,
        rate_rps: float,
        seconds: float,
        *,
        seed: int,
        max_backlog: int,
        slo_s: float | None = None,
    ) -> Sequence[Outcome]:
        assert slo_s == SLO_S
        arrived, served = round(rate_rps * seconds), round(self.most_rps * seconds)
        codes = [200 if number < served else 503 for number in range(arrived)]
        return [Outcome(scheduled_s=0.0, sent_s=0.0, done_s=0.1, code=code) for code in codes]

    async def settle(self) -> None:
        self.settled += 1


@pytest.mark.parametrize(
    ("of_flood", "believed"), [(1.0, 1.0), (0.9, 1.0), (0.75, 0.8), (0.6, 0.64), (0.5, 0.5)]
)
async def test_what_is_planned_has_been_seen_in_time(of_flood: float, believed: float) -> None:
    """Nine tenths of it are planned: a pod needs to serve no more than these."""
    pod = Pod(of_flood * FLOOD_RPS)
    assert await in_time_rps(pod, ROW, FLOOD_RPS) == pytest.approx(believed * FLOOD_RPS)
    assert believed * HEADROOM <= of_flood / 0.97


async def test_a_pod_that_answers_nothing_in_time_is_believed_nothing() -> None:
    pod = Pod(0.0)
    assert await in_time_rps(pod, ROW, FLOOD_RPS) == 0.0
    assert pod.settled == 5


async def test_a_look_that_was_disturbed_is_taken_again() -> None:
    class Disturbed(Pod):
        async def settle(self) -> None:
            self.most_rps = FLOOD_RPS

    assert await in_time_rps(Disturbed(0.5 * FLOOD_RPS), ROW, FLOOD_RPS) == FLOOD_RPS


async def test_what_the_profile_lets_nobody_plan_is_not_tried() -> None:
    slow = ProfiledAllocation(
        size=ROW.size, saturation_rps=10.0, points=(Point(rps=10.0, latency_s={99.0: 0.5}),)
    )
    assert await in_time_rps(Pod(0.0), slow, 9.0) == 9.0
