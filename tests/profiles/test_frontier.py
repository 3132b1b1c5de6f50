"""Of a pod's operating points those that are worth using, against every mixture of two of them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.frontier import LEAST_STEP, Served, frontier, mixture
from infadapter_profiles.sizes import Allocation, PodSize, Variant

SIZE = PodSize(resources={"cpu": 1000})
POINTS = st.lists(
    st.builds(
        Served,
        st.just("p"),
        st.one_of(st.sampled_from([0.5, 0.7, 0.9]), st.floats(0.05, 1)),
        st.one_of(st.just(0.0), st.integers(1, 12).map(float), st.floats(0.5, 200)),
    ),
    max_size=6,
).map(lambda points: [point._replace(name=f"p{n}") for n, point in enumerate(points)])


def test_a_point_below_the_line_between_two_others_is_not_needed() -> None:
    slow, below, above, fast = (
        Served("slow", 0.9, 10),
        Served("below", 0.7, 20),
        Served("above", 0.8, 20),
        Served("fast", 0.6, 40),
    )
    assert [p.name for p in frontier([fast, below, slow])] == ["slow", "fast"]
    kept = frontier([fast, above, slow])
    assert [(p.name, p.capacity_ratio) for p in kept] == [
        ("slow", 0.25),
        ("above", 0.5),
        ("fast", 1.0),
    ]


def test_of_two_points_as_fast_the_more_accurate_stays_and_of_two_as_accurate_the_faster() -> None:
    assert [p.name for p in frontier([Served("a", 0.7, 5), Served("b", 0.8, 5)])] == ["b"]
    assert [p.name for p in frontier([Served("a", 0.7, 5), Served("b", 0.7, 9)])] == ["b"]


def test_a_point_that_is_hardly_faster_is_none() -> None:
    points = [Served("a", 0.9, 100), Served("b", 0.8, 100 * (1 + LEAST_STEP / 2))]
    assert [p.name for p in frontier(points)] == ["a"]


def test_where_no_point_serves_within_the_slo_there_is_none() -> None:
    assert frontier([Served("a", 0.9, 0.0)]) == ()
    assert frontier([]) == ()


@given(POINTS, st.floats(0, 1))
def test_no_mixture_of_two_points_is_better_than_the_segments(
    points: list[Served], part: float
) -> None:
    most_rps = max((point.capacity_rps for point in points), default=0.0)
    for rps in (part * most_rps, *(point.capacity_rps for point in points)):
        if 0 < rps <= allocation_of(points).capacity_rps:
            best = best_mixture(points, rps)
            assert gained(points, rps) >= best - LEAST_STEP * rps - 1e-9
            assert gained(points, rps) <= best + 1e-9


@given(POINTS)
def test_ratios_rise_to_one_and_accuracies_and_marginal_accuracies_fall(
    points: list[Served],
) -> None:
    allocation = allocation_of(points)
    segments = variant_of(points).segments(allocation) if allocation.points else ()
    for slow, fast in pairwise(allocation.points):
        assert 0 < slow.capacity_ratio < fast.capacity_ratio
        assert slow.accuracy > fast.accuracy
    for before, after in pairwise(segments):
        assert before.accuracy > after.accuracy
    if allocation.points:
        assert allocation.points[-1].capacity_ratio == 1.0
        assert sum(s.rps for s in segments) == pytest.approx(allocation.capacity_rps)
        assert allocation.capacity_rps >= max(p.capacity_rps for p in points) / (1 + LEAST_STEP)


@given(POINTS, st.floats(0, 1))
def test_the_mixture_serves_the_rate_at_the_segments_accuracy(
    points: list[Served], part: float
) -> None:
    allocation = allocation_of(points)
    rps = part * allocation.capacity_rps
    mixed = mixture(allocation, rps)
    assert sum(mixed.values()) == pytest.approx(rps if allocation.points else 0.0)
    assert len(mixed) <= 2
    accuracy = {point.name: point.accuracy for point in points}
    if allocation.points:
        worth = sum(accuracy[name] * at_rps for name, at_rps in mixed.items())
        assert worth == pytest.approx(gained(points, rps), abs=1e-6)


def test_a_pod_beyond_its_capacity_answers_with_the_fastest_point() -> None:
    allocation = allocation_of([Served("slow", 0.9, 10), Served("fast", 0.6, 40)])
    assert mixture(allocation, 8) == {"slow": 8}
    assert mixture(allocation, 10) == {"slow": 10}
    assert mixture(allocation, 25) == {"slow": 5, "fast": 20}
    assert mixture(allocation, 50) == {"fast": 50}


# --- the reference: requests of two points share a pod's time


def best_mixture(points: list[Served], rps: float) -> float:
    """Accuracy × rate, by the best two points that serve just this rate in at most all the time."""
    able = [point for point in points if point.capacity_rps > 0]
    alone = [rps * point.accuracy for point in able if point.capacity_rps >= rps]
    mixed = [
        (1 - of_time) * one.capacity_rps * one.accuracy + of_time * two.capacity_rps * two.accuracy
        for one in able
        for two in able
        if one.capacity_rps < rps < two.capacity_rps
        for of_time in [(rps - one.capacity_rps) / (two.capacity_rps - one.capacity_rps)]
    ]
    return max(alone + mixed)


def gained(points: list[Served], rps: float) -> float:
    left, found = rps, 0.0
    for segment in variant_of(points).segments(allocation_of(points)):
        taken = min(left, segment.rps)
        found, left = found + taken * segment.accuracy, left - taken
    return found


def allocation_of(points: list[Served]) -> Allocation:
    kept = frontier(points)
    rates = {point.name: point.capacity_rps for point in points}
    return Allocation(size=SIZE, capacity_rps=rates[kept[-1].name] if kept else 0.0, points=kept)


def variant_of(points: list[Served]) -> Variant:
    return Variant(
        name="v",
        accuracy=max(point.accuracy for point in points),
        load_time_s=1.0,
        allocations=(allocation_of(points),),
    )


@given(st.floats(0.01, 1.0), st.lists(st.floats(0.5, 1000.0), min_size=2, max_size=5, unique=True))
def test_of_points_of_one_accuracy_the_fastest_is_kept(accuracy: float, rates: list[float]) -> None:
    points = [Served(f"p{n}", accuracy, rps) for n, rps in enumerate(rates)]
    (kept,) = frontier(points)
    fastest = next(point for point in points if point.name == kept.name)
    assert fastest.capacity_rps >= max(rates) / (1 + LEAST_STEP)
