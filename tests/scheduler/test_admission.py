"""Who is accepted: never more than can be served, by brute force on tiny instances."""

from functools import cache
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_scheduler import (
    Action,
    Arrived,
    BulkArrived,
    ExecutorJoined,
    Finished,
    Gone,
    Model,
    Reason,
    Refuse,
    Run,
    Scheduler,
)
from tests.deep import DEEP, drawn

Times = dict[str, dict[int, float]]  # milliseconds by model and batch size

ONE_AT_A_TIME: Times = {"a": {1: 2}, "b": {1: 3}, "c": {1: 7}}
BATCHES: Times = {"a": {1: 2, 2: 3}, "b": {1: 3, 2: 4, 4: 5}}
PUBLISHED = {1: 2.9, 2: 4.2, 4: 6.7, 8: 11.5}

Waiting = tuple[tuple[str, int], ...]  # model and deadline, in milliseconds


def scheduler_of(times_ms: Times) -> Scheduler:
    made = Scheduler(
        Model(name, {b: t / 1000 for b, t in sizes.items()}) for name, sizes in times_ms.items()
    )
    made.handle(ExecutorJoined("e", None, tuple(times_ms)), 0.0)
    return made


def refused(actions: list[Action]) -> bool:
    return any(isinstance(action, Refuse) for action in actions)


def feasible(times_ms: Times, waiting: Waiting, free_ms: float) -> bool:
    """Is there any order, in any batches, in which all are in time?"""

    @cache
    def possible(left: Waiting, now_ms: float) -> bool:
        if not left:
            return True
        return any(
            possible(rest, end_ms)
            for rest, end_ms, due_ms in steps(left, now_ms)
            if end_ms <= due_ms
        )

    def steps(left: Waiting, now_ms: float) -> list[tuple[Waiting, float, float]]:
        found: list[tuple[Waiting, float, float]] = []
        for model, sizes in times_ms.items():
            mine = sorted(due for name, due in left if name == model)
            for size, took_ms in sizes.items():
                if size <= len(mine):
                    rest = list(left)
                    for due in mine[:size]:
                        rest.remove((model, due))
                    found.append((tuple(sorted(rest)), now_ms + took_ms, mine[0]))
        return found

    return possible(tuple(sorted(waiting)), free_ms)


def decisions(times_ms: Times, waiting: list[tuple[str, int]]) -> list[tuple[bool, bool]]:
    """Of each arrival behind a first one that runs: was it accepted, and could all be served?"""
    scheduler = scheduler_of(times_ms)
    name = next(iter(times_ms))
    scheduler.handle(Arrived(0, name, 1.0), 0.0)
    accepted: list[tuple[str, int]] = []
    found = []
    for number, (model, due_ms) in enumerate(waiting, start=1):
        yes = not refused(scheduler.handle(Arrived(number, model, due_ms / 1000), 0.0))
        could = feasible(times_ms, (*accepted, (model, due_ms)), times_ms[name][1])
        found.append((yes, could))
        if yes:
            accepted.append((model, due_ms))
    return found


def arrivals(names: str, most: int) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(names), st.integers(1, 30)), max_size=most)


@settings(max_examples=drawn(150), deadline=None, derandomize=not DEEP)
@given(arrivals("abc", 7))
def test_without_batches_all_are_accepted_that_any_order_could_serve(
    waiting: list[tuple[str, int]],
) -> None:
    for accepted, possible in decisions(ONE_AT_A_TIME, waiting):
        assert accepted == possible


@settings(max_examples=drawn(150), deadline=None, derandomize=not DEEP)
@given(arrivals("ab", 7))
def test_with_batches_nobody_is_accepted_that_no_schedule_could_serve(
    waiting: list[tuple[str, int]],
) -> None:
    for accepted, possible in decisions(BATCHES, waiting):
        assert possible or not accepted


