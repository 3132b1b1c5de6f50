"""
The conductor: the scheduler's kernel, told of what happens, and its actions as orders to executors.

It decides nothing, and waits for nothing. All of it is for the thread of the event loop.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from infadapter_scheduler.actions import Action, Load, Refuse, Run, Unload
from infadapter_scheduler.buffer import MOST_OF_THE_TIME
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
from infadapter_scheduler.scheduler import Scheduler
from infadapter_server.executors.messages import (
    ExecutorLost,
    Inferred,
    ModelLoaded,
    Outcome,
    Report,
)
from infadapter_server.executors.port import Executor
from infadapter_server.networks.signatures import LoadError
from infadapter_server.serving.admitted import Admitted
from infadapter_server.serving.alarm import Alarm
from infadapter_server.serving.crew import Crew
from infadapter_server.serving.lanes import Lane, Sent
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.refusal import Unserved
from infadapter_server.serving.repository import Repository
from infadapter_server.serving.residence import Residence
from infadapter_server.serving.tickets import Ticket
from infadapter_server.serving.watch import Watch

__all__ = ["Conductor", "Observer"]

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Who is told of requests and executions, and changes nothing."""

    def admitted(self, ticket: Ticket) -> None: ...

    def executed(self, executor: str, sent: Sent, report: Inferred) -> None: ...


