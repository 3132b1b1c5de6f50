"""Operating points that have not run lately follow those that do: a calm misleads nobody."""

import random
from collections import Counter

import pytest

from infadapter_scheduler import Arrival, Model, Point, Scheduler, World, replay, with_points
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
from infadapter_scheduler.following import ACCIDENT, LATELY
from infadapter_scheduler.points.ladder import Ladder
from infadapter_scheduler.size_trial import doubt

SMALL = {1: 0.002, 2: 0.0035, 4: 0.006}
MIDDLE = {1: 0.006, 2: 0.011, 4: 0.020}
LARGE = {1: 0.015, 2: 0.028, 4: 0.052}
CAPACITY_RPS = 4 / SMALL[4]
SLO_S, CALM_S, BURST_S = 0.225, 20.0, 5.0


def net(times_as_long: float = 1.0) -> Model:
    points = (("small", 0.7, SMALL), ("middle", 0.8, MIDDLE), ("large", 0.9, LARGE))
    return with_points(
        "m",
        [
            Point(name, accuracy, {b: times_as_long * t for b, t in seconds.items()})
            for name, accuracy, seconds in points
        ],
    )


def seconds_of(ladder: Ladder) -> list[dict[int, float]]:
    costs = ladder.costs()
    assert costs is not None
    assert costs.choices is not None
    return [dict(point.seconds) for point in costs.choices.points]


def times(seconds: dict[int, float], factor: float) -> object:
    return pytest.approx({size: factor * each for size, each in seconds.items()}, rel=0.02)


def test_what_one_point_shows_of_the_machine_holds_for_those_that_have_not_run_lately() -> None:
    ladder = Ladder(net())
    for _ in range(1000):
        ladder.learn(2, 1, 3 * LARGE[1])
    assert seconds_of(ladder) == [times(SMALL, 3), times(MIDDLE, 3), times(LARGE, 3)]


def test_points_that_both_run_are_known_each_by_its_own() -> None:
    ladder = Ladder(net())
    for _ in range(400):
        ladder.learn(2, 1, 3 * LARGE[1])
        ladder.learn(0, 4, SMALL[4])
    small, _, large = seconds_of(ladder)
    assert small[4] == pytest.approx(SMALL[4], rel=0.01)
    assert large[1] == pytest.approx(3 * LARGE[1], rel=0.01)


def test_who_ran_within_the_last_executions_does_not_follow_yet() -> None:
    quick = with_points("m", [Point("a", 0.7, {1: 0.0001}), Point("b", 0.8, {1: 0.0002})])
    ladder = Ladder(quick)
    ladder.learn(0, 1, 0.0001)
    for _ in range(LATELY - 1):
        ladder.learn(1, 1, 0.0006)
    assert seconds_of(ladder)[0][1] == pytest.approx(0.0001, rel=0.03)
    for _ in range(LATELY):
        ladder.learn(1, 1, 0.0006)
    assert seconds_of(ladder)[0][1] > 0.000105


def test_what_long_executions_have_in_common_is_known_within_a_second() -> None:
    """
    A quota that begins to stop a pod of a fraction of a core: all that its executions have in
    common is known by the next second, also of those that run in turn.
    """
    ladder = Ladder(net())
    for number, size in 40 * [(2, 1), (1, 2), (0, 4)]:
        ladder.learn(number, size, 3 * ladder.model.points[number].execution_s[size])
    for seconds, profiled in zip(seconds_of(ladder), (SMALL, MIDDLE, LARGE), strict=True):
        for size in profiled:
            assert 2.3 * profiled[size] < seconds[size] < 3.1 * profiled[size]


def test_what_several_show_in_turn_is_the_same_news_of_those_that_do_not_run() -> None:
    ladder = Ladder(net())
    for number, size in 300 * [(2, 1), (1, 2), (0, 4)]:
        ladder.learn(number, size, 3 * ladder.model.points[number].execution_s[size])
    assert seconds_of(ladder) == [times(SMALL, 3), times(MIDDLE, 3), times(LARGE, 3)]


