"""One variant with several networks: what its pods do is what each network did alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.document import ProfileDocument, read_document, write_document
from infadapter_profiles.frontier import LEAST_STEP
from infadapter_profiles.grouped import NotGroupable, grouped
from infadapter_profiles.offered import to_variant
from infadapter_profiles.profile import KnownCapacity, Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize

SLO_S = 0.3


def size(cores: int) -> PodSize:
    return PodSize(resources={"cpu": 1000 * cores})


def profile(
    name: str, accuracy: float, rates: dict[int, float], memory_bytes: int | None = 10
) -> Profile:
    return Profile(
        variant=name,
        accuracy=accuracy,
        load_time_s=2.0,
        allocations=tuple(
            ProfiledAllocation(
                size=size(cores),
                capacity=(KnownCapacity(latency_s=SLO_S, percentile=99.0, rps=rps),),
                memory_bytes=memory_bytes,
            )
            for cores, rps in rates.items()
        ),
    )


SMALL = profile("small", 0.7, {1: 20, 2: 40})
LARGE = profile("large", 0.8, {1: 4, 2: 8})


def test_its_points_are_the_variants_the_most_accurate_first() -> None:
    one = grouped("all", [SMALL, LARGE])
    assert [(p.name, p.accuracy) for p in one.operating_points] == [("large", 0.8), ("small", 0.7)]
    assert one.accuracy == 0.8


def test_a_pod_loads_and_holds_all_its_networks() -> None:
    warm = [replace(each, warm_load_time_s=0.5) for each in (SMALL, LARGE)]
    one = grouped("all", warm)
    assert (one.load_time_s, one.warm_load_time_s) == (4.0, 1.0)
    assert {row.memory_bytes for row in one.allocations} == {20}


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    one = grouped("all", [SMALL, profile("large", 0.8, {1: 4}, memory_bytes=None)])
    assert one.warm_load_time_s is None
    assert {row.memory_bytes for row in one.allocations} == {None}


def test_it_comes_in_the_sizes_that_all_were_measured_at() -> None:
    one = grouped("all", [SMALL, profile("large", 0.8, {2: 8, 4: 16})])
    assert {row.size for row in one.allocations} == {size(2)}


@given(
    rates=st.lists(
        st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=4, unique=True
    )
)
def test_a_pod_serves_at_each_point_what_the_variant_serves_alone(
    rates: list[tuple[int, int]],
) -> None:
    own = [
        profile(f"v{n}", 0.5 + n / 100, {1: one, 2: one + more})
        for n, (one, more) in enumerate(rates)
    ]
    alone = {each.variant: to_variant(each, SLO_S, 99.0) for each in own}
    together = to_variant(grouped("all", own), SLO_S, 99.0)
    for allocation in together.allocations:
        rps = {
            name: next(a.capacity_rps for a in v.allocations if a.size == allocation.size)
            for name, v in alone.items()
        }
        most_rps = max(rps.values())
        assert most_rps / (1 + LEAST_STEP) <= allocation.capacity_rps <= most_rps
        assert allocation.points
        for point in allocation.points:
            served_rps = point.capacity_ratio * allocation.capacity_rps
            assert served_rps == pytest.approx(rps[point.name])
            assert point.accuracy == alone[point.name].accuracy


def test_it_is_written_and_read_as_any_profile() -> None:
    one = grouped("all", [SMALL, LARGE])
    mebibytes = [replace(row, memory_bytes=2**20) for row in one.allocations]
    one = replace(one, allocations=tuple(mebibytes))
    assert read_document(write_document(ProfileDocument(profile=one))).profile == one


@pytest.mark.parametrize(
    ("profiles", "why"),
    [
        ([], "two or more variants"),
        ([SMALL], "two or more variants"),
        ([SMALL, SMALL], "different names"),
        ([SMALL, profile("large", 0.8, {4: 8})], "no size of pod was measured for all"),
        ([grouped("both", [SMALL, LARGE]), SMALL], "both has operating points already"),
        ([grouped("both", [SMALL, LARGE])], "^both has operating points already: leave it as it"),
    ],
)
def test_what_cannot_share_a_pod_is_said(profiles: list[Profile], why: str) -> None:
    with pytest.raises(NotGroupable, match=why):
        grouped("all", profiles)
