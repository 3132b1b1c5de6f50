"""Points that are allowed: for a model that is there, and for one that takes its place."""

from collections.abc import Sequence

from infadapter_scheduler import (
    Action,
    Arrived,
    ExecutorJoined,
    Finished,
    Loaded,
    LoadWanted,
    ModelAdded,
    Point,
    PointsAllowed,
    Reason,
    Refuse,
    Run,
    Scheduler,
    with_points,
)
from infadapter_scheduler.points.rivals import MaxAccuracy

FAST, SLOW = Point("fast", 0.8, {1: 0.001}), Point("slow", 0.9, {1: 0.010})


def runs(actions: Sequence[Action]) -> list[Run]:
    return [action for action in actions if isinstance(action, Run)]


def test_a_successor_is_served_by_what_is_allowed_from_its_first_request_on() -> None:
    model = with_points("m", (FAST, SLOW), pages=1)
    scheduler = Scheduler([model], points=MaxAccuracy())
    assert scheduler.points("m") == (FAST, SLOW)
    assert scheduler.points("n") == ()
    scheduler.handle(ExecutorJoined("e", pages=2, resident=("m",)), 0.0)
    (run,) = runs(scheduler.handle(Arrived(1, "m", 1.0), 0.0))
    assert run.point == 1
    larger = with_points("m", (FAST, SLOW), pages=2)
    scheduler.handle(ModelAdded(larger, PointsAllowed("m", ("fast",))), 0.001)
    scheduler.handle(Finished("e", run.run, 0.0, 0.01), 0.01)
    scheduler.handle(LoadWanted("m"), 0.01)
    actions = scheduler.handle(Arrived(2, "m", 1.0), 0.01)
    actions += scheduler.handle(Loaded("e", "m", 0.01, 0.02), 0.02)
    assert [run.point for run in runs(actions)] == [0]
    (refused,) = scheduler.handle(Arrived(3, "m", 1.0, floor=0.85), 0.02)
    assert isinstance(refused, Refuse)
    assert refused.reason is Reason.NO_POINT
