"""From measured latencies to capacity at an SLO."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.isotonic import interpolate, isotonic
from infadapter_solver import (
    KnownCapacity,
    LatencyNotMeasured,
    NotMeasured,
    PercentileNotMeasured,
    Point,
    Profile,
    ProfiledAllocation,
    capacity_at,
    to_variant,
)
from infadapter_solver.problem import PodSize

GPU = "nvidia.com/gpu"


def curve(*points: tuple[float, float]) -> ProfiledAllocation:
    """Of (rate, p99 in seconds)."""
    measured = (Point(rps=rps, latency_s={50.0: s / 2, 99.0: s}) for rps, s in points)
    return ProfiledAllocation(size=PodSize(resources={"cpu": 1000}), points=tuple(measured))


MEASURED = curve((5, 0.1), (10, 0.2), (15, 0.4), (20, 0.9))


@pytest.mark.parametrize(
    ("slo_s", "expected_rps"),
    [
        (0.05, 0),  # the lowest rate exceeds it
        (0.1, 5),
        (0.2, 10),
        (0.3, 12.5),  # half-way between 10 and 15
        (0.4, 15),
        (0.65, 17.5),
        (0.9, 20),
        (5.0, 20),  # never beyond the last rate
    ],
)
def test_capacity_is_where_the_latency_crosses_the_slo(slo_s: float, expected_rps: float) -> None:
    assert capacity_at(MEASURED, slo_s, 99) == pytest.approx(expected_rps)


def test_headroom_takes_its_share() -> None:
    assert capacity_at(MEASURED, 0.4, 99, headroom=0.8) == pytest.approx(12)


def test_no_size_is_offered_between_one_that_is_too_slow_and_one_that_is_not() -> None:
    """At 1100 m even a single request may be late, as it is at 1000 m."""
    slow = ProfiledAllocation(
        size=PodSize(resources={"cpu": 1000}), points=(Point(rps=0.5, latency_s={99.0: 0.9}),)
    )
    fast, faster = (
        ProfiledAllocation(
            size=PodSize(resources={"cpu": millicores}),
            points=(Point(rps=rps, latency_s={99.0: 0.5}),),
        )
        for millicores, rps in ((2000, 4.0), (3000, 6.0))
    )
    profile = Profile(
        variant="r18", accuracy=0.7, load_time_s=1.0, allocations=(slow, fast, faster)
    )
    offered = to_variant(profile, 0.75, 99, step_millicores=500).allocations
    assert {a.cpu_millicores: a.capacity_rps for a in offered} == {
        1000: 0.0,
        2000: 4.0,
        2500: 5.0,
        3000: 6.0,
    }


def test_a_dip_in_the_latency_gives_no_capacity_beyond_its_peak() -> None:
    noisy = curve((5, 0.1), (10, 0.6), (15, 0.3), (20, 0.9))
    assert capacity_at(noisy, 0.5, 99) == pytest.approx(9)
    assert capacity_at(noisy, 0.6, 99) == pytest.approx(15)
    assert capacity_at(noisy, 0.75, 99) == pytest.approx(17.5)


def test_points_may_come_in_any_order() -> None:
    backwards = replace(MEASURED, points=MEASURED.points[::-1])
    assert capacity_at(backwards, 0.3, 99) == capacity_at(MEASURED, 0.3, 99)


def test_a_point_that_refused_more_than_the_percentile_allows_exceeds_any_slo() -> None:
    refusing = replace(MEASURED.points[2], refused_ratio=0.02)
    allocation = replace(MEASURED, points=(*MEASURED.points[:2], refusing, MEASURED.points[3]))
    assert capacity_at(allocation, 5.0, 99) == 10
    assert capacity_at(allocation, 0.15, 50) == pytest.approx(12.5)
    just = replace(MEASURED.points[2], refused_ratio=0.01)
    allocation = replace(MEASURED, points=(*MEASURED.points[:2], just))
    assert capacity_at(allocation, 5.0, 99) == 15


def test_a_known_capacity_for_exactly_the_slo_wins_over_the_curve() -> None:
    known = KnownCapacity(latency_s=0.75, percentile=99, rps=13)
    allocation = replace(MEASURED, capacity=(known,))
    assert capacity_at(allocation, 0.75, 99) == 13
    assert capacity_at(allocation, 750 / 1000, 99.0) == 13
    assert capacity_at(allocation, 0.4, 99) == pytest.approx(15)


def test_what_was_not_measured_is_an_error_that_names_what_was() -> None:
    with pytest.raises(PercentileNotMeasured, match=r"percentile 99\.9 .*measured: 50, 99"):
        capacity_at(MEASURED, 0.4, 99.9)
    known = KnownCapacity(latency_s=0.75, percentile=99, rps=13)
    only_known = ProfiledAllocation(size=PodSize(resources={"cpu": 1000}), capacity=(known,))
    with pytest.raises(LatencyNotMeasured, match="600 ms, only for 750 ms"):
        capacity_at(only_known, 0.6, 99)
    with pytest.raises(PercentileNotMeasured, match="percentile 95, only for 99"):
        capacity_at(only_known, 0.75, 95)
    assert issubclass(PercentileNotMeasured, NotMeasured)


positive = st.floats(0.01, 100)
curves = st.lists(st.tuples(positive, positive), min_size=1, max_size=8).map(lambda c: curve(*c))


@given(curves, positive, positive)
def test_capacity_never_falls_with_the_slo(
    allocation: ProfiledAllocation, one_s: float, other_s: float
) -> None:
    stricter, looser = sorted((one_s, other_s))
    assert capacity_at(allocation, stricter, 99) <= capacity_at(allocation, looser, 99) + 1e-9


@given(curves, positive)
def test_capacity_is_within_what_was_measured(allocation: ProfiledAllocation, slo_s: float) -> None:
    rates = [point.rps for point in allocation.points]
    rps = capacity_at(allocation, slo_s, 99)
    assert rps == 0 or min(rates) <= rps <= max(rates)


@given(curves, positive)
def test_every_rate_up_to_the_capacity_was_within_the_slo(
    allocation: ProfiledAllocation, slo_s: float
) -> None:
    rps = capacity_at(allocation, slo_s, 99)
    assert all(p.latency_s[99.0] <= slo_s for p in allocation.points if p.rps < rps)


def by_size(*sizes: tuple[int, float], batch_size: int = 1) -> tuple[ProfiledAllocation, ...]:
    """Of (millicores, rate within one second)."""
    return tuple(
        ProfiledAllocation(
            size=PodSize(resources={"cpu": millicores}, batch_size=batch_size),
            capacity=(KnownCapacity(latency_s=1, percentile=99, rps=rps),),
        )
        for millicores, rps in sizes
    )


def profile(*allocations: ProfiledAllocation) -> Profile:
    return Profile(variant="resnet", accuracy=0.76, load_time_s=6.8, allocations=allocations)


def capacities(made: Profile, step_millicores: int | None = None) -> dict[int, float]:
    variant = to_variant(made, 1.0, 99, step_millicores=step_millicores)
    return {a.cpu_millicores: a.capacity_rps for a in variant.allocations}


def test_only_measured_sizes_are_offered_unless_a_step_is_asked_for() -> None:
    made = profile(*by_size((1000, 10), (2000, 20), (4000, 30)))
    assert capacities(made) == {1000: 10, 2000: 20, 4000: 30}
    between = capacities(made, 500)
    assert sorted(between) == [1000, 1500, 2000, 2500, 3000, 3500, 4000]
    assert between[1500] == pytest.approx(15)
    assert between[3000] == pytest.approx(25)


def test_a_larger_size_that_measured_worse_shares_its_mean_and_claims_no_more() -> None:
    made = capacities(profile(*by_size((1000, 10), (2000, 30), (4000, 20))), 1000)
    assert made == {1000: 10, 2000: 30, 3000: 25, 4000: 20}


def test_nothing_is_offered_outside_the_measured_sizes() -> None:
    made = capacities(profile(*by_size((700, 10), (1900, 20))), 500)
    assert sorted(made) == [700, 1000, 1500, 1900]


def test_batch_sizes_and_kinds_are_not_mixed_in_between() -> None:
    gpu = ProfiledAllocation(
        size=PodSize(resources={"cpu": 3000, GPU: 1}),
        capacity=(KnownCapacity(latency_s=1, percentile=99, rps=500),),
    )
    made = profile(*by_size((1000, 10), (3000, 30)), *by_size((1000, 50), batch_size=8), gpu)
    variant = to_variant(made, 1.0, 99, step_millicores=1000)
    found = [(a.cpu_millicores, a.batch_size, a.kind, a.capacity_rps) for a in variant.allocations]
    assert found == [
        (1000, 1, "cpu", 10),
        (3000, 1, "cpu", 30),
        (1000, 8, "cpu", 50),
        (3000, 1, GPU, 500),
        (2000, 1, "cpu", pytest.approx(20)),
    ]


def test_the_variant_keeps_what_the_profile_says_of_it() -> None:
    variant = to_variant(profile(*by_size((1000, 10))), 1.0, 99, headroom=0.5)
    assert (variant.name, variant.accuracy, variant.load_time_s) == ("resnet", 0.76, 6.8)
    assert variant.allocations[0].capacity_rps == 5


@given(st.lists(st.floats(0, 1000), max_size=12))
def test_isotonic_never_falls_keeps_the_sum_and_changes_nothing_twice(values: list[float]) -> None:
    smooth = isotonic(values)
    assert all(a <= b + 1e-9 for a, b in pairwise(smooth))
    assert sum(smooth) == pytest.approx(sum(values))
    assert isotonic(smooth) == pytest.approx(smooth)
    if values == sorted(values):
        assert smooth == values


@given(st.lists(st.floats(0, 100), min_size=2, max_size=6), st.floats(0, 1))
def test_interpolation_goes_through_the_values_and_stays_between(
    values: list[float], share: float
) -> None:
    at = [float(i) for i in range(len(values))]
    for x, value in zip(at, values, strict=True):
        assert interpolate(at, values, x) == pytest.approx(value)
    x = share * at[-1]
    left, right = int(x), min(int(x) + 1, len(values) - 1)
    low, high = sorted((values[left], values[right]))
    assert low - 1e-9 <= interpolate(at, values, x) <= high + 1e-9
