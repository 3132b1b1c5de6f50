"""What a profile lets expect of a pod's latency, beside the capacity that it gives it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_solver import (
    Allocation,
    KnownCapacity,
    PodSize,
    Point,
    Profile,
    ProfiledAllocation,
    capacity_at,
    expected_latency_s,
)

GPU = "nvidia.com/gpu"


def measured(
    resources: dict[str, int], *points: tuple[float, float], refused_ratio: float = 0.0
) -> ProfiledAllocation:
    """Of (rate, p99 in seconds)."""
    return ProfiledAllocation(
        size=PodSize(resources=resources),
        points=tuple(
            Point(rps=rps, latency_s={99.0: s}, refused_ratio=refused_ratio) for rps, s in points
        ),
    )


def profile(*allocations: ProfiledAllocation) -> Profile:
    return Profile(variant="r18", accuracy=0.7, load_time_s=1.0, allocations=allocations)


def size(millicores: int, batch_size: int = 1, **devices: int) -> Allocation:
    return Allocation(
        size=PodSize(resources={"cpu": millicores, **devices}, batch_size=batch_size),
        capacity_rps=0.0,
    )


TWO = profile(
    measured({"cpu": 1000}, (5, 0.1), (10, 0.3)), measured({"cpu": 2000}, (10, 0.2), (20, 0.8))
)


@pytest.mark.parametrize(
    ("rps", "expected_s"),
    [(0.0, 0.1), (5, 0.1), (7.5, 0.2), (10, 0.3), (10.1, None)],
)
def test_between_measured_rates_it_is_linear_and_beyond_the_last_unknown(
    rps: float, expected_s: float | None
) -> None:
    assert expected_latency_s(TWO, size(1000), rps, 99) == pytest.approx(expected_s)


def test_a_size_between_two_is_as_slow_as_the_slower_at_the_same_rate_per_core() -> None:
    # 7.5 rps a core: 7.5 on one core (0.2 s), 15 on two (0.5 s)
    assert expected_latency_s(TWO, size(1500), 11.25, 99) == pytest.approx(0.5)


@pytest.mark.parametrize("allocation", [size(500), size(3000), size(1500, batch_size=4)])
def test_of_sizes_that_nothing_measured_encloses_nothing_is_known(allocation: Allocation) -> None:
    assert expected_latency_s(TWO, allocation, 1, 99) is None


def test_a_device_is_never_interpolated() -> None:
    gpu = profile(
        measured({"cpu": 1000, GPU: 1}, (5, 0.1)), measured({"cpu": 3000, GPU: 1}, (5, 0.1))
    )
    assert expected_latency_s(gpu, size(3000, **{GPU: 1}), 5, 99) == 0.1
    assert expected_latency_s(gpu, size(2000, **{GPU: 1}), 5, 99) is None
    assert expected_latency_s(gpu, size(2000), 5, 99) is None


def test_capacities_alone_and_other_percentiles_say_nothing_of_latency() -> None:
    known = ProfiledAllocation(
        size=PodSize(resources={"cpu": 1000}),
        capacity=(KnownCapacity(latency_s=0.75, percentile=99, rps=9),),
    )
    assert expected_latency_s(profile(known), size(1000), 5, 99) is None
    assert expected_latency_s(TWO, size(1000), 5, 50) is None


def test_where_too_many_were_refused_no_latency_is_expected() -> None:
    refusing = profile(measured({"cpu": 1000}, (5, 0.1), (10, 0.2), refused_ratio=0.5))
    assert expected_latency_s(refusing, size(1000), 5, 99) is None


rates = st.lists(
    st.tuples(st.floats(1, 100), st.floats(0.001, 2)),
    min_size=1,
    max_size=6,
    unique_by=lambda p: p[0],
)


@given(rates, st.floats(0.001, 2))
def test_at_its_capacity_a_pod_is_expected_within_the_slo(
    points: list[tuple[float, float]], slo_s: float
) -> None:
    allocation = measured({"cpu": 1000}, *points)
    capacity_rps = capacity_at(allocation, slo_s, 99)
    expected_s = expected_latency_s(profile(allocation), size(1000), capacity_rps, 99)
    assert expected_s is not None
    assert capacity_rps == 0 or expected_s <= slo_s * (1 + 1e-9)