class Conductor:
    """`kernel` is None until the models are loaded that it begins with; `share` as the driver's."""

    def __init__(
        self,
        repository: Repository,
        executors: Sequence[Executor],
        metrics: ServerMetrics,
        lag_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.kernel: Scheduler | None = None
        self.failure: LoadError | None = None
        self.share = 1.0
        self.ended = asyncio.Event()
        self.residence = Residence(repository, self.told, self._slower)
        self.crew = Crew(executors)
        self.admitted = Admitted(metrics, lambda number: self.told(Gone(number)), clock)
        self.watch = Watch(self.crew, repository, self._leave, clock)
        self.alarm = Alarm(self._tick)
        self._metrics, self._lag_s, self._clock = metrics, lag_s, clock
        self.observer: Observer | None = None
        self._started_lanes: list[Lane] = []

    def start(self, threads: int) -> None:
        self._began_s = self._clock()
        self.crew.start(threads, self._reported)
        self.residence.start.plan(list(self.crew))
        for lane in self.crew:
            self._next_of_start(lane)

    # --- the kernel --------------------------------------------------------------------------

    def arrive(self, event: Arrived, now_s: float) -> list[Action]:
        """The actions to carry out, once what was asked for is known. Raises Unserved."""
        assert self.kernel is not None
        actions = self.kernel.handle(event, now_s)
        for action in actions:
            if isinstance(action, Refuse) and action.request == event.request:
                self.carry_out([other for other in actions if other is not action], now_s)
                raise Unserved(action.reason, action.retry_after_s)
        return actions

    def told(self, event: Event) -> None:
        self.handle(event, self._clock())

    def handle(self, event: Event, now_s: float) -> None:
        assert self.kernel is not None
        self.carry_out(self.kernel.handle(event, now_s), now_s)

    def carry_out(self, actions: Iterable[Action], now_s: float) -> None:
        assert self.kernel is not None
        left = deque(actions)
        while left:
            match left.popleft():
                case Run() as run:
                    left.extend(self._run(self.kernel, run, now_s))
                case Refuse() as refuse:
                    self.admitted.given_up(refuse.request, refuse.reason)
                case Load() as load:
                    self.residence.load_on(self.crew[load.executor], load)
                case Unload() as unload:
                    self._metrics.evictions.inc()
                    self.residence.unload_from(self.crew[unload.executor], unload.model)
        self.alarm.set(min(self.kernel.next_tick_s(), self.admitted.next_due_s()), now_s)

    def _run(self, kernel: Scheduler, run: Run, now_s: float) -> list[Action]:
        lane = self.crew[run.executor]
        if lane.full:
            lane.waiting.append(run)
            return []
        members = self.admitted.members(run.batch)
        if members:
            lane.send(run, members, now_s)
            return []
        # Everyone in it has gone since it was decided.
        return kernel.handle(Finished(run.executor, run.run, now_s, now_s, done=False), now_s)

    def _tick(self) -> None:
        now_s = self._clock()
        self.admitted.end_late(now_s)
        self.handle(Tick(), now_s)

    # --- reports -----------------------------------------------------------------------------

    def _reported(self, lane: Lane, report: Report) -> None:
        match report:
            case Inferred():
                self._inferred(lane, report)
            case ModelLoaded():
                self._loaded(lane, report)
            case ExecutorLost():
                self._lost(lane, report.reason)

    def _inferred(self, lane: Lane, report: Inferred) -> None:
        now_s, sent = self._clock(), lane.ended(report.run, report.end_s)
        if sent is None:
            self.watch.checked(report)
            return
        if self.observer is not None:
            self.observer.executed(lane.name, sent, report)
        done, model = report.outcome is Outcome.DONE, sent.run.model
        if report.outcome is Outcome.FAILED:
            _log.error("An inference failed: %s", report.error)
            self._metrics.executions_failed.inc()
            self.admitted.failed(sent, report.error)
        # The executor first: it waits for its next batch.
        while lane.waiting and not lane.full:
            self.carry_out([lane.waiting.popleft()], now_s)
        start_s = sent.could_begin_s(report.begin_s)
        self.handle(Finished(lane.name, report.run, start_s, report.end_s, done=done), now_s)
        if report.outputs is not None:
            took_s = report.end_s - report.begin_s
            self._metrics.executed(len(sent.members), sent.run.expected_s, took_s)
            self.admitted.deliver(sent, report, report.outputs)
        if report.outcome is not Outcome.TOO_LATE:
            self.watch.ended(model, good=done)
        self._rejoin(lane, now_s)

    def _loaded(self, lane: Lane, report: ModelLoaded) -> None:
        done = report.outcome is Outcome.DONE
        if done:
            self._metrics.loads.inc()
        if self.kernel is not None and lane.joined:
            event = Loaded(lane.name, report.model, report.begin_s, report.end_s, done=done)
            self.residence.loaded(lane, report, event)
        else:
            self.residence.loaded_at_start(lane, report)
            self._next_of_start(lane)

    def _next_of_start(self, lane: Lane) -> None:
        if self.residence.load_next(lane):
            return
        self._started_lanes.append(lane)
        if self.kernel is not None:
            self._rejoin(lane, self._clock())
        elif failure := self.residence.start.failure():
            self.failure = LoadError(failure)
            self.ended.set()
        elif self.residence.start.over(lane):
            self._begin()

    def _begin(self) -> None:
        """What was measured while warming up is what the kernel begins with."""
        self.kernel = Scheduler(
            self.residence.models(), most_buffer=MOST_OF_THE_TIME, lag_s=self._lag_s
        )
        self._metrics.load_seconds.set(self._clock() - self._began_s)
        for lane in self._started_lanes:
            self._rejoin(lane, self._clock())
        self.residence.settle_in()

    def _slower(self, model: Model) -> Model:
        sizes = {size: seconds / self.share for size, seconds in model.execution_s.items()}
        return replace(model, execution_s=sizes)

    # --- executors that leave ----------------------------------------------------------------

    def _rejoin(self, lane: Lane, now_s: float) -> None:
        if not lane.joined and not lane.lost and lane.idle:
            lane.joined = True
            pages, resident = self.residence.repository.pages, tuple(lane.loaded)
            self.handle(ExecutorJoined(lane.name, pages, resident, shared_load=True), now_s)

    def _leave(self, lane: Lane) -> None:
        if lane.joined:
            lane.joined = False
            lane.waiting.clear()
            self.told(ExecutorLeft(lane.name))

    def _lost(self, lane: Lane, reason: str) -> None:
        lane.lost = True
        self._leave(lane)
        self.residence.lost(lane)
        if self.kernel is None:
            heir = self.residence.start.inherited(lane, self.crew)
            if heir is not None:
                self._next_of_start(heir)
        if self.crew.all_lost:
            _log.error("There is no executor left: %s", reason)
            self.ended.set()
