"""All networks in one pod: its profile follows from theirs, and its real server has them all."""

from dataclasses import replace
from pathlib import Path

import pytest

from infadapter_local.cgroups import Quotas, cpu_limits
from infadapter_local.fork_client import started_fork_client
from infadapter_local.ladder import (
    VARIANT,
    LadderCheck,
    check_ladder,
    checked,
    ladder_profile,
    speeds,
    write_ladder,
)
from infadapter_local.measures import accuracies
from infadapter_local.processes import Processes
from infadapter_local.shipped import VARIANTS, shipped_profiles, trained_accuracies
from infadapter_local.spec import demo_service, highest_rps
from infadapter_profiles.profile import Point, Profile, ProfiledAllocation
from infadapter_profiles.sizes import CPU, PodSize

QUOTAS = Quotas(Path("/nowhere"))


def profile(name: str, accuracy: float, rps: dict[int, float]) -> Profile:
    rows = (
        ProfiledAllocation(
            size=PodSize(resources={CPU: millicores}),
            saturation_rps=most,
            points=(Point(rps=0.9 * most, latency_s={99.0: 0.2}),),
        )
        for millicores, most in rps.items()
    )
    return Profile(variant=name, accuracy=accuracy, load_time_s=0.5, allocations=tuple(rows))


SMALL = profile("small", 0.7, {100: 40, 300: 120, 1000: 400})
LARGE = profile("large", 0.9, {300: 30, 1000: 100})


def test_a_size_too_small_for_one_network_serves_with_the_others() -> None:
    service = demo_service([ladder_profile([SMALL, LARGE])], 1000, QUOTAS)
    (variant,) = service.variants
    by_size = {a.cpu_millicores: a for a in variant.allocations}
    assert [point.name for point in by_size[100].points] == ["small"]
    assert [point.name for point in by_size[300].points] == ["large", "small"]
    assert [point.name for point in by_size[1000].points] == ["large", "small"]
    assert variant.accuracy == 0.9


def test_a_pod_serves_as_many_as_one_of_its_fastest_network() -> None:
    alone, together = demo_service([SMALL, LARGE], 1000, QUOTAS), ladder_profile([SMALL, LARGE])
    assert highest_rps(demo_service([together], 1000, QUOTAS)) == highest_rps(alone)


def test_what_was_seen_of_its_server_may_lower_it() -> None:
    together = ladder_profile([SMALL, LARGE])
    seen = LadderCheck(2.0, 1000, {"small": 200.0, "large": 80.0})
    assert speeds(together, seen) == {"small": 0.5, "large": 0.8}
    slower = checked(together, seen)
    assert slower.load_time_s == 2.0
    rates = {(r.resources[CPU], r.operating_point): r.saturation_rps for r in slower.allocations}
    assert rates[300, "large"] == pytest.approx(0.65 * 30), "the median of both"
    assert rates[100, "small"] == pytest.approx(0.65 * 40)
    faster = checked(together, LadderCheck(2.0, 1000, {"small": 500.0, "large": 120.0}))
    assert faster == replace(together, load_time_s=2.0)


def test_its_answers_count_by_the_network_that_gave_them() -> None:
    plain = demo_service([SMALL, LARGE], 1000, QUOTAS)
    grouped = demo_service([ladder_profile([SMALL, LARGE])], 1000, QUOTAS)
    assert accuracies(plain) == {"small": 0.7, "large": 0.9}
    assert accuracies(grouped) == {"small": 0.7, "large": 0.9, VARIANT: 0.9}


def test_the_profiles_that_ship_make_a_ladder_that_mixes_networks() -> None:
    service = demo_service([ladder_profile(shipped_profiles())], 800, QUOTAS)
    most = max(service.variants[0].allocations, key=lambda a: a.cpu_millicores)
    assert most.points[0].name == "glyph-5"
    assert most.points[-1].name == "glyph-1"
    assert {p.name: p.accuracy for p in most.points}.items() <= trained_accuracies().items()


@pytest.mark.process
async def test_a_real_ladder_is_looked_at_point_by_point(
    processes: Processes, tmp_path: Path
) -> None:
    told: list[str] = []
    model = write_ladder(tmp_path, VARIANTS[:2])
    async with started_fork_client(processes) as fork_client:
        found = await check_ladder(
            fork_client.start, model, lambda what, _: told.append(what), cpu_limits()
        )
    assert found.saturation_rps.keys() == {"glyph-1", "glyph-2"}
    assert min(found.saturation_rps.values()) > 0
    assert found.load_s > 0
    assert [words.split(" on ")[0] for words in told] == ["ladder at glyph-1", "ladder at glyph-2"]
