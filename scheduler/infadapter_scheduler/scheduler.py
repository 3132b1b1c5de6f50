"""The scheduler of a pod, or of many workers: events in, actions out, told the time."""

from collections.abc import Iterable
from math import inf

from infadapter_scheduler.actions import Action, Reason, Refuse
from infadapter_scheduler.admission import Offer, leave
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.catalogue import Entry
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
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.intake import Intake
from infadapter_scheduler.model import Costs, Model
from infadapter_scheduler.residency import PageCache
from infadapter_scheduler.sending import Sender
from infadapter_scheduler.state import State


class Scheduler:
    """
    Clockwork's consolidated choice, with admission at arrival: what isn't refused in the call that
    tells of it is accepted, and an accepted request is given up only if executions take longer
    than the safety buffer was promised for.
    """

    decides_at_arrival = True

    def __init__(
        self, models: Iterable[Model], *, buffer_s: float | None = None, lag_s: float = 0.0
    ) -> None:
        entries = {model.name: Entry(Costs(model)) for model in models}
        self.state = State(entries, SafetyBuffer(constant_s=buffer_s), lag_s)
        self._intake, self._sender = Intake(self.state), Sender(self.state)

    def next_tick_s(self) -> float:
        return self._sender.next_tick_s()

    def handle(self, event: Event, now_s: float) -> list[Action]:
        match event:
            case Arrived():
                return self._arrived(event, now_s)
            case Finished():
                return self._finished(event, now_s)
            case Loaded():
                return self._loaded(event, now_s)
            case Tick():
                return self._sender.tick(now_s)
            case Gone():
                return self._gone(event.request, now_s)
            case ExecutorJoined():
                return self._joined(event)
            case ExecutorLeft():
                return self._left(event.executor, now_s)

    def _arrived(self, event: Arrived, now_s: float) -> list[Action]:
        entry = self.state.models.get(event.model)
        if entry is None:
            return [Refuse(event.request, Reason.UNKNOWN_MODEL, inf)]
        entry.rate_rps = entry.arrivals.add(1.0, now_s)
        cap = entry.costs.cap(event.deadline_s - now_s, self.state.buffer)
        self.state.pressure.arrived(entry.costs.seconds_each(cap), now_s)
        return self._admit(entry, event.request, event.deadline_s, now_s)

    def _admit(self, entry: Entry, number: int, deadline_s: float, now_s: float) -> list[Action]:
        offer = Offer(number, entry.costs, deadline_s, now_s, self.state.lag_s)
        request, actions = self._intake.decide(entry, offer)
        if request is None or request.batch is None:
            return actions
        return actions + self._sender.dispatch(self.state.executors[request.batch.executor], now_s)

    def _gone(self, number: int, now_s: float) -> list[Action]:
        request = self.state.accepted.pop(number, None)
        if request is None or request.batch is None:
            return []  # it is being computed, or was answered
        batch = request.batch
        executor = self.state.executors[batch.executor]
        if len(batch.members) == 1:
            executor.plan.remove(batch)
            batch.members.clear()
            self.state.emptied(batch, executor)
        elif leave(batch, executor, request, now_s):
            self.state.models[batch.model].reopened(batch)
        return []

    def _finished(self, event: Finished, now_s: float) -> list[Action]:
        executor = self.state.executors.get(event.executor)
        sent = executor.ended(event.run, event.end_s) if executor else None
        if executor is None or sent is None:
            return []  # of an executor that was given up
        executor.cache.unpin(sent.costs.model.name)
        actions: list[Action] = []
        if event.done:
            for member in sent.members:
                self.state.accepted.pop(member.number, None)
            sent.costs.learn(len(sent.members), event.end_s - event.start_s)
            self.state.buffer.learn(sent.expected_s, event.end_s - event.start_s)
        else:
            actions = self.state.give_up(sent.members, Reason.GIVEN_UP)
        return actions + self._sender.dispatch(executor, now_s)

    def _loaded(self, event: Loaded, now_s: float) -> list[Action]:
        executor = self.state.executors.get(event.executor)
        if executor is None or event.model not in executor.cache.loading:
            return []
        entry = self.state.models[event.model]
        if not event.done:
            executor.cache.drop(event.model)
            entry.holders.remove(executor)
            waiting = [batch for batch in executor.plan if batch.model == event.model]
            return self._elsewhere(waiting, executor, now_s)
        executor.cache.loaded(event.model)
        entry.costs.load.add(event.end_s - event.start_s)
        executor.released(event.model)
        return self._sender.dispatch(executor, now_s)

    def _elsewhere(self, batches: list[Batch], executor: Executor, now_s: float) -> list[Action]:
        """What was planned there is admitted anew, or given up."""
        for batch in batches:
            executor.plan.remove(batch)
            self.state.emptied(batch, executor)
        members = [member for batch in batches for member in batch.members]
        return [action for member in members for action in self._again(member, now_s)]

    def _again(self, member: Request, now_s: float) -> list[Action]:
        if self.state.accepted.pop(member.number, None) is None:
            return []  # nobody waits for it
        entry = self.state.models[member.model]
        return [
            Refuse(member.number, Reason.EXECUTOR_LEFT, 0.0) if isinstance(a, Refuse) else a
            for a in self._admit(entry, member.number, member.deadline_s, now_s)
        ]

    def _joined(self, event: ExecutorJoined) -> list[Action]:
        executor = Executor(event.executor, PageCache(event.pages), self.state.lag_s)
        self.state.executors[event.executor] = executor
        self.state.executors_changed()
        for name in event.resident:
            entry = self.state.models[name]
            executor.cache.keep(name, entry.costs.model.pages)
            entry.holders.append(executor)
        return []

    def _left(self, name: str, now_s: float) -> list[Action]:
        executor = self.state.executors.pop(name)
        self.state.executors_changed()
        for model in executor.cache.sizes:
            self.state.models[model].holders.remove(executor)
        lost = [member for sent in executor.sent for member in sent.members]
        actions = self.state.give_up(lost, Reason.EXECUTOR_LEFT)
        return actions + self._elsewhere(list(executor.plan), executor, now_s)
