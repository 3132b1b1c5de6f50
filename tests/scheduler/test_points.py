"""Operating points: what admission promises, what a policy may choose, and what a plan changes."""

import random
from collections import Counter
from math import inf

import pytest

from infadapter_scheduler import (
    Action,
    Arrival,
    Arrived,
    Choice,
    ExecutorJoined,
    Finished,
    Gone,
    Load,
    LoadWanted,
    Model,
    Point,
    PointsAllowed,
    Profiled,
    Reason,
    Refuse,
    Run,
    Scheduler,
    Situation,
    SpeedChanged,
    Timed,
    World,
    replay,
    with_points,
)
from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_scheduler.points.rivals import Fixed, LowestAccuracy, MaxAccuracy, MaxBatch
from infadapter_scheduler.points.slackfit import SlackFit, bucketed
from infadapter_scheduler.policies.central import CentralQueue

SMALL = Point("small", 70.0, {1: 0.010, 4: 0.020})
MIDDLE = Point("middle", 75.0, {1: 0.020, 4: 0.045})
LARGE = Point("large", 80.0, {1: 0.040, 4: 0.100})
T = 10.0
"""Before that is known how little comes: the rate of the first instant is that of a burst."""

NET = with_points("net", [LARGE, SMALL, MIDDLE], load_s=0.1, pages=2)


def scheduler(points: object = None, model: Model = NET) -> Scheduler:
    made = Scheduler([model], points=points)  # type: ignore[arg-type]
    made.handle(ExecutorJoined("e", None, (model.name,)), 0.0)
    return made


def run_of(actions: list[Action]) -> Run:
    (found,) = [action for action in actions if isinstance(action, Run)]
    return found


def test_points_are_in_the_order_of_accuracy_and_their_weights_are_summed() -> None:
    own = with_points("l", [Point("a", 1.0, {1: 1.0}, 2.0, 3), Point("b", 2.0, {1: 2.0}, 4.0, 5)])
    assert [point.name for point in NET.points] == ["small", "middle", "large"]
    assert (own.load_s, own.pages) == (6.0, 8)
    assert (NET.load_s, NET.pages) == (0.1, 2)


def test_the_fastest_point_is_told_by_batch_size() -> None:
    crossing = [Point("a", 1.0, {1: 0.010, 4: 0.050}), Point("b", 2.0, {1: 0.020, 4: 0.030})]
    model = with_points("m", crossing)
    assert model.execution_s == {1: 0.010, 4: 0.030}
    run = run_of(scheduler(LowestAccuracy(), model).handle(Arrived(1, "m", 0.012), 0.0))
    assert (run.point, run.expected_s) == (0, 0.010)


@pytest.mark.parametrize(
    "points",
    [[], [SMALL, SMALL], [Point("a", 1.0, {2: 0.1})]],
    ids=["none", "twice", "no batch of 1"],
)
def test_a_ladder_that_makes_no_sense_is_refused(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="operating point"):
        with_points("net", points)


def test_alone_a_request_is_served_by_the_most_accurate_point() -> None:
    run = run_of(scheduler().handle(Arrived(1, "net", T + 1.0), T))
    assert (run.point, run.expected_s) == (2, 0.040)


def test_what_is_due_soon_is_accepted_by_the_fastest_point_and_served_by_what_fits() -> None:
    assert run_of(scheduler().handle(Arrived(1, "net", T + 0.030), T)).point == 1
    assert run_of(scheduler().handle(Arrived(1, "net", 0.010), 0.0)).point == 0
    (refusal,) = scheduler().handle(Arrived(1, "net", 0.009), 0.0)
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.NO_TIME


def test_a_floor_is_what_serves_the_request_or_it_is_refused() -> None:
    run = run_of(scheduler(LowestAccuracy()).handle(Arrived(1, "net", 0.030, floor=75.0), 0.0))
    assert (run.point, run.expected_s) == (1, 0.020)
    late, unreached = (
        scheduler().handle(Arrived(1, "net", 0.015, floor=75.0), 0.0),
        scheduler().handle(Arrived(1, "net", 9.0, floor=80.1), 0.0),
    )
    assert [action.reason for action in late if isinstance(action, Refuse)] == [Reason.NO_TIME]
    assert unreached == [Refuse(1, Reason.NO_POINT, inf)]


def test_requests_of_other_floors_do_not_share_a_batch() -> None:
    made = scheduler(LowestAccuracy())
    made.handle(Arrived(0, "net", 1.0), 0.0)
    for number, floor in ((1, 0.0), (2, 80.0), (3, 0.0), (4, 80.0)):
        made.handle(Arrived(number, "net", 1.0 + number / 1000, floor=floor), 0.001)
    runs, now_s, run = [], 0.010, made.handle(Finished("e", 1, 0.0, 0.010), 0.010)
    while run:
        (sent,) = run
        assert isinstance(sent, Run)
        runs.append((sent.point, set(sent.batch)))
        now_s += sent.expected_s
        run = made.handle(Finished("e", sent.run, now_s - sent.expected_s, now_s), now_s)
    assert sorted(n for _, batch in runs for n in batch) == [1, 2, 3, 4]
    assert all(batch <= ({1, 3} if point == 0 else {2, 4}) for point, batch in runs)


