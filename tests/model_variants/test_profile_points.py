"""Which operating points are measured, where there are more than there is time for."""

import math
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.document import MOST_ITEMS
from infadapter_profiles.profile import OperatingPoint, Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_server.profiling.points import (
    ALL,
    MOST_POINTS,
    PointsError,
    check_rows,
    check_told,
    most_points,
    spread,
    wanted,
)

THERE = tuple(OperatingPoint(name=name, accuracy=0.5) for name in ("a", "b", "c"))


def nearest(times_s: tuple[float, ...]) -> float:
    """The smallest ratio between two of them, as its logarithm."""
    logs = sorted(map(math.log, times_s))
    return min(after - before for before, after in pairwise(logs))


@given(
    times_s=st.lists(st.floats(1e-4, 10), min_size=1, max_size=9, unique=True),
    most=st.integers(2, 5),
)
def test_no_other_choice_is_farther_apart(times_s: list[float], most: int) -> None:
    by_name = {f"p{place}": time_s for place, time_s in enumerate(times_s)}
    kept = spread(by_name, most)
    assert list(kept) == [name for name in by_name if name in kept], "in their order"
    assert len(kept) == min(most, len(times_s))
    if len(times_s) > most:
        chosen = tuple(by_name[name] for name in kept)
        assert {min(times_s), max(times_s)} <= set(chosen)
        best = max(nearest(each) for each in combinations(times_s, most))
        assert nearest(chosen) == pytest.approx(best, rel=1e-6, abs=1e-12)


def of(*points: str, rows: int = 1) -> Profile:
    allocation = ProfiledAllocation(
        size=PodSize(resources={"cpu": 1}), operating_point=points[0] if points else None
    )
    return Profile(
        variant="v",
        accuracy=0.5,
        load_time_s=1,
        allocations=rows * (allocation,),
        operating_points=tuple(OperatingPoint(name=name, accuracy=0.5) for name in points),
    )


def names(points: tuple[OperatingPoint, ...]) -> list[str]:
    return [point.name for point in points]


def test_all_are_wanted_unless_the_profile_has_some() -> None:
    assert names(wanted(None, THERE, None)) == ["a", "b", "c"]
    assert names(wanted(None, THERE, of("b"))) == ["b"]
    assert names(wanted(ALL, THERE, of("b"))) == ["a", "b", "c"]
    assert names(wanted(("c", "a", "c"), THERE, None)) == ["c", "a"]
    assert wanted(None, (), of()) == ()


@pytest.mark.parametrize(
    ("asked", "there", "before", "why"),
    [
        (("a", "d"), THERE, None, "names the operating point d, and the server has a, b, c"),
        (ALL, (), None, "no operating points of this model: leave --points out, or check the URL"),
        (None, THERE, of(), "without operating points, and this one has a, b, c"),
        (None, (), of("a", "b"), "is of the operating points a, b, and the server has none"),
        (("a",), THERE, of("a", "x"), "is of the operating point x, and the server has a, b, c"),
    ],
)
def test_what_does_not_go_together_is_said(
    asked: str | tuple[str, ...] | None,
    there: tuple[OperatingPoint, ...],
    before: Profile | None,
    why: str,
) -> None:
    with pytest.raises(PointsError, match=why):
        wanted(asked, there, before)


def test_a_server_whose_points_can_not_be_set_is_not_measured_as_one_network() -> None:
    with pytest.raises(PointsError, match="does not say which of them"):
        check_told(tells=False, lists=True, accuracy=None)
    with pytest.raises(PointsError, match="leave --accuracy out"):
        check_told(tells=True, lists=True, accuracy=0.5)
    check_told(tells=True, lists=True, accuracy=None)
    check_told(tells=False, lists=False, accuracy=0.5)


def test_a_profile_has_no_more_rows_than_it_may() -> None:
    check_rows(of("a", rows=MOST_ITEMS), {"cpu": 1}, THERE[:1])
    check_rows(of("a", rows=MOST_ITEMS - 3), {"cpu": 2}, THERE)
    with pytest.raises(PointsError, match=f"would make {MOST_ITEMS + 1} rows"):
        check_rows(of("a", rows=MOST_ITEMS - 2), {"cpu": 2}, THERE)


def test_how_many_rows_a_size_takes_is_bounded_before_a_server_is_asked() -> None:
    assert most_points(None) == MOST_POINTS
    assert most_points(ALL) == MOST_ITEMS
    assert most_points(("a", "b")) == 2
