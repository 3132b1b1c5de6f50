"""
Clockwork's scheduler as released (INFER5 with its load priorities), which decides later than at
arrival. For comparison.

Nothing is decided at arrival: a request waits in first-in-first-out queues, one per batch size,
until a batch takes it or a timer cancels it at its internal deadline. Two slips of the code are not
repeated (a guard that compares a pointer, an assignment in place of a comparison).
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from math import inf

from infadapter_scheduler.actions import Action, Reason, Refuse, Run
from infadapter_scheduler.events import (
    Arrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Gone,
    Loaded,
    Tick,
)
from infadapter_scheduler.model import Model
from infadapter_scheduler.policies.instance import Instance, Waiting, instance_of
from infadapter_scheduler.policies.loads_by_demand import AHEAD_S, CAPACITY_S, Worker, loads
from infadapter_scheduler.residency import PageCache

BUFFER_S = 0.005
LEAST_WINDOW_S = 0.001
MAX_LOAD_SLACK_S = 0.025


class ReleasedClockwork:
    """Strategies by required start time, a schedule-ahead window, and cancellation by a timer."""

    decides_at_arrival = False

    def __init__(
        self, models: Iterable[Model], *, buffer_s: float | None = None, lag_s: float = 0.0
    ) -> None:
        self._buffer_s = BUFFER_S if buffer_s is None else buffer_s
        self._lag_s = lag_s
        self._instances = {model.name: instance_of(model) for model in models}
        self._workers: dict[str, Worker] = {}
        self._asked: dict[str, Instance] = {}
        self._timers: list[tuple[float, int, Waiting]] = []
        self._wakes: list[float] = []
        self._runs = 0

    def next_tick_s(self) -> float:
        timer_s = self._timers[0][0] if self._timers else inf
        return min(timer_s, self._wakes[0] if self._wakes else inf)

    def handle(self, event: Event, now_s: float) -> list[Action]:
        actions: list[Action] = []
        if isinstance(event, Arrived) and event.model not in self._instances:
            return [Refuse(event.request, Reason.UNKNOWN_MODEL, inf)]
        self._told(event, now_s, actions)
        self._cancel(now_s, actions)
        for worker in self._workers.values():
            self._infer(worker, now_s, actions)
            actions += loads(worker, self._workers, self._asked, now_s, self._lag_s)
        return actions

    def _told(self, event: Event, now_s: float, actions: list[Action]) -> None:
        match event:
            case Arrived():
                self._arrived(event, now_s)
            case Finished():
                self._finished(event, actions)
            case Loaded():
                self._workers[event.executor].cache.loaded(event.model)
                took_s = event.end_s - event.start_s
                self._instances[event.model].load.add(took_s)
            case ExecutorJoined():
                self._joined(event)
            case ExecutorLeft():
                actions += self._left(event)
            case Gone():
                self._gone(event.request)
            case Tick():
                pass  # whatever is due is looked for after each event

    def _arrived(self, event: Arrived, now_s: float) -> None:
        instance = self._instances[event.model]
        slo_s, alone_s = event.deadline_s - now_s, instance.estimates[1].seconds
        within_s = max(slo_s - self._buffer_s, AHEAD_S + self._buffer_s)
        spare_s = slo_s - (instance.load.seconds + alone_s + self._buffer_s + AHEAD_S)
        load_s = max(min(MAX_LOAD_SLACK_S, spare_s), AHEAD_S + self._buffer_s)
        waiting = Waiting(
            event.request,
            instance,
            now_s + within_s,
            now_s + load_s,
            alone_s * CAPACITY_S / within_s,
            alone_s * CAPACITY_S / load_s,
        )
        for queue in instance.queues.values():
            queue.append(waiting)
        instance.waiting[event.request] = waiting
        self._asked[event.model] = instance
        heappush(self._timers, (waiting.deadline_s, waiting.number, waiting))

    def _cancel(self, now_s: float, actions: list[Action]) -> None:
        while self._wakes and self._wakes[0] <= now_s:
            heappop(self._wakes)
        while self._timers and self._timers[0][0] <= now_s:
            _, number, waiting = heappop(self._timers)
            if waiting.live:
                self._leave(waiting)
                actions.append(Refuse(number, Reason.NO_TIME, 0.0))

    def _leave(self, waiting: Waiting) -> None:
        waiting.live = False
        instance = waiting.model
        del instance.waiting[waiting.number]
        if not instance.waiting:
            self._asked.pop(instance.model.name, None)

    def _infer(self, worker: Worker, now_s: float, actions: list[Action]) -> None:
        while True:
            begin_s = max(worker.booked_s, now_s + self._lag_s)
            if begin_s >= now_s + AHEAD_S + self._lag_s:
                if self._asked:
                    heappush(self._wakes, begin_s - AHEAD_S - self._lag_s + 1e-6)
                return
            run = self._next(worker, begin_s, now_s)
            if run is None:
                return
            actions.append(run)

    def _next(self, worker: Worker, begin_s: float, now_s: float) -> Run | None:
        found: list[tuple[float, int, str]] = []
        for name, instance in self._asked.items():
            if worker.cache.holds(name) and name not in worker.cache.loading:
                instance.prune(begin_s)
                strategy = instance.strategy()
                if strategy is not None:
                    found.append((*strategy, name))
        for _, least, name in sorted(found):
            instance = self._instances[name]
            batch = instance.dequeue(least) or instance.dequeue(1)
            if batch:
                return self._send(worker, instance, batch, begin_s, now_s)
        return None

    def _send(
        self, worker: Worker, instance: Instance, batch: list[Waiting], begin_s: float, now_s: float
    ) -> Run:
        expected_s = instance.estimates[len(batch)].seconds
        for waiting in batch:
            self._leave(waiting)
        self._runs += 1
        worker.booked_s = begin_s + expected_s
        worker.sent.append((self._runs, batch, expected_s))
        worker.cache.touch(instance.model.name)
        worker.cache.pin(instance.model.name)
        latest_s = max(now_s + LEAST_WINDOW_S + AHEAD_S, begin_s + AHEAD_S)
        numbers = tuple(waiting.number for waiting in batch)
        name = instance.model.name
        return Run(self._runs, worker.name, name, numbers, now_s, latest_s, expected_s)

    def _finished(self, event: Finished, actions: list[Action]) -> None:
        worker = self._workers[event.executor]
        _, batch, _ = worker.sent.popleft()
        worker.booked_s = event.end_s + sum(expected_s for _, _, expected_s in worker.sent)
        instance = batch[0].model
        worker.cache.unpin(instance.model.name)
        if event.done:
            instance.estimates[len(batch)].add(event.end_s - event.start_s)
        else:
            actions.extend(Refuse(w.number, Reason.GIVEN_UP, 0.0) for w in batch)

    def _joined(self, event: ExecutorJoined) -> None:
        worker = self._workers[event.executor] = Worker(event.executor, PageCache(event.pages))
        for name in event.resident:
            worker.cache.keep(name, self._instances[name].model.pages)

    def _left(self, event: ExecutorLeft) -> list[Action]:
        lost = [w for _, batch, _ in self._workers.pop(event.executor).sent for w in batch]
        return [Refuse(waiting.number, Reason.EXECUTOR_LEFT, 0.0) for waiting in lost]

    def _gone(self, number: int) -> None:
        for instance in list(self._asked.values()):
            if number in instance.waiting:
                self._leave(instance.waiting[number])
