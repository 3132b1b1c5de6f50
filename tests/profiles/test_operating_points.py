"""From a profile with operating points to what a pod of each size serves with them."""

from dataclasses import replace

import pytest

from infadapter_profiles.capacity import expected_latency_s
from infadapter_profiles.offered import offered, to_variant
from infadapter_profiles.profile import (
    KnownCapacity,
    OperatingPoint,
    Point,
    Profile,
    ProfiledAllocation,
)
from infadapter_profiles.sizes import Allocation, PodSize, Variant

SLO_S = 0.2
RATES = {  # by point, by millicores
    "deep": {1000: 10.0, 3000: 30.0},
    "middle": {1000: 24.0, 3000: 72.0},
    "shallow": {1000: 40.0, 3000: 100.0},
}
ACCURACY = {"deep": 0.9, "middle": 0.8, "shallow": 0.6}


def row(point: str | None, millicores: int, rps: float) -> ProfiledAllocation:
    return ProfiledAllocation(
        size=PodSize(resources={"cpu": millicores}),
        operating_point=point,
        capacity=(KnownCapacity(latency_s=SLO_S, percentile=99, rps=rps),),
    )


PROFILE = Profile(
    variant="net",
    accuracy=0.9,
    load_time_s=1.0,
    operating_points=tuple(OperatingPoint(name=n, accuracy=a) for n, a in ACCURACY.items()),
    allocations=tuple(
        row(point, millicores, rps)
        for point, rates in RATES.items()
        for millicores, rps in rates.items()
    ),
)


def size(variant: Variant, millicores: int) -> Allocation:
    (found,) = [a for a in variant.allocations if a.cpu_millicores == millicores]
    return found


def points(allocation: Allocation) -> dict[str, float]:
    return {p.name: p.capacity_ratio * allocation.capacity_rps for p in allocation.points}


def test_a_size_serves_at_most_what_its_fastest_point_does_and_knows_the_others() -> None:
    variant = to_variant(PROFILE, SLO_S, 99)
    small, large = variant.allocations
    assert (small.capacity_rps, large.capacity_rps) == (40.0, 100.0)
    assert points(small) == pytest.approx({"deep": 10, "middle": 24, "shallow": 40})
    assert points(large) == pytest.approx({"deep": 30, "middle": 72, "shallow": 100})
    marginal = (0.9, (24 * 0.8 - 9) / 14, (40 * 0.6 - 24 * 0.8) / 16)
    for found, rps, accuracy in zip(variant.segments(small), (10, 14, 16), marginal, strict=True):
        assert found == pytest.approx((rps, accuracy))


def test_a_size_between_two_measured_ones_has_each_point_at_its_own_line() -> None:
    variant = to_variant(PROFILE, SLO_S, 99, step_millicores=1000)
    between = size(variant, 2000)
    assert between.capacity_rps == pytest.approx(70.0)
    assert points(between) == pytest.approx({"deep": 20, "middle": 48, "shallow": 70})


def test_a_point_that_misses_the_slo_at_a_size_is_none_there_and_in_sizes_next_to_it() -> None:
    late = replace(
        PROFILE,
        allocations=tuple(
            row("deep", 1000, 0.0) if a == row("deep", 1000, 10.0) else a
            for a in PROFILE.allocations
        ),
    )
    variant = to_variant(late, SLO_S, 99, step_millicores=1000)
    assert list(points(size(variant, 1000))) == ["middle", "shallow"]
    assert list(points(size(variant, 2000))) == ["middle", "shallow"]
    assert list(points(size(variant, 3000))) == ["deep", "middle", "shallow"]
    assert variant.segments(size(variant, 1000))[0].accuracy == 0.8


def test_a_size_that_serves_with_no_point_serves_nothing() -> None:
    none = replace(PROFILE, allocations=(row("deep", 1000, 0.0), row("shallow", 1000, 0.0)))
    (allocation,) = to_variant(none, SLO_S, 99).allocations
    assert (allocation.capacity_rps, allocation.points) == (0.0, ())


def test_below_the_floor_no_point_counts_and_capacity_is_that_of_the_fastest_left() -> None:
    variant = offered(PROFILE, SLO_S, 99, accuracy_floor=0.7)
    assert points(size(variant, 1000)) == pytest.approx({"deep": 10, "middle": 24})
    assert size(variant, 1000).capacity_rps == 24.0
    assert offered(PROFILE, SLO_S, 99, accuracy_floor=0.6) == offered(PROFILE, SLO_S, 99)


def test_a_floor_brings_back_a_point_that_is_worth_using_beside_those_that_are_left() -> None:
    """Below the line to a point that no longer counts, it was none."""
    useless = replace(PROFILE.operating_points[1], accuracy=0.7)
    profile = replace(
        PROFILE,
        operating_points=(PROFILE.operating_points[0], useless, PROFILE.operating_points[2]),
        allocations=(row("deep", 1000, 10), row("middle", 1000, 12), row("shallow", 1000, 90)),
    )
    assert list(points(size(offered(profile, SLO_S, 99), 1000))) == ["deep", "shallow"]
    floor = offered(profile, SLO_S, 99, accuracy_floor=0.65)
    assert list(points(size(floor, 1000))) == ["deep", "middle"]


@pytest.mark.parametrize("profile", [PROFILE, replace(PROFILE, operating_points=())])
def test_a_variant_that_is_below_the_floor_at_its_best_is_offered_in_no_size(
    profile: Profile,
) -> None:
    variant = offered(profile, SLO_S, 99, accuracy_floor=0.91)
    assert (variant.allocations, variant.accuracy) == ((), 0.9)


def test_a_plain_variant_at_its_floor_is_as_without() -> None:
    plain = Profile(
        variant="net", accuracy=0.9, load_time_s=1.0, allocations=(row(None, 1000, 10.0),)
    )
    assert offered(plain, SLO_S, 99, accuracy_floor=0.9) == offered(plain, SLO_S, 99)
    assert offered(plain, SLO_S, 99).allocations[0].points == ()


def curve(point: str, *measured: tuple[float, float]) -> ProfiledAllocation:
    return ProfiledAllocation(
        size=PodSize(resources={"cpu": 1000}),
        operating_point=point,
        points=tuple(Point(rps=rps, latency_s={99.0: s}) for rps, s in measured),
    )


def test_the_latency_of_a_pod_is_that_of_the_points_it_answers_with() -> None:
    profile = replace(
        PROFILE,
        allocations=(
            curve("deep", (5, 0.1), (10, 0.15), (20, 0.4)),
            curve("shallow", (10, 0.02), (40, 0.08)),
        ),
    )
    (allocation,) = to_variant(profile, SLO_S, 99).allocations
    assert points(allocation) == pytest.approx({"deep": 12, "shallow": 40})
    assert expected_latency_s(profile, allocation, 5, 99) == pytest.approx(0.1)
    assert expected_latency_s(profile, allocation, 30, 99) == pytest.approx(0.2)
    assert expected_latency_s(profile, allocation, 40, 99) == pytest.approx(0.08)
    assert expected_latency_s(profile, allocation, 41, 99) is None
