"""
The driver of the scheduler's kernel: requests become its events, its actions become orders.

It decides nothing. Its own is what the kernel can't know: clocks, the threads that reports come
from, images of one request that belong together, clients that wait and go, and the watch over
executors that don't come back. All methods but `_tell` are for the thread of the event loop.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from math import inf

import numpy as np

from infadapter_scheduler.actions import Action, Load, Reason, Refuse, Run, Unload
from infadapter_scheduler.events import (
    Arrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Gone,
    Loaded,
    SpeedChanged,
    Tick,
)
from infadapter_scheduler.model import Model
from infadapter_scheduler.scheduler import Scheduler
from infadapter_server.executors.messages import (
    ExecutorLost,
    Infer,
    Inferred,
    ModelLoaded,
    Outcome,
    Report,
    UseThreads,
)
from infadapter_server.executors.port import Executor
from infadapter_server.networks.signatures import Floats, LoadError
from infadapter_server.serving import metrics as told
from infadapter_server.serving.caution import BoundedBuffer
from infadapter_server.serving.failing import Failing
from infadapter_server.serving.lanes import Lane, Member, Sent, resident
from infadapter_server.serving.margin import Margin
from infadapter_server.serving.refusal import Cause, ClientGone, Unserved
from infadapter_server.serving.repository import Repository
from infadapter_server.serving.residence import Residence
from infadapter_server.serving.tickets import Dues, Ticket

__all__ = ["Driver", "InferenceError"]

LAG_S = 0.001
"""
Of orders and reports between threads. The kernel sends the next batch twice as long before the
present one ends, so that an executor never waits for the event loop.
"""

WATCH_EVERY_S = 0.25
_LEAST_TIMER_S = 0.001  # the resolution of the event loop's timers
_log = logging.getLogger(__name__)


class InferenceError(Exception):
    """The model could not compute a batch that looked right."""


class Driver:
    """
    `failure` says why no model could be loaded. `share` is the part of a core that the quota
    leaves: warming up is too short to be throttled, what follows isn't.
    """

    def __init__(
        self,
        repository: Repository,
        executors: Sequence[Executor],
        metrics: told.ServerMetrics,
        *,
        lag_s: float = LAG_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure: LoadError | None = None
        self.threads = 1
        self.share = 1.0
        self.residence = Residence(repository, self._told, self._slower)
        self._lanes = {executor.name: Lane(executor) for executor in executors}
        self._metrics, self._lag_s, self._clock = metrics, lag_s, clock
        self._kernel: Scheduler | None = None
        self._failing: defaultdict[str, Failing] = defaultdict(Failing)
        self._tickets: dict[int, Ticket] = {}
        self._numbers, self._checks = count(1), count(-1, -1)
        self._checking: dict[int, str] = {}
        self._dues, self._margin = Dues(), Margin()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = inf
        self._started = self._stopping = False
        self._started_lanes: list[Lane] = []
        self._ended = asyncio.Event()

    # --- its life ----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to load; `loaded` says when that is done."""
        self._started = True
        self._loop, self._began_s = asyncio.get_running_loop(), self._clock()
        for lane in self._lanes.values():
            lane.executor.start(partial(self._tell, lane))
            lane.executor.submit(UseThreads(self.threads))
        self._metrics.threads.set(self.threads)
        self._watching = self._loop.create_task(self._watch())
        self.residence.start.plan(list(self._lanes.values()))
        for lane in self._lanes.values():
            self._next_of_start(lane)

    async def ended(self) -> None:
        """Wait until there is no executor left that anybody could wait for: a fault."""
        await self._ended.wait()

    async def stop(self, within_s: float) -> bool:
        """End the executors; False if one did not come back."""
        self._stopping = True
        self._watching.cancel()
        if self._timer is not None:
            self._timer.cancel()
        ends = [asyncio.to_thread(lane.executor.stop, within_s) for lane in self._lanes.values()]
        return all(await asyncio.gather(*ends))

    def use_threads(self, threads: int) -> None:
        self.threads = threads
        self._metrics.threads.set(threads)
        for lane in self._lanes.values() if self._started else ():
            lane.executor.submit(UseThreads(threads))

    def use_share(self, share: float) -> None:
        """The quota has changed: below one core, everything takes so much longer."""
        before, self.share = self.share, share
        if self._kernel is not None:
            self._told(SpeedChanged(before / share))

    # --- its health --------------------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        return self._kernel is not None

    @property
    def ready(self) -> bool:
        """Some executor can take requests, and the models can compute."""
        return any(lane.joined for lane in self._lanes.values()) and not self.failing

    @property
    def live(self) -> bool:
        """False: a new process would do better."""
        return not self.failing and not self.stuck

    @property
    def failing(self) -> bool:
        """All of them: one of many is refused by itself."""
        broken = [failing.broken for failing in self._failing.values()]
        return any(broken) and len(broken) == len(self.residence.repository.models())

    @property
    def stuck(self) -> int:
        now_s = self._clock()
        return sum(lane.stuck(now_s) for lane in self._lanes.values())

    def holds(self, model: str) -> bool:
        """Its weights are where they can be computed with."""
        return any(lane.joined and model in lane.loaded for lane in self._lanes.values())

    @property
    def unanswered(self) -> int:
        """Images that were admitted and wait or are computed."""
        return len(self._tickets)

    def measure(self) -> None:
        """Write the gauges that are read here."""
        models, size = resident(self._lanes)
        self._metrics.resident_models.set(models)
        self._metrics.resident_bytes.set(size)
        self._metrics.failing.set(self.failing)
        self._metrics.stuck.set(self.stuck)

    # --- requests ----------------------------------------------------------------------------

    def ask(
        self, model: str, arrived_s: float, within_s: float, read: Callable[[], Floats]
    ) -> Ticket:
        """
        Admit a request: all of its images or none. `read` gives them, and is called for an admitted
        one only, since to read costs more than to refuse. Raises Unserved, and what `read` raises.
        """
        kernel, now_s = self._open(model), self._clock()
        promised_s = arrived_s + within_s - self._margin.of(within_s)
        first = next(self._numbers)
        actions = self._arrive(kernel, first, model, promised_s, now_s)
        try:
            rows = read()
            for _ in range(len(rows) - 1):
                number = next(self._numbers)
                actions += self._arrive(kernel, number, model, promised_s, now_s)
        except BaseException:
            self._withdraw(range(first, next(self._numbers)), now_s)
            self._carry_out(actions, now_s)
            raise
        answer = self._loop.create_future()
        ticket = Ticket(model, first, rows, arrived_s, arrived_s + within_s, answer)
        self._tickets.update(dict.fromkeys(ticket.numbers, ticket))
        self._dues.add(ticket)
        self._metrics.admitted.inc()
        self._carry_out(actions, now_s)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Its client has gone: what isn't being computed for it never is."""
        if not ticket.answer.done():
            self._metrics.outcomes[told.Outcome.GONE].inc()
            self._fail(ticket, ClientGone())

    def answered(self, ticket: Ticket) -> None:
        """The answer has been written: how long was the way back, and was it in time?"""
        now_s = self._clock()
        self._margin.learn(now_s - ticket.end_s)
        self._metrics.queue_seconds.observe(max(0.0, ticket.begin_s - ticket.arrived_s))
        late = now_s > ticket.deadline_s
        self._metrics.outcomes[told.Outcome.LATE if late else told.Outcome.ON_TIME].inc()

    def _open(self, model: str) -> Scheduler:
        if self._kernel is None:
            raise Unserved(Cause.LOADING)
        if self._failing[model].broken:
            raise Unserved(Cause.FAILING)
        return self._kernel

    def _arrive(
        self, kernel: Scheduler, number: int, model: str, promised_s: float, now_s: float
    ) -> list[Action]:
        actions = kernel.handle(Arrived(number, model, promised_s), now_s)
        for action in actions:
            if isinstance(action, Refuse) and action.request == number:
                self._carry_out([other for other in actions if other is not action], now_s)
                raise Unserved(action.reason, action.retry_after_s)
        return actions

    def _withdraw(self, numbers: Iterable[int], now_s: float) -> None:
        for number in numbers:
            self._tickets.pop(number, None)
            self._handle(Gone(number), now_s)

    def _forget(self, ticket: Ticket) -> None:
        self._withdraw(ticket.numbers, self._clock())

    # --- the kernel --------------------------------------------------------------------------

    def _handle(self, event: Event, now_s: float) -> None:
        assert self._kernel is not None
        self._carry_out(self._kernel.handle(event, now_s), now_s)

    def _carry_out(self, actions: Iterable[Action], now_s: float) -> None:
        left = deque(actions)
        while left:
            match left.popleft():
                case Run() as run:
                    left.extend(self._run(run, now_s))
                case Refuse() as refuse:
                    self._give_up(refuse)
                case Load() as load:
                    self.residence.load_on(self._lanes[load.executor], load)
                case Unload() as unload:
                    self._metrics.evictions.inc()
                    self.residence.unload_from(self._lanes[unload.executor], unload.model)
        self._arm(now_s)

    def _run(self, run: Run, now_s: float) -> list[Action]:
        members: list[Member] = [(n, self._tickets[n]) for n in run.batch if n in self._tickets]
        if members:
            self._lanes[run.executor].send(run, members, now_s)
            return []
        assert self._kernel is not None  # and everyone in it has gone since it was decided
        return self._kernel.handle(Finished(run.executor, run.run, now_s, now_s, done=False), now_s)

    def _give_up(self, refuse: Refuse) -> None:
        ticket = self._tickets.get(refuse.request)
        if ticket is not None:
            self._metrics.outcomes[told.Outcome.CANCELLED].inc()
            self._fail(ticket, Unserved(refuse.reason, refuse.retry_after_s, accepted=True))

    def _fail(self, ticket: Ticket, why: Exception) -> None:
        if not ticket.answer.done():
            ticket.answer.set_exception(why)
        self._forget(ticket)

    # --- time --------------------------------------------------------------------------------

    def _arm(self, now_s: float) -> None:
        assert self._kernel is not None
        due_s = min(self._kernel.next_tick_s(), self._dues.next_s())
        if self._timer is not None and self._timer_s <= due_s:
            return  # it comes first, and arms itself anew
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = due_s
        delay_s = max(_LEAST_TIMER_S, due_s - now_s)
        self._timer = None if due_s == inf else self._loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
        now_s = self._clock()
        self._timer = None
        for ticket in self._dues.passed(now_s):
            self._metrics.outcomes[told.Outcome.LATE].inc()
            self._fail(ticket, Unserved(Reason.GIVEN_UP, accepted=True))
        self._handle(Tick(), now_s)

    # --- reports -----------------------------------------------------------------------------

    def _tell(self, lane: Lane, report: Report) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._reported, lane, report)

    def _reported(self, lane: Lane, report: Report) -> None:
        match report:
            case Inferred() if report.run < 0:
                self._failing[self._checking.pop(report.run)].checked(
                    report.outcome is Outcome.DONE
                )
            case Inferred():
                self._inferred(lane, report)
            case ModelLoaded():
                self._loaded(lane, report)
            case ExecutorLost():
                self._lost(lane, report.reason)

    def _inferred(self, lane: Lane, report: Inferred) -> None:
        now_s, sent = self._clock(), lane.ended(report.run)
        if sent is None:
            return
        done = report.outcome is Outcome.DONE
        if report.outcome is Outcome.FAILED:
            self._failed(sent, report.error)
        # The executor first: it waits for its next batch.
        finished = Finished(lane.name, report.run, report.begin_s, report.end_s, done=done)
        self._handle(finished, now_s)
        if done:
            assert report.outputs is not None
            self._done(sent, report, report.outputs)
        self._rejoin(lane, now_s)

    def _done(self, sent: Sent, report: Inferred, outputs: Floats) -> None:
        self._failing[sent.run.model].ended(good=True)
        self._observe(sent, report.end_s - report.begin_s)
        for at, (number, ticket) in enumerate(sent.members):
            if self._tickets.pop(number, None) is None:
                continue  # nobody waits for it any more
            ticket.begin_s, ticket.end_s = report.begin_s, report.end_s
            if ticket.take(number, outputs[at : at + 1]) and not ticket.answer.done():
                ticket.answer.set_result(ticket.result())

    def _observe(self, sent: Sent, took_s: float) -> None:
        self._metrics.inference_seconds.observe(took_s)
        self._metrics.batch_images.observe(len(sent.members))
        over_s = sent.run.expected_s - took_s
        if over_s >= 0:
            self._metrics.over_seconds.observe(over_s)
        else:
            self._metrics.under_seconds.observe(-over_s)

    def _failed(self, sent: Sent, error: str) -> None:
        _log.error("An inference failed: %s", error)
        self._metrics.executions_failed.inc()
        self._failing[sent.run.model].ended(good=False)
        for _, ticket in sent.members:
            if not ticket.answer.done():
                self._metrics.outcomes[told.Outcome.FAILED].inc()
                self._fail(ticket, InferenceError(error))

    def _loaded(self, lane: Lane, report: ModelLoaded) -> None:
        done = report.outcome is Outcome.DONE
        if done:
            self._metrics.loads.inc()
        if self._kernel is not None and lane.joined:
            event = Loaded(lane.name, report.model, report.begin_s, report.end_s, done=done)
            self.residence.loaded(lane, report, event)
        else:
            self.residence.loaded_at_start(lane, report)
            self._next_of_start(lane)

    def _next_of_start(self, lane: Lane) -> None:
        if self.residence.load_next(lane):
            return
        self._started_lanes.append(lane)
        if self._kernel is not None:
            self._rejoin(lane, self._clock())
        elif failure := self.residence.start.failure():
            self.failure = LoadError(failure)
            self._ended.set()
        elif self.residence.start.over(lane):
            self._begin()

    def _begin(self) -> None:
        """What was measured while warming up is what the kernel begins with."""
        self._kernel = Scheduler(self.residence.models(), lag_s=self._lag_s)
        self._kernel.state.buffer = BoundedBuffer()
        self._metrics.load_seconds.set(self._clock() - self._began_s)
        for lane in self._started_lanes:
            self._rejoin(lane, self._clock())
        self.residence.settle_in()

    def _told(self, event: Event) -> None:
        self._handle(event, self._clock())

    def _slower(self, model: Model) -> Model:
        sizes = {size: seconds / self.share for size, seconds in model.execution_s.items()}
        return replace(model, execution_s=sizes)

    # --- executors that leave ----------------------------------------------------------------

    def _rejoin(self, lane: Lane, now_s: float) -> None:
        if not lane.joined and not lane.lost and lane.idle:
            lane.joined = True
            pages = self.residence.repository.pages
            resident = tuple(lane.loaded)
            self._handle(ExecutorJoined(lane.name, pages, resident, shared_load=True), now_s)

    def _leave(self, lane: Lane, now_s: float) -> None:
        if lane.joined:
            lane.joined = False
            self._handle(ExecutorLeft(lane.name), now_s)

    def _lost(self, lane: Lane, reason: str) -> None:
        lane.lost = True
        self._leave(lane, self._clock())
        if self._kernel is None:
            heir = self.residence.start.inherited(lane, self._lanes.values())
            if heir is not None:
                self._next_of_start(heir)
        if all(other.lost for other in self._lanes.values()) and not self._stopping:
            _log.error("There is no executor left: %s", reason)
            self._ended.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now_s = self._clock()
            for lane in self._lanes.values():
                if lane.joined and lane.suspect(now_s):
                    _log.error("%s has not come back from an execution", lane.name)
                    self._leave(lane, now_s)
            for name, failing in self._failing.items():
                if failing.wants_check(now_s):
                    self._check(name)

    def _check(self, model: str) -> None:
        lane = next((lane for lane in self._lanes.values() if model in lane.loaded), None)
        stored = self.residence.repository.models().get(model)
        if lane is None or stored is None:
            return
        number = next(self._checks)
        self._checking[number] = model
        rows = (np.zeros((1, *stored.signature.input_shape), np.float32),)
        lane.executor.submit(Infer(number, model, rows, earliest_s=0.0, latest_s=inf))