def test_an_accident_moves_those_that_run_little_and_is_soon_forgotten() -> None:
    ladder = Ladder(net())
    ladder.learn(0, 1, SMALL[1])
    ladder.learn(2, 1, 10.0)
    assert seconds_of(ladder)[0][1] <= (1 + ACCIDENT) * SMALL[1]
    for _ in range(20):
        ladder.learn(2, 1, LARGE[1])
        ladder.learn(0, 1, SMALL[1])
    assert seconds_of(ladder)[0][1] < 1.05 * SMALL[1]


def test_requests_with_a_floor_are_counted_by_what_all_points_have_shown() -> None:
    ladder = Ladder(net())
    floored = ladder.costs(0.8)
    assert floored is not None
    for _ in range(1000):
        ladder.learn(0, 1, 3 * SMALL[1])
    assert floored.seconds == times(MIDDLE, 3)


def test_a_size_of_a_point_that_has_only_been_warmed_up_is_tried_at_the_first_refusal() -> None:
    slow = with_points("m", [Point("small", 0.7, {1: 0.002, 4: 0.350}), Point("l", 0.8, LARGE)])
    entry = Scheduler([slow]).state.models["m"]
    entry.holders.append(None)  # type: ignore[arg-type]  # some executor
    assert 4 in entry.costs.doubted
    doubt(entry, entry.costs, 10.0)
    assert 4 not in entry.costs.doubted
    assert 2 in entry.costs.doubted, "of which the fast point has no batches"


def test_points_without_a_size_leave_trials_to_those_that_have_it() -> None:
    """Of four, twos of the fast point are faster than fours of the one that has them."""
    made = with_points("m", [Point("fast", 0.7, {1: 0.002, 2: 0.003}), Point("l", 0.8, LARGE)])
    entry = Scheduler([made]).state.models["m"]
    entry.holders.append(None)  # type: ignore[arg-type]  # some executor
    assert entry.costs.doubted == (4,)
    assert not entry.costs.only_warmed_up(4), "nothing shows what it never runs"


def after_a_calm(believed: float, load: float) -> Counter[str | None]:
    """Of a burst, at a share of what the fastest point serves; at first all points seem so slow."""
    draw = random.Random(1)
    scheduler = Scheduler([net(believed)], most_buffer=MOST_OF_THE_TIME, lag_s=0.001, trials=True)
    arrivals = [
        *_poisson(draw, 0.0, CALM_S, 15.0),
        *_poisson(draw, CALM_S, CALM_S + BURST_S, load * CAPACITY_RPS),
    ]
    fates = replay(scheduler, arrivals, World({"m": net()}, lag_s=0.001))
    pairs = zip(fates, arrivals, strict=True)
    return Counter(fate.outcome for fate, arrival in pairs if arrival.arrival_s >= CALM_S)


def _poisson(draw: random.Random, from_s: float, until_s: float, rps: float) -> list[Arrival]:
    at_s, found = from_s, list[Arrival]()
    while (at_s := at_s + draw.expovariate(rps)) < until_s:
        found.append(Arrival(at_s, "m", SLO_S))
    return found


@pytest.mark.parametrize("believed", [0.3, 0.5, 1.0, 4.0, 8.0])
def test_whatever_the_start_has_shown_a_calm_by_one_point_readies_all_for_a_burst(
    believed: float,
) -> None:
    """
    Points that kept what they took at first were refused for up to 6 % of it, and where all had
    become slower in the calm a fifth of those that were accepted had no answer in time.
    """
    assert set(after_a_calm(believed, 0.6)) == {"on_time"}
    near = after_a_calm(believed, 0.95)
    assert set(near) <= {"on_time", "refused"}
    assert near["refused"] < 0.025 * near.total()
