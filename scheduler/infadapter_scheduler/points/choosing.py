"""
Choose the operating point of a batch when it is sent, within what was promised to all requests.

A better point takes longer than admission assumed. It may use the slack of the plan: until the
first member is due, until the rest of its batch has to start, and until a later request would be
late. Room kept for a load or owed to a model is excluded.
"""

from typing import NamedTuple

from infadapter_scheduler.batch import Batch
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Choices
from infadapter_scheduler.points.policy import Choice, PointPolicy, Situation
from infadapter_scheduler.state import State


class Serving(NamedTuple):
    """What is sent: a point, the number of requests, and the expected time."""

    point: int
    size: int
    expected_s: float


def least(batch: Batch, size: int) -> Serving:
    """Return the least accurate point that may serve them, for estimates in doubt."""
    choices = batch.costs.choices
    if choices is None:
        return Serving(0, size, batch.costs.seconds[size])
    point = next(point for point in choices.points if size in point.seconds)
    return Serving(point.number, size, point.seconds[size])


class Room:
    """
    The time that a batch sent now may take; the executor's plan then contains only the others.
    """

    __slots__ = ("_batch", "_begin_s", "_first_due_s", "_headroom_s", "_state")

    def __init__(self, state: State, batch: Batch, executor: Executor, now_s: float) -> None:
        self._state, self._batch = state, batch
        self._begin_s = executor.free_s(now_s)
        self._first_due_s = batch.members[0].deadline_s - state.lag_s
        reserved_s = executor.kept_free_s + executor.owed_s(batch.model, now_s)
        self._headroom_s = executor.plan.headroom_s() - reserved_s

    @property
    def slack_s(self) -> float:
        return self._first_due_s - self._begin_s

    def longest_s(self, size: int) -> float:
        """Return the longest time for this many of the batch, without its safety buffer."""
        batch, end_s = self._batch, self._first_due_s
        rest = batch.members[size:]
        end_s = min(end_s, self._headroom_s - batch.costs.split_s[len(rest)])
        if rest:
            end_s = min(end_s, batch.latest_start_s(rest))
        return self._state.buffer.within_s(end_s - self._begin_s)


def at_point(
    policy: PointPolicy, state: State, batch: Batch, size: int, executor: Executor, now_s: float
) -> Serving:
    """Return the policy's choice, or the fastest point if a request would be late otherwise."""
    choices = batch.costs.choices
    assert choices is not None
    room = Room(state, batch, executor, now_s)
    situation = Situation(
        now_s=now_s,
        model=batch.model,
        points=choices.points,
        waiting=len(batch.members),
        size=size,
        slack_s=room.slack_s,
        rate_rps=state.pressure.load / choices.each_s,
        patience_s=state.impatience.least_s(now_s),
        waited=state.models[batch.model].waited_share,
        behind_s=executor.plan.total_s + batch.costs.split_s[len(batch.members) - size],
        longest_s=room.longest_s,
    )
    choice = policy.choose(situation)
    seconds = _seconds(choices, choice, situation)
    if seconds is None:
        choice, seconds = Choice(choices.fastest[size], size), batch.costs.seconds[size]
    policy.ran(situation, choice)
    return Serving(choice.number, choice.size, seconds)


def _seconds(choices: Choices, choice: Choice, situation: Situation) -> float | None:
    """
    Return the time of the choice; None if a request would be late or the choice is not allowed.
    """
    if choice.number not in choices.numbers or choice.size > situation.waiting:
        return None
    seconds = choices.points[choices.numbers.index(choice.number)].seconds.get(choice.size)
    if seconds is None or seconds > situation.longest_s(choice.size):
        return None
    return seconds
