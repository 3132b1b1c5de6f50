"""SUSHI's choice as a policy of operating points, behind the scheduler's admission."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler import (
    Arrival,
    Choice,
    Point,
    Scheduler,
    Situation,
    World,
    replay,
    with_points,
)
from infadapter_scheduler.points.policy import Timed
from infadapter_scheduler.points.subgraphs import SubGraphPoints
from infadapter_scheduler.subgraphs import LatencyTable, Strict, SubGraph, SubNet, nearest

TABLE = LatencyTable(
    (
        SubNet("small", 0.7, (4, 0), (2.0, 4.0)),
        SubNet("large", 0.8, (0, 4), (9.0, 6.0)),
        SubNet("wide", 0.9, (0, 5), (12.0, 5.0)),
    ),
    (SubGraph("of small", (4, 0)), SubGraph("of large", (0, 4))),
)
MODEL = with_points(
    "m",
    [Point(net.name, net.accuracy, {1: max(net.latency_ms) / 1000}) for net in TABLE.subnets],
)


class Told:
    def __init__(self) -> None:
        self.changes: list[tuple[str, int]] = []

    def __call__(self, model: str, column: int) -> None:
        self.changes.append((model, column))


def situation(points: Sequence[Timed], longest_s: float = 1.0) -> Situation:
    return Situation(0.0, "m", points, 1, 1, 1.0, 1.0, 1.0, 0.0, lambda size: longest_s)


TIMED = [Timed(n, net.name, net.accuracy, {1: 0.001 * n}) for n, net in enumerate(TABLE.subnets)]


@given(
    st.lists(st.sampled_from(TIMED), min_size=1, unique_by=lambda point: point.name),
    st.sampled_from(Strict),
    st.sampled_from((0.0, 0.0005, 0.001, 0.0015, 0.01)),
    st.integers(0, 3),
)
def test_a_point_is_the_fastest_with_what_is_cached_or_the_most_accurate_in_time(
    points: list[Timed], strict: Strict, longest_s: float, large: int
) -> None:
    policy = SubGraphPoints({"m": TABLE}, 1, nearest, strict, Told())
    for _ in range(large):
        policy.ran(situation(TIMED), Choice(1, 1))
    column = 1 if large else 0
    chosen = policy.choose(situation(points, longest_s)).number
    fastest = {point.number: TABLE.subnets[point.number].latency_ms[column] for point in points}
    on_time = [point for point in points if point.seconds[1] <= longest_s]
    if strict is Strict.LATENCY and on_time:
        assert chosen == max(point.number for point in on_time)
    else:
        assert fastest[chosen] == min(fastest.values())


def test_behind_admission_the_cache_follows_what_requests_ask_for() -> None:
    told = Told()
    policy = SubGraphPoints({"m": TABLE}, 4, nearest, Strict.ACCURACY, told)
    floors = [0.7] * 6 + [0.8] * 10 + [0.7] * 10
    arrivals = [Arrival(0.1 * at, "m", 0.05, floor) for at, floor in enumerate(floors)]
    fates = replay(Scheduler([MODEL], points=policy), arrivals, World({"m": MODEL}))
    assert all(fate.outcome == "on_time" for fate in fates)
    accuracies = [MODEL.points[fate.point].accuracy for fate in fates]
    assert all(got >= floor for got, floor in zip(accuracies, floors, strict=True))
    assert told.changes == [("m", 1), ("m", 0)]
    # With large's SubGraph cached, wide is faster than large: more accurate for less.
    assert 0.9 in accuracies[8:16]
    assert 0.9 not in accuracies[:6]


def test_strict_latency_behind_admission_takes_what_nobody_is_late_for() -> None:
    policy = SubGraphPoints({"m": TABLE}, 4, nearest, Strict.LATENCY, Told())
    arrivals = [Arrival(0.1 * at, "m", 0.05 if at % 2 else 0.005) for at in range(40)]
    fates = replay(Scheduler([MODEL], points=policy), arrivals, World({"m": MODEL}))
    assert all(fate.outcome == "on_time" for fate in fates)
    assert {MODEL.points[fate.point].name for fate in fates[1::2]} == {"wide"}
    assert {MODEL.points[fate.point].name for fate in fates[0::2]} == {"small"}