def test_the_plan_changes_what_is_allowed_for_whoever_comes_next() -> None:
    made = scheduler()
    made.handle(PointsAllowed("net", ("small", "middle")), 0.0)
    assert run_of(made.handle(Arrived(1, "net", T + 1.0), T)).point == 1
    made.handle(Finished("e", 1, T, T + 0.020), T + 0.020)
    made.handle(PointsAllowed("net", None, 78.0), T + 0.5)
    (refusal,) = made.handle(Arrived(2, "net", T + 0.530), T + 0.5)
    assert isinstance(refusal, Refuse)
    assert refusal.reason is Reason.NO_TIME
    assert run_of(made.handle(Arrived(3, "net", T + 0.545), T + 0.5)).point == 2


def test_what_was_accepted_keeps_the_points_that_it_was_promised() -> None:
    made = scheduler()
    made.handle(Arrived(1, "net", 0.040), 0.0)
    made.handle(Arrived(2, "net", 0.055), 0.0)
    made.handle(PointsAllowed("net", ("large",)), 0.001)
    (second,) = made.handle(Finished("e", 1, 0.0, 0.040), 0.040)
    assert isinstance(second, Run)
    assert (second.batch, second.point) == ((2,), 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (PointsAllowed("net", ("tiny",)), "no operating point tiny; it has small, middle, large"),
        (PointsAllowed("net", None, 81.0), "the best is large with 80"),
        (PointsAllowed("net", ("small",), 72.0), "the best is small with 70"),
        (Profiled("net", {1: 0.1}), "which operating point of net"),
    ],
)
def test_a_change_that_leaves_nothing_to_serve_with_says_so(change: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scheduler().handle(change, 0.0)  # type: ignore[arg-type]


def test_a_model_without_points_has_none_to_allow() -> None:
    with pytest.raises(ValueError, match="m has no operating points"):
        scheduler(model=Model("m", {1: 0.01})).handle(PointsAllowed("m"), 0.0)


def test_each_point_learns_what_it_takes() -> None:
    made = scheduler()
    for number in range(400):
        at_s = float(number)
        run = run_of(made.handle(Arrived(number, "net", at_s + 0.060), at_s))
        took_s = 0.055 if run.point == 2 else run.expected_s
        made.handle(Finished("e", run.run, at_s, at_s + took_s), at_s + took_s)
    assert run.point == 1, "the most accurate one turned out too slow for its buffer"


def test_a_profile_and_a_speed_are_of_points_as_well() -> None:
    made = scheduler()
    made.handle(Profiled("net", {1: 0.015}, None, "large"), 0.0)
    made.handle(SpeedChanged(2.0), 0.0)
    run = run_of(made.handle(Arrived(1, "net", T + 0.050), T))
    assert run.point == 2
    assert run.expected_s == pytest.approx(0.030)


def test_a_load_that_was_asked_for_is_not_starved_by_better_points() -> None:
    """It stands among the executions, and is sent when it makes nobody late."""
    other = Model("other", {1: 0.001}, load_s=0.050)
    made = Scheduler([NET, other], points=Slowest())
    made.handle(ExecutorJoined("e", None, ("net",), shared_load=True), 0.0)
    first = run_of(made.handle(Arrived(1, "net", T + 0.060), T))
    made.handle(Arrived(2, "net", T + 0.095, floor=80.0), T)
    assert first.point == 2
    assert not made.handle(LoadWanted("other"), T + 0.001), "the second would be late behind it"
    made.handle(Arrived(3, "net", T + 0.400), T + 0.002)
    sent = made.handle(Finished("e", first.run, T, T + 0.040), T + 0.040)
    assert (run_of(sent).batch, run_of(sent).point) == ((2,), 2)
    assert "other" in [action.model for action in sent if isinstance(action, Load)]


class Slowest:
    """Wants what is most accurate, whatever that costs."""

    def choose(self, situation: Situation) -> Choice:
        return Choice(situation.points[-1].number, 1)

    def ran(self, situation: Situation, choice: Choice) -> None:
        """Nothing is remembered."""


def situation(points: tuple[Point, ...] = NET.points, **told: object) -> Situation:
    timed = tuple(Timed(n, p.name, p.accuracy, p.execution_s) for n, p in enumerate(points))
    usual: dict[str, object] = {
        "now_s": 0.0,
        "model": "net",
        "points": timed,
        "waiting": 4,
        "size": 4,
        "slack_s": 1.0,
        "rate_rps": 1.0,
        "patience_s": 1.0,
        "behind_s": 0.0,
        "longest_s": lambda size: 1.0,
    }
    return Situation(**{**usual, **told})  # type: ignore[arg-type]


def test_slackfit_takes_the_largest_batch_of_its_bucket_then_the_most_accurate_point() -> None:
    timed = situation().points
    table = bucketed(timed, 9)
    assert table.least_s == pytest.approx(0.010)
    assert table.step_s == pytest.approx(0.010)
    found = [table.within(slack_s) for slack_s in (0.001, 0.011, 0.021, 0.041, 0.046, 0.051, 9.0)]
    assert found == [
        Choice(0, 1), Choice(0, 1), Choice(0, 4), Choice(0, 4), Choice(0, 4), Choice(1, 4),
        Choice(2, 4),
    ]  # fmt: skip
    assert SlackFit(9).choose(situation(waiting=3, size=1, slack_s=0.055)) == Choice(1, 1)


@pytest.mark.parametrize("slack_ms", [5, 15, 25, 45, 50, 105])
def test_rivals_choose_as_they_are_defined(slack_ms: int) -> None:
    slack_s = slack_ms / 1000
    seen = situation(slack_s=slack_s)
    pairs = [(p, b) for p in seen.points for b, t in p.seconds.items() if t < slack_s]
    batch, accurate = MaxBatch().choose(seen), MaxAccuracy().choose(seen)
    if any(p.number == 0 for p, _ in pairs):
        size = max(b for p, b in pairs if p.number == 0)
        assert batch == Choice(max(p.number for p, b in pairs if b == size), size)
        number = max(p.number for p, b in pairs if b == 1)
        assert accurate == Choice(number, max(b for p, b in pairs if p.number == number))
    else:
        assert (batch.number, accurate) == (0, Choice(0, 1))
    assert LowestAccuracy().choose(seen) == Choice(0, 4)
    assert Fixed(1).choose(seen) == Choice(1, 4)


def test_ours_is_as_accurate_as_keeps_up_and_one_more_where_nobody_waits() -> None:
    chosen = {
        rate_rps: KeepingUp().choose(situation(rate_rps=rate_rps)).number
        for rate_rps in (1.0, 39.0, 60.0, 84.5, 150.0, 199.0)
    }
    assert chosen == {1.0: 2, 39.0: 2, 60.0: 2, 84.5: 1, 150.0: 1, 199.0: 0}
    assert KeepingUp().choose(situation(rate_rps=60.0, behind_s=0.9)).number < 2


def test_two_neighbours_are_mixed_without_a_faster_point() -> None:
    """The third one keeps up; faster ones would have to make up for what the fourth takes."""
    each_s = (0.00064, 0.00103, 0.00155, 0.00269, 0.00781)
    accuracies = (0.836, 0.885, 0.914, 0.923, 0.932)
    points = [
        Point(f"p{n}", accuracy, {1: 1.5 * s, 4: 4.4 * s, 8: 8 * s})
        for n, (accuracy, s) in enumerate(zip(accuracies, each_s, strict=True))
    ]
    model, draw = with_points("net", points), random.Random(1)
    at_s, arrivals = 0.0, []
    while at_s < 7.0:
        at_s += draw.expovariate(550.0)
        arrivals.append(Arrival(at_s, "net", 0.25))
    settled = replay(Scheduler([model]), arrivals, World({"net": model}))[550:]
    assert {fate.outcome for fate in settled} == {"on_time"}
    shares = Counter(fate.point for fate in settled)
    assert shares[0] + shares[1] < 0.03 * len(settled)
    assert shares[3] > 0.15 * len(settled)


def test_in_one_queue_nobody_is_refused_and_the_earliest_deadline_goes_first() -> None:
    arrivals = [Arrival(0.0, "net", 1.0), Arrival(0.001, "net", 0.5), Arrival(0.002, "net", 0.1)]
    queue = CentralQueue(NET, LowestAccuracy())
    fates = replay(queue, arrivals, World({"net": NET}))
    assert {fate.outcome for fate in fates} == {"on_time"}
    assert fates[0].start_s < fates[2].start_s < fates[1].start_s


def test_who_switches_pays_for_it_where_switching_takes_time() -> None:
    arrivals = [Arrival(0.0, "net", 1.0), Arrival(2.0, "net", 0.035)]
    free, paid = (
        replay(Scheduler([NET]), arrivals, World({"net": NET}, switch_s=switch_s))
        for switch_s in (0.0, 0.1)
    )
    assert [fate.outcome for fate in free] == ["on_time", "on_time"]
    assert [fate.outcome for fate in paid] == ["on_time", "late"]


def test_nothing_more_is_sent_in_the_last_instant_of_what_takes_longer_than_expected() -> None:
    made = scheduler(model=Model("m", {1: 0.010}))
    made.handle(Profiled("m", {1: 0.005}), 0.0)
    assert run_of(made.handle(Arrived(1, "m", 1.0), 0.0)).expected_s == 0.005
    assert made.handle(Arrived(2, "m", 1.0), 0.005 - 5e-9) == []


def test_who_leaves_the_one_queue_leaves_the_others_in_the_order_of_their_deadlines() -> None:
    queue = CentralQueue(NET, LowestAccuracy())
    for number, deadline_s in enumerate((1.0, 5.0, 2.0)):
        queue.handle(Arrived(number, "net", deadline_s), 0.0)
    queue.handle(Gone(0), 0.0)
    run = run_of(queue.handle(ExecutorJoined("executor"), 0.0))
    assert run.batch[0] == 2
