"""What a pod is believed to serve: no more than it was seen to answer in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path

import pytest

from infadapter_local.calibration import extrapolated, steps
from infadapter_local.cgroups import Cores, Quotas
from infadapter_local.rates import Place, believed, flooded
from infadapter_local.shipped import shipped_profiles
from infadapter_local.spec import HEADROOM, SLO_S
from infadapter_profiles.profile import Point, ProfiledAllocation
from infadapter_server.profiling.profiler import ProfileError
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
    speeds: Iterator[float] = field(default_factory=lambda: repeat(1.0))

    async def flood(self, seconds: float) -> Sequence[Outcome]:
        return answers(round(self.most_rps * seconds * next(self.speeds)), seconds)

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
        return answers(min(arrived, served), 0.1) + answers(arrived - served, 0.1, 503)

    async def settle(self) -> None:
        self.settled += 1


def answers(number: int, done_s: float, code: int = 200) -> list[Outcome]:
    return [Outcome(scheduled_s=0.0, sent_s=0.0, done_s=done_s, code=code)] * number


def place(pod: Pod, variant: str = "slow", row: ProfiledAllocation = ROW) -> Place:
    async def ready() -> Pod:
        return pod

    return Place(variant, row, ready)


async def believed_of(pod: Pod) -> float:
    (rps,) = (await believed({place(pod): FLOOD_RPS}, ignored)).values()
    return rps


def ignored(what: str) -> None:
    """Nobody watches."""


@pytest.mark.parametrize(
    ("of_flood", "share"),
    [(1.0, 1.0), (0.9, 1.0), (0.85, 0.9), (0.75, 0.8), (0.6, 0.65), (0.5, 0.5)],
)
async def test_what_is_planned_has_been_seen_in_time(of_flood: float, share: float) -> None:
    """Nine tenths of it are planned: a pod needs to serve no more than these."""
    assert await believed_of(Pod(of_flood * FLOOD_RPS)) == pytest.approx(share * FLOOD_RPS)
    assert share * HEADROOM <= of_flood / 0.978


async def test_a_pod_that_answers_nothing_in_time_is_believed_nothing() -> None:
    pod = Pod(0.0)
    assert await believed_of(pod) == 0.0
    assert pod.settled == 6


@pytest.mark.parametrize(
    ("flood_rps", "missed", "is_believed"), [(100.0, 5, True), (1000.0, 50, False)]
)
async def test_the_more_requests_the_closer_to_the_percentile(
    flood_rps: float, missed: int, is_believed: bool
) -> None:
    """Two of a hundred may miss a 99th percentile by chance, twenty of a thousand may not."""
    asked = 3 * HEADROOM * flood_rps
    row = replace(
        ROW, saturation_rps=flood_rps, points=(Point(rps=flood_rps, latency_s={99.0: 0.1}),)
    )
    pod = place(Pod((asked - missed) / 3), row=row)
    (found,) = (await believed({pod: flood_rps}, ignored)).values()
    assert (found == flood_rps) is is_believed


async def test_a_look_that_was_disturbed_is_taken_again_after_the_others() -> None:
    class Disturbed(Pod):
        async def settle(self) -> None:
            self.most_rps = FLOOD_RPS

    disturbed, other = place(Disturbed(0.5 * FLOOD_RPS)), place(Pod(FLOOD_RPS), "other")
    said: list[str] = []
    found = await believed({disturbed: FLOOD_RPS, other: FLOOD_RPS}, said.append)
    assert list(found.values()) == [FLOOD_RPS, FLOOD_RPS]
    assert said == ["slow on 300m, as planned", "other on 300m, as planned"]


async def test_what_the_profile_lets_nobody_plan_is_not_tried() -> None:
    slow = ProfiledAllocation(
        size=ROW.size, saturation_rps=10.0, points=(Point(rps=10.0, latency_s={99.0: 0.5}),)
    )
    assert list((await believed({place(Pod(0.0), row=slow): 9.0}, ignored)).values()) == [9.0]


async def test_a_second_in_which_the_machine_is_slow_is_shared_by_all() -> None:
    """Six looks of a second in turn, of which two together are at half the speed."""
    machine = iter([1.0, 1.0, 0.5, 0.5, 1.0, 1.0])
    pods = [Pod(100.0, speeds=machine), Pod(200.0, speeds=machine)]
    found = await flooded([place(pod) for pod in pods], ignored)
    assert list(found.values()) == pytest.approx([250 / 3, 500 / 3])


async def test_batches_that_are_longer_than_the_flood_are_waited_for() -> None:
    class Slow(Pod):
        async def flood(self, seconds: float) -> Sequence[Outcome]:
            return answers(8, 1.6) + answers(8, 3.2)

    assert list((await flooded([place(Slow(5.0))], ignored)).values()) == pytest.approx([5.0])


async def test_a_server_that_answers_nothing_is_named() -> None:
    with pytest.raises(ProfileError, match="answered by slow on 300m"):
        await flooded([place(Pod(0.0))], ignored)


@pytest.mark.parametrize(("speed", "sizes"), [(1.0, [100, 200]), (0.5, [200]), (0.25, [])])
def test_smaller_sizes_are_expected_to_serve_in_proportion(speed: float, sizes: list[int]) -> None:
    """And where this machine is too slow for one, nothing is expected of it."""
    profile = shipped_profiles()[1]
    rows = {row.resources[CPU]: row for row in profile.allocations}
    rps = speed * (rows[300].saturation_rps or 0.0)
    measured = {place(Pod(rps), profile.variant, rows[300]): rps}
    smaller = [place(Pod(rps), profile.variant, rows[size]) for size in (100, 200)]
    found = extrapolated([profile], measured, smaller)
    assert {p.millicores: expected for p, expected in found.items()} == pytest.approx(
        {size: rps * size / 300 for size in sizes}
    )


def test_what_comes_next_is_told_as_often_as_was_said() -> None:
    profiles = shipped_profiles()
    assert steps(profiles, Quotas(Path("/nowhere"))) == 5 + 4 * 15 + 7
    assert steps(profiles, Cores()) == 5 + 4 * 5
