"""Sending: batches are sent to an executor until it is booked far enough ahead."""

from heapq import heappop, heappush
from math import inf

from infadapter_scheduler.actions import Action, Reason, Run
from infadapter_scheduler.admission import EPSILON_S
from infadapter_scheduler.batch import Batch
from infadapter_scheduler.dispatch import batch_size, drop_for_others, drop_hopeless, next_batch
from infadapter_scheduler.executor import Executor, Sent
from infadapter_scheduler.filling import fill
from infadapter_scheduler.patience import considerate
from infadapter_scheduler.points.choosing import Serving, at_point, least
from infadapter_scheduler.points.policy import PointPolicy
from infadapter_scheduler.state import State
from infadapter_scheduler.taking_over import take_over

MANY_BEHIND = 8
"""
Number of planned batches from which a stall would be passed on. Fewer have soon run, and it is
over.
"""


class Sender:
    """
    Sends ahead by twice the lag: the way there, and the way back of the report that it is free.
    """

    def __init__(self, state: State, points: PointPolicy) -> None:
        self._state, self._points = state, points
        self._ahead_s = 2 * state.lag_s
        self._runs = 0
        self._wakes: list[tuple[float, str]] = []

    def next_tick_s(self) -> float:
        return self._wakes[0][0] if self._wakes else inf

    def tick(self, now_s: float) -> list[Action]:
        actions: list[Action] = []
        while self._wakes and self._wakes[0][0] <= now_s + EPSILON_S:
            _, name = heappop(self._wakes)
            if name in self._state.executors:
                actions += self.dispatch(self._state.executors[name], now_s)
        return actions

    def dispatch(self, executor: Executor, now_s: float) -> list[Action]:
        actions: list[Action] = []
        while executor.booked_s <= now_s + self._ahead_s + EPSILON_S:
            if executor.overdue(now_s):
                return actions
            batch = next_batch(executor, now_s, self._state.pressure.load > 1.0)
            if batch is None and not executor.plan.size:
                batch = take_over(self._state, executor, now_s)
            if batch is None:
                return actions
            actions += self._run(batch, executor, now_s)
        if self._ahead_s and executor.plan.size:
            self._wake(executor, executor.booked_s - self._ahead_s)
        return actions

    def _wake(self, executor: Executor, at_s: float) -> None:
        if executor.wake_s != at_s:
            executor.wake_s = at_s
            heappush(self._wakes, (at_s, executor.name))

    def _run(self, batch: Batch, executor: Executor, now_s: float) -> list[Action]:
        executor.plan.remove(batch)
        begin_s, lag_s = executor.free_s(now_s), self._state.lag_s
        lost = [] if batch.trial else drop_hopeless(batch, begin_s, lag_s)
        then = executor.plan.first()
        if batch.members and then is not None and executor.plan.size >= MANY_BEHIND:
            lost += drop_for_others(batch, then, begin_s, lag_s)
        actions = self._state.give_up(lost, Reason.GIVEN_UP)
        if batch.members:
            fill(self._state, batch, executor, begin_s)
            size = batch_size(batch, begin_s, lag_s)
            bearable_s = self._state.impatience.least_s(now_s)
            size = considerate(batch, size, executor, begin_s, bearable_s)
            if batch.trial:
                serving = least(batch, size)
            elif batch.costs.choices is None:
                serving = Serving(0, size, batch.costs.seconds[size])
            else:
                serving = at_point(self._points, self._state, batch, size, executor, now_s)
            actions.append(self._send(batch, serving, executor, now_s))
        if batch.members:
            self._put_back(batch, executor, now_s)
        else:
            self._state.emptied(batch, executor)
        return actions

    def _put_back(self, batch: Batch, executor: Executor, now_s: float) -> None:
        """Put the rest of a batch at its own deadline's position if that is in time, else next."""
        executor.settle_waits(now_s)  # without it, those that wait for weights wait for longer
        begin_s = executor.free_s(now_s) + executor.plan.place(batch.key_s).before_s
        first = executor.plan.first()
        if first is not None and begin_s > batch.latest_start_s(batch.members):
            batch.key_s = min(batch.key_s, first.key_s - EPSILON_S)
        executor.plan.insert(batch)
        self._state.models[batch.model].reopened(batch)

    def _send(self, batch: Batch, serving: Serving, executor: Executor, now_s: float) -> Run:
        point, size, expected_s = serving
        members = batch.take(size)
        begin_s, takes_s = executor.free_s(now_s), 0.0 if batch.trial else expected_s
        self._runs += 1
        reaches_s = now_s + self._state.lag_s
        sent = Sent(
            self._runs,
            batch.costs,
            members,
            expected_s,
            reaches_s,
            point=point,
            trial=batch.trial,
            guess=batch.costs.guessed(point, size),
        )
        executor.send(sent, begin_s)
        executor.cache.touch(batch.model)
        executor.cache.pin(batch.model)
        return Run(
            run=self._runs,
            executor=executor.name,
            model=batch.model,
            batch=tuple([member.number for member in members]),
            earliest_s=now_s,
            latest_s=max(begin_s, members[0].deadline_s - takes_s - self._state.lag_s),
            expected_s=expected_s,
            point=point,
        )