def test_what_a_smaller_batch_can_serve_is_not_given_up_for_a_larger_one() -> None:
    """One due in 12 ms and eight in 100: released Clockwork takes the eight, and drops the one."""
    scheduler = scheduler_of({"a": PUBLISHED})
    scheduler.handle(Arrived(0, "a", 1.0), 0.0)
    actions = scheduler.handle(Arrived(1, "a", 0.012), 0.0)
    for number in range(2, 10):
        actions += scheduler.handle(Arrived(number, "a", 0.1), 0.0)
    assert not refused(actions)
    served = drained(scheduler, 0.0029)
    assert sorted(served) == list(range(10))
    assert served[1] <= 0.012
    assert max(served.values()) <= 0.1


def drained(scheduler: Scheduler, end_s: float) -> dict[int, float]:
    """When each is answered by an exact executor, whose first run ends then."""
    served: dict[int, float] = {0: end_s}
    number, start_s = 1, 0.0
    while True:
        actions = scheduler.handle(Finished("e", number, start_s, end_s), end_s)
        runs = [action for action in actions if isinstance(action, Run)]
        if not runs:
            return served
        number, start_s, end_s = runs[0].run, end_s, end_s + runs[0].expected_s
        served.update(dict.fromkeys(runs[0].batch, end_s))


def test_deadlines_order_the_queue_whatever_came_first() -> None:
    scheduler = scheduler_of({"a": {1: 10}})
    scheduler.handle(Arrived(0, "a", 1.0), 0.0)
    for number, deadline_s in enumerate((0.5, 0.03, 0.1), start=1):
        assert not refused(scheduler.handle(Arrived(number, "a", deadline_s), 0.0))
    served = drained(scheduler, 0.01)
    assert sorted(served, key=lambda number: served[number]) == [0, 2, 3, 1]


def test_a_batch_tenant_fills_what_is_left_and_delays_nobody() -> None:
    """Isolation by deadlines alone: its SLO is a day."""
    scheduler = scheduler_of({"batch": {1: 5}, "live": {1: 5}})
    for number in range(1000):
        assert not refused(scheduler.handle(Arrived(number, "batch", 86_400.0), 0.0))
    assert not refused(scheduler.handle(Arrived(1000, "live", 0.010), 0.0))
    assert drained(scheduler, 0.005)[1000] == pytest.approx(0.010)


@pytest.mark.parametrize(("many", "batches"), [(8, [8]), (7, [4, 2, 1]), (5, [4, 1])])
def test_what_arrives_together_runs_together(many: int, batches: list[int]) -> None:
    scheduler = scheduler_of({"m": PUBLISHED})
    for number in range(many):
        assert scheduler.handle(Arrived(number, "m", 1.0, bulk=True), 0.0) == []
    actions = scheduler.handle(BulkArrived(), 0.0)
    sizes, now_s = [], 0.0
    while actions:
        (run,) = actions
        assert isinstance(run, Run)
        sizes.append(len(run.batch))
        began_s, now_s = now_s, now_s + run.expected_s
        actions = scheduler.handle(Finished("e", run.run, began_s, now_s), now_s)
    assert sizes == batches


def test_a_bulk_arrival_that_is_taken_back_leaves_nothing_and_whatever_comes_next_ends_it() -> None:
    scheduler = scheduler_of({"m": PUBLISHED})
    for number in (1, 2):
        scheduler.handle(Arrived(number, "m", 1.0, bulk=True), 0.0)
    for number in (1, 2):
        assert scheduler.handle(Gone(number), 0.0) == []
    assert scheduler.handle(BulkArrived(), 0.0) == []
    scheduler.handle(Arrived(3, "m", 1.0, bulk=True), 0.0)
    (run,) = scheduler.handle(Arrived(4, "m", 1.0), 0.0)
    assert isinstance(run, Run)
    assert run.batch == (3, 4)


def test_a_refusal_says_when_to_come_again() -> None:
    scheduler = scheduler_of({"a": {1: 10}})
    scheduler.handle(Arrived(0, "a", 1.0), 0.0)
    (action,) = scheduler.handle(Arrived(1, "a", 0.012), 0.0)
    assert isinstance(action, Refuse)
    assert action.reason is Reason.NO_TIME
    assert action.retry_after_s == pytest.approx(0.008)


