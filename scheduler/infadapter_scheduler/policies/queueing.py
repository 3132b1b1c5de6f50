"""
Policies without admission: every request is queued and answered in its turn.

They differ in the order of requests and in the batch size. A model that is not resident is loaded
when its turn comes, as in servers without a scheduler.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf

from infadapter_scheduler.actions import Action, Load, Reason, Refuse, Run, Unload
from infadapter_scheduler.events import (
    Arrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Gone,
    Loaded,
)
from infadapter_scheduler.model import Model
from infadapter_scheduler.policies.limits import BatchLimit, Waiting
from infadapter_scheduler.residency import PageCache


@dataclass(slots=True)
class Worker:
    name: str
    cache: PageCache
    running: tuple[Waiting, ...] = ()
    idle: bool = True


Order = Callable[[float, float], float]


def by_arrival(now_s: float, deadline_s: float) -> float:
    return now_s


def by_deadline(now_s: float, deadline_s: float) -> float:
    return deadline_s


class Queueing:
    """
    One queue per model. The first of all requests is served next, with as many of its model as
    allowed.
    """

    decides_at_arrival = False

    def __init__(self, models: Iterable[Model], order: Order, limit: BatchLimit) -> None:
        self._models = {model.name: model for model in models}
        self._order, self._limit = order, limit
        self._queues: dict[str, list[Waiting]] = defaultdict(list)
        self._firsts: list[Waiting] = []
        self._queued: set[int] = set()
        self._workers: dict[str, Worker] = {}
        self._runs = 0

    def next_tick_s(self) -> float:
        return inf

    def handle(self, event: Event, now_s: float) -> list[Action]:
        match event:
            case Arrived():
                if event.model not in self._models:
                    return [Refuse(event.request, Reason.UNKNOWN_MODEL, inf)]
                self._queue(event, now_s)
            case Finished():
                self._finished(event)
            case Loaded():
                worker = self._workers[event.executor]
                worker.cache.loaded(event.model)
                worker.idle = True
            case Gone():
                self._queued.discard(event.request)
            case ExecutorJoined():
                self._joined(event)
            case ExecutorLeft():
                return self._left(event) + self._dispatch(now_s)
        return self._dispatch(now_s)

    def _queue(self, event: Arrived, now_s: float) -> None:
        key_s = self._order(now_s, event.deadline_s)
        waiting = Waiting(key_s, event.request, event.model, event.deadline_s - now_s)
        heappush(self._queues[event.model], waiting)
        heappush(self._firsts, waiting)
        self._queued.add(event.request)

    def _finished(self, event: Finished) -> None:
        worker = self._workers[event.executor]
        model = self._models[worker.running[0].model]
        self._limit.learn(model, worker.running, event.end_s - event.start_s)
        worker.running, worker.idle = (), True

    def _joined(self, event: ExecutorJoined) -> None:
        worker = self._workers[event.executor] = Worker(event.executor, PageCache(event.pages))
        for name in event.resident:
            worker.cache.keep(name, self._models[name].pages)

    def _left(self, event: ExecutorLeft) -> list[Action]:
        lost = self._workers.pop(event.executor).running
        return [Refuse(waiting.number, Reason.EXECUTOR_LEFT, 0.0) for waiting in lost]

    def _dispatch(self, now_s: float) -> list[Action]:
        actions: list[Action] = []
        while (first := self._first()) is not None:
            idle = [worker for worker in self._workers.values() if worker.idle]
            if not idle or first.model in self._being_loaded():
                return actions
            holding = [worker for worker in idle if worker.cache.holds(first.model)]
            if holding:
                actions.append(self._run(first, holding[0], now_s))
            else:
                actions += self._load(first.model, idle[0], now_s)
        return actions

    def _being_loaded(self) -> set[str]:
        return {name for worker in self._workers.values() for name in worker.cache.loading}

    def _first(self) -> Waiting | None:
        while self._firsts and self._firsts[0].number not in self._queued:
            heappop(self._firsts)
        return self._firsts[0] if self._firsts else None

    def _run(self, first: Waiting, worker: Worker, now_s: float) -> Run:
        model, queue = self._models[first.model], self._queues[first.model]
        most = self._limit.most(model)
        found: list[Waiting] = []
        while queue and len(found) < most:
            waiting = heappop(queue)
            if waiting.number in self._queued:
                found.append(waiting)
        size = max(size for size in model.execution_s if size <= max(1, len(found)))
        for waiting in found[size:]:
            heappush(queue, waiting)
        worker.running, worker.idle = tuple(found[:size]), False
        self._queued.difference_update(waiting.number for waiting in worker.running)
        worker.cache.touch(model.name)
        self._runs += 1
        batch = tuple(waiting.number for waiting in worker.running)
        expected_s = model.execution_s[size]
        return Run(self._runs, worker.name, model.name, batch, now_s, inf, expected_s)

    def _load(self, name: str, worker: Worker, now_s: float) -> list[Action]:
        pages = self._models[name].pages
        victims = worker.cache.evict(pages)
        if victims is None:
            return self._too_large(name)
        worker.cache.reserve(name, pages, now_s)
        worker.idle = False
        unloads: list[Action] = [Unload(worker.name, victim) for victim in victims]
        return [*unloads, Load(worker.name, name, now_s, inf)]

    def _too_large(self, name: str) -> list[Action]:
        lost = [w.number for w in self._queues.pop(name) if w.number in self._queued]
        self._queued.difference_update(lost)
        return [Refuse(number, Reason.NO_MEMORY, inf) for number in lost]
