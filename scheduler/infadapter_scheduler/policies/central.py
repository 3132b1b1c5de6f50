"""
One central queue without admission, as in SuperServe's router and Model-Switching. For comparison,
and of one model.

Every request is queued and answered in its turn. A free executor asks the policy of points for a
batch size and an accuracy.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from math import inf

from infadapter_scheduler.actions import Action, Reason, Refuse, Run
from infadapter_scheduler.estimate import DecayingRate
from infadapter_scheduler.events import Arrived, Event, ExecutorJoined, ExecutorLeft, Finished, Gone
from infadapter_scheduler.model import Model
from infadapter_scheduler.points.policy import PointPolicy, Situation, Timed
from infadapter_scheduler.staggered import waited_share

WINDOW_S = 1.0


class CentralQueue:
    """Earliest deadline first; requests of one SLO are in order of arrival."""

    decides_at_arrival = False

    def __init__(self, model: Model, points: PointPolicy) -> None:
        self._model, self._policy = model, points
        self._points = tuple(
            Timed(number, point.name, point.accuracy, point.execution_s)
            for number, point in enumerate(model.points)
        )
        self._queue: list[tuple[float, int]] = []
        self._idle: deque[str] = deque()
        self._running: dict[str, tuple[int, ...]] = {}
        self._arrivals = DecayingRate(0.0, WINDOW_S)
        self._slo_s, self._runs = inf, 0

    def next_tick_s(self) -> float:
        return inf

    def handle(self, event: Event, now_s: float) -> list[Action]:
        match event:
            case Arrived():
                self._arrivals.add(1.0, now_s)
                self._slo_s = event.deadline_s - now_s
                heappush(self._queue, (event.deadline_s, event.request))
            case Finished():
                if self._running.pop(event.executor, None) is not None:
                    self._idle.append(event.executor)
            case ExecutorJoined():
                self._running.pop(event.executor, None)
                self._idle.append(event.executor)
            case ExecutorLeft():
                return self._left(event.executor) + self._dispatch(now_s)
            case Gone():
                self._queue = [waiting for waiting in self._queue if waiting[1] != event.request]
                heapify(self._queue)
        return self._dispatch(now_s)

    def _left(self, executor: str) -> list[Action]:
        if executor in self._idle:
            self._idle.remove(executor)
        lost = self._running.pop(executor, ())
        return [Refuse(number, Reason.EXECUTOR_LEFT, 0.0) for number in lost]

    def _dispatch(self, now_s: float) -> list[Action]:
        actions: list[Action] = []
        while self._queue and self._idle:
            actions.append(self._run(self._idle.popleft(), now_s))
        return actions

    def _run(self, executor: str, now_s: float) -> Run:
        situation = self._situation(now_s)
        choice = self._policy.choose(situation)
        batch = tuple([heappop(self._queue)[1] for _ in range(choice.size)])
        self._running[executor] = batch
        self._runs += 1
        self._policy.ran(situation, choice)
        expected_s = self._points[choice.number].seconds[choice.size]
        return Run(
            self._runs, executor, self._model.name, batch, now_s, inf, expected_s, choice.number
        )

    def _situation(self, now_s: float) -> Situation:
        slack_s = self._queue[0][0] - now_s
        return Situation(
            now_s=now_s,
            model=self._model.name,
            points=self._points,
            waiting=len(self._queue),
            size=self._size(),
            slack_s=slack_s,
            rate_rps=self._arrivals.rate(now_s) / (len(self._idle) + len(self._running) + 1),
            patience_s=self._slo_s,
            waited=waited_share(len(self._idle) + len(self._running) + 1),
            behind_s=0.0,
            longest_s=lambda size: slack_s,
        )

    def _size(self) -> int:
        return max(size for size in self._model.execution_s if size <= len(self._queue))