def test_an_unknown_model_and_a_pod_without_executors_are_refused_by_name() -> None:
    scheduler = Scheduler([Model("a", {1: 0.01})])
    assert scheduler.handle(Arrived(0, "z", 1.0), 0.0) == [Refuse(0, Reason.UNKNOWN_MODEL, inf)]
    (action,) = scheduler.handle(Arrived(1, "a", 1.0), 0.0)
    assert isinstance(action, Refuse)
    assert action.reason is Reason.NO_EXECUTOR


def test_who_is_gone_is_not_computed_for_and_makes_room() -> None:
    scheduler = scheduler_of({"a": {1: 10}})
    scheduler.handle(Arrived(0, "a", 1.0), 0.0)
    assert not refused(scheduler.handle(Arrived(1, "a", 0.02), 0.0))
    assert refused(scheduler.handle(Arrived(2, "a", 0.02), 0.0))
    scheduler.handle(Gone(1), 0.0)
    assert not refused(scheduler.handle(Arrived(3, "a", 0.02), 0.0))
    assert sorted(drained(scheduler, 0.01)) == [0, 3]


def test_a_batch_of_those_who_can_wait_goes_first_for_one_who_cannot() -> None:
    """Three that can wait, behind others; a fourth, due sooner, and they go first as one batch."""
    times: Times = {"a": {1: 10, 2: 12, 4: 14}, "b": {1: 20}}
    made = scheduler_of(times)
    made.handle(Arrived(1, "b", 1.0), 0.0)  # it runs, until 20
    for number, due_ms in ((2, 100), (3, 110), (4, 120)):
        assert not refused(made.handle(Arrived(number, "b", due_ms / 1000), 0.0))
    for number in (5, 6, 7):
        assert not refused(made.handle(Arrived(number, "a", 0.150), 0.0))
    assert not refused(made.handle(Arrived(8, "a", 0.045), 0.001))
    (run,) = made.handle(Finished("e", 1, 0.0, 0.020), 0.020)
    assert isinstance(run, Run)
    assert set(run.batch) == {5, 6, 7, 8}


def test_nobody_is_made_late_by_a_batch_that_goes_first() -> None:
    """Likewise, but those of the other model have no time for a batch of four before them."""
    times: Times = {"a": {1: 10, 2: 12, 4: 14}, "b": {1: 20}}
    made = scheduler_of(times)
    made.handle(Arrived(1, "b", 1.0), 0.0)
    for number, due_ms in ((2, 50), (3, 75), (4, 95)):
        assert not refused(made.handle(Arrived(number, "b", due_ms / 1000), 0.0))
    for number in (5, 6, 7):
        assert not refused(made.handle(Arrived(number, "a", 0.150), 0.0))
    assert refused(made.handle(Arrived(8, "a", 0.045), 0.001))
    (run,) = made.handle(Finished("e", 1, 0.0, 0.020), 0.020)
    assert isinstance(run, Run)
    assert run.batch == (2,)


def test_who_is_due_soon_is_planned_behind_a_batch_that_somebody_due_sooner_has_joined() -> None:
    made = scheduler_of({"a": {1: 2, 2: 3}, "b": {1: 3}, "c": {1: 7}})
    assert not refused(made.handle(Arrived(1, "c", 1.0), 0.0))  # runs until 7
    assert not refused(made.handle(Arrived(2, "a", 0.100), 0.0))
    assert not refused(made.handle(Arrived(3, "a", 0.010), 0.0))  # with the one before, until 10
    assert not refused(made.handle(Arrived(4, "b", 0.013), 0.0))
    assert refused(made.handle(Arrived(5, "b", 0.013), 0.0))


def test_a_batch_whose_load_waits_for_others_does_not_go_before_them() -> None:
    """The load of b is sent when a, which makes way for it, has served all that it accepted."""
    made = Scheduler([Model(name, {1: 0.01, 2: 0.012}, 0.1, 1) for name in "ab"])
    made.handle(ExecutorJoined("e", 1, ("a",), shared_load=True), 0.0)
    for number, name, deadline_s in ((1, "a", 0.2), (2, "a", 0.5), (3, "b", 1.0)):
        assert not refused(made.handle(Arrived(number, name, deadline_s), 0.0))
    assert refused(made.handle(Arrived(4, "b", 0.1), 0.0))
