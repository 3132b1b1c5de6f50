"""The scheduler of a pod, or of many workers: events in, actions out. It is told the time."""

from collections.abc import Iterable
from math import inf

from infadapter_profiles.points import Point
from infadapter_scheduler.actions import Action, Reason, Refuse
from infadapter_scheduler.admission import Offer, leave
from infadapter_scheduler.alike import Alike
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.catalogue import Entry, entry_of
from infadapter_scheduler.changes import Changes
from infadapter_scheduler.deferral import loads_due
from infadapter_scheduler.events import (
    Arrived,
    BulkArrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Gone,
    Loaded,
    Tick,
)
from infadapter_scheduler.executor import Sent
from infadapter_scheduler.intake import Intake
from infadapter_scheduler.membership import Membership
from infadapter_scheduler.model import Model
from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_scheduler.points.policy import PointPolicy
from infadapter_scheduler.sending import Sender
from infadapter_scheduler.size_trial import settle
from infadapter_scheduler.state import State
from infadapter_scheduler.trial import record_trial


class Scheduler:
    """
    Clockwork's consolidated choice, with admission at arrival. A request that is not refused in the
    call that reports it is accepted; an accepted request is given up only if executions take longer
    than the safety buffer's promise.
    """

    decides_at_arrival = True

    def __init__(
        self,
        models: Iterable[Model],
        *,
        buffer_s: float | None = None,
        most_buffer: float | None = None,
        remembered: int = 0,
        lag_s: float = 0.0,
        points: PointPolicy | None = None,
        trials: bool = False,
    ) -> None:
        entries = {model.name: entry_of(model) for model in models}
        buffer = SafetyBuffer(constant_s=buffer_s, most=most_buffer, remembered=remembered)
        self.state = State(entries, buffer, lag_s, trials)
        self._intake = Intake(self.state)
        self._sender = Sender(self.state, points or KeepingUp())
        self._changes = Changes(self.state)
        self._alike = Alike(self.state)
        self._in_bulk = False
        self._held: dict[str, None] = {}  # executors for which a part of it is planned
        self._membership = Membership(self.state, self._sender, self._admit)

    def next_tick_s(self) -> float:
        return self._sender.next_tick_s()

    def points(self, model: str) -> tuple[Point, ...]:
        """
        Return the model's points in the order of `Run.point`; empty if it has none or is unknown.
        """
        entry = self.state.models.get(model)
        return () if entry is None else entry.costs.model.points

    def handle(self, event: Event, now_s: float) -> list[Action]:
        if isinstance(event, Arrived):
            again = None if self._held else self._alike.again(event, now_s)
            if again is not None:
                return [again]
            actions = self._handled(event, now_s)
            self._alike.decided(event, actions, now_s)
            return actions
        self._alike.end(now_s)
        return self._handled(event, now_s)

    def _handled(self, event: Event, now_s: float) -> list[Action]:
        self._in_bulk = isinstance(event, Arrived) and event.bulk
        actions = self._told(event, now_s)
        if self._held and not self._in_bulk and not isinstance(event, Gone):
            actions += self._send_held(now_s)
        if self.state.unsettled and not isinstance(event, Arrived | Tick):
            actions += self._changes.settle(now_s)
        elif self.state.deferred:
            actions += loads_due(self.state, now_s)
        return actions

    def _told(self, event: Event, now_s: float) -> list[Action]:
        match event:
            case Arrived():
                return self._arrived(event, now_s)
            case Finished():
                return self._finished(event, now_s)
            case BulkArrived():
                return []
            case Tick():
                return self._sender.tick(now_s)
            case Gone():
                return self._gone(event.request, now_s)
            case ExecutorJoined() | ExecutorLeft() | Loaded():
                return self._membership.handle(event, now_s)
            case _:
                return self._changes.handle(event, now_s)

    def _arrived(self, event: Arrived, now_s: float) -> list[Action]:
        entry = self.state.models.get(event.model)
        if entry is None or entry.removed:
            return [_not_served(event.request, entry)]
        costs = entry.costs_at(event.floor)
        if costs is None:
            return [Refuse(event.request, Reason.NO_POINT, inf)]
        entry.rate_rps = entry.arrivals.add(1.0, now_s)
        offer = self.state.offer(entry, costs, event.request, event.deadline_s, now_s)
        each_s = costs.seconds_each[offer.cap]
        if costs.choices is not None:
            costs.choices.each_s = each_s
        self.state.pressure.arrived(each_s, now_s)
        spare_s = event.deadline_s - now_s - costs.split_s[1] - 2 * self.state.lag_s
        self.state.impatience.arrived(spare_s, now_s)
        return self._admit(entry, offer)

    def _admit(self, entry: Entry, offer: Offer) -> list[Action]:
        request, actions = self._intake.decide(entry, offer)
        if request is None or request.batch is None:
            return actions
        name = request.batch.executor
        if self._in_bulk:
            self._held[name] = None
            return actions
        return actions + self._sender.dispatch(self.state.executors[name], offer.now_s)

    def _send_held(self, now_s: float) -> list[Action]:
        held, self._held = self._held, {}
        there = (self.state.executors[name] for name in held if name in self.state.executors)
        return [action for executor in there for action in self._sender.dispatch(executor, now_s)]

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
            self._learn(sent, event)
        else:
            actions = self.state.give_up(sent.members, Reason.GIVEN_UP)
        return actions + self._sender.dispatch(executor, now_s)

    def _learn(self, sent: Sent, event: Finished) -> None:
        seconds = event.end_s - event.start_s
        if sent.teaches and sent.trial:
            record_trial(sent, seconds, event.end_s, self.state.lag_s)
        elif sent.teaches and sent.guess:
            settle(self.state.models[sent.costs.model.name], sent, seconds)
        elif sent.teaches:
            sent.learn(seconds)
            self.state.buffer.learn(sent.expected_s, seconds)


def _not_served(request: int, entry: Entry | None) -> Refuse:
    """
    Refuse a request for an unknown model, or one whose successor waits until the old model's last
    request is served.
    """
    if entry is None or entry.successor is None:
        return Refuse(request, Reason.UNKNOWN_MODEL, inf)
    return Refuse(request, Reason.NO_MEMORY, entry.costs.load.mean)
