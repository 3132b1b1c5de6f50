"""What a pod answers with on average, by its segments and by the points that it mixes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.frontier import Served, frontier, mixture
from infadapter_profiles.sizes import Allocation, PodSize, Segment, mean_accuracy

points = st.lists(
    st.tuples(st.integers(1, 99), st.integers(1, 500)), min_size=1, max_size=6, unique=True
).map(lambda found: [Served(f"p{n}", a / 100, float(rps)) for n, (a, rps) in enumerate(found)])


@given(points, st.floats(0.001, 1.5))
def test_segments_and_the_mixture_of_points_tell_the_same(found: list[Served], part: float) -> None:
    kept = frontier(found)
    most_rps = max(p.capacity_rps for p in found if p.name == kept[-1].name)
    allocation = Allocation(size=PodSize(), capacity_rps=most_rps, points=kept)
    accuracy = {point.name: point.accuracy for point in kept}
    rates = mixture(allocation, part * most_rps)
    mixed = sum(rps * accuracy[name] for name, rps in rates.items()) / sum(rates.values())
    segments = allocation.segments(accuracy=0.0)
    assert mean_accuracy(segments, part * most_rps) == pytest.approx(mixed, abs=1e-9)


@given(st.floats(0, 1e3))
def test_without_points_it_is_the_variant_s_to_the_last_digit(rps: float) -> None:
    assert mean_accuracy((Segment(10.0, 0.1),), rps) == 0.1


def test_a_pod_that_serves_nothing_has_no_points_to_choose_from() -> None:
    nothing = Allocation(size=PodSize(), capacity_rps=0.0, points=frontier([Served("a", 0.5, 1)]))
    assert nothing.segments(0.5) == (Segment(0.0, 0.5),)
