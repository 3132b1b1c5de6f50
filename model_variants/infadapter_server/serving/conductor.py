"""
The conductor: pass the executors' reports on to the scheduler and to the requests they concern.

It decides nothing and waits for nothing. Event loop thread only.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from infadapter_scheduler.events import Finished, Loaded
from infadapter_scheduler.points import PointPolicy
from infadapter_server.executors.messages import (
    ExecutorLost,
    ExecutorReady,
    Inferred,
    ModelLoaded,
    Outcome,
    Report,
)
from infadapter_server.executors.port import Executor
from infadapter_server.serving.crew import Crew
from infadapter_server.serving.lanes import Lane, Sent
from infadapter_server.serving.membership import Membership
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.orders import Orders
from infadapter_server.serving.pacing import Paced, Pacing
from infadapter_server.serving.repository import Repository
from infadapter_server.serving.tickets import Ticket
from infadapter_server.serving.watch import Watch

__all__ = ["Conductor", "Observer"]

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Is notified of requests and executions, and changes nothing."""

    def admitted(self, ticket: Ticket) -> None: ...

    def executed(self, executor: str, sent: Sent, report: Inferred) -> None: ...


class Conductor:
    def __init__(
        self,
        repository: Repository,
        executors: Sequence[Executor],
        metrics: ServerMetrics,
        lag_s: float,
        clock: Callable[[], float],
        policy: PointPolicy,
        pacing: Pacing,
    ) -> None:
        self.crew = Crew(executors)
        self.orders = orders = Orders(repository, self.crew, metrics, lag_s, clock, policy)
        self.membership = Membership(self.crew, orders.residence, orders.told, self._begin)
        self.watch = Watch(
            self.crew, repository, self.membership.hangs, orders.residence.rests.end, clock
        )
        self._metrics, self._clock, self._pacing = metrics, clock, pacing
        self.observer: Observer | None = None

    def start(self, threads: int) -> None:
        self._began_s = self._clock()
        self.crew.start(threads, self._reported)

    def _begin(self) -> None:
        self.orders.begin()
        self._metrics.load_seconds.set(self._clock() - self._began_s)

    def _reported(self, lane: Lane, report: Report) -> None:
        match report:
            case Inferred(outcome=Outcome.LOST) | ModelLoaded(outcome=Outcome.LOST):
                pass  # ExecutorLost says it of all that was sent there
            case Inferred():
                self._inferred(lane, report)
            case ModelLoaded():
                self._loaded(lane, report)
            case ExecutorReady():
                self.membership.came(lane, report)
            case ExecutorLost():
                self._lost(lane, report.reason)

    def _inferred(self, lane: Lane, report: Inferred) -> None:
        now_s = self._clock()
        paced = self._pacing.ended(report.begin_s, report.end_s, lane.requests(report.run))
        sent = lane.ended(report.run, paced.free_s)
        if sent is None:
            self.watch.checked(report)
            return
        if self.observer is not None:
            self.observer.executed(lane.name, sent, report)
        if report.outcome is Outcome.FAILED:
            _log.error("An inference failed: %s", report.error)
            self._metrics.executions_failed.inc()
            self.orders.admitted.failed(sent, report.error)
        # The executor first: it waits for its next batch.
        self._ended(lane, sent, report, paced, now_s)
        if report.outputs is not None:
            self.orders.admitted.deliver(sent, report, report.outputs)
        if report.outcome is not Outcome.TOO_LATE:
            self.watch.ended(sent.run.model, good=report.outcome is Outcome.DONE)
        self.membership.rejoin(lane)

    def _ended(self, lane: Lane, sent: Sent, report: Inferred, paced: Paced, now_s: float) -> None:
        while lane.waiting and not lane.full:
            self.orders.carry_out([lane.waiting.popleft()], now_s)
        waited_s = report.begin_s - sent.could_begin_s(report.begin_s)
        start_s, done = paced.free_s - paced.seconds - waited_s, report.outcome is Outcome.DONE
        self.orders.handle(Finished(lane.name, report.run, start_s, paced.free_s, done=done), now_s)
        if report.outputs is not None:
            took_s, expected_s = report.end_s - report.begin_s, sent.run.expected_s
            self._metrics.executed(len(sent.members), took_s, expected_s, paced.seconds)

    def _loaded(self, lane: Lane, report: ModelLoaded) -> None:
        self._pacing.loaded()
        done = report.outcome is Outcome.DONE
        if done:
            self._metrics.loads.inc()
        if lane.joined:
            event = Loaded(lane.name, report.model, report.begin_s, report.end_s, done=done)
            self.orders.residence.loaded(lane, report, event)
        else:
            self.membership.loaded(lane, report)

    def _lost(self, lane: Lane, reason: str) -> None:
        if not self.crew.stopping:
            self._metrics.executors_lost.inc()
        self.membership.lost(lane, reason)
