"""The smallest controller: one thread between the scheduler's kernel and its executors."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from heapq import heapify, heappop
from math import inf
from queue import Empty, SimpleQueue

from benchmarks.workers.offered import Request, unmeasured
from infadapter_scheduler import (
    Action,
    Arrived,
    Event,
    ExecutorJoined,
    ExecutorLeft,
    Finished,
    Load,
    Loaded,
    Reason,
    Refuse,
    Run,
    Scheduler,
    Tick,
    Unload,
)
from infadapter_server.executors.messages import (
    ExecutorLost,
    ExecutorReady,
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Outcome,
    Report,
    UnloadModel,
)
from infadapter_server.executors.port import Executor
from infadapter_server.networks.signatures import Floats
from infadapter_server.networks.stored import Stored

AFTERWARDS_S = 2.0
"""After the last arrival, for answers."""


class Fate(StrEnum):
    ON_TIME = "on time"
    LATE = "late"
    REFUSED = "refused"
    GIVEN_UP = "given up"  # accepted, and dropped: executions took longer than was promised
    LOST = "lost"  # accepted, and its executor was killed
    FAILED = "failed"


@dataclass(slots=True)
class Kept:
    """What became of each request, and what the executors did for it."""

    fates: dict[int, Fate] = field(default_factory=dict)
    reasons: dict[int, Reason] = field(default_factory=dict)
    latency_s: dict[int, float] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    loads: list[tuple[float, str, str]] = field(default_factory=list)
    unloads: int = 0
    losses: list[tuple[float, str]] = field(default_factory=list)


class Controller:
    def __init__(
        self,
        kernel: Scheduler,
        executors: Sequence[Executor],
        stored: Mapping[str, Stored],
        inputs: Mapping[str, Floats],
        pages: int | None,
    ) -> None:
        self.kept = Kept()
        self._kernel, self._stored, self._inputs, self._pages = kernel, stored, inputs, pages
        self._executors = {executor.name: executor for executor in executors}
        self._inbox: SimpleQueue[tuple[str, Report]] = SimpleQueue()
        self._joined: set[str] = set()
        self._sent: dict[tuple[str, int], tuple[int, ...]] = {}
        self._arrived_s: dict[int, float] = {}
        self._deadline_s: dict[int, float] = {}
        self._began_s = 0.0

    def start(self) -> None:
        for name, executor in self._executors.items():
            executor.start(partial(self._tell, name))
        while len(self._joined) < len(self._executors):
            self._take(*self._inbox.get())

    def _tell(self, name: str, report: Report) -> None:
        self._inbox.put((name, report))

    def run(
        self,
        requests: Sequence[Request],
        slo_s: float,
        happenings: Sequence[tuple[float, Callable[[], None]]] = (),
    ) -> None:
        """Let requests arrive, and other things happen, at their seconds from now."""
        self._began_s = time.monotonic()
        todo: list[tuple[float, int, Callable[[], None]]] = [
            (self._began_s + request.at_s, number, partial(self._arrive, number, request, slo_s))
            for number, request in enumerate(requests)
        ]
        todo += [(self._began_s + at_s, -1 - n, do) for n, (at_s, do) in enumerate(happenings)]
        end_s = max(at_s for at_s, *_ in todo) + AFTERWARDS_S
        heapify(todo)
        while time.monotonic() < end_s and (todo or len(self.kept.fates) < len(requests)):
            due_s = todo[0][0] if todo else inf
            self._step(min(due_s, self._kernel.next_tick_s(), end_s))
            while todo and todo[0][0] <= time.monotonic():
                heappop(todo)[2]()

    def _step(self, until_s: float) -> None:
        """One report, or the time."""
        try:
            wait_s = max(0.0, until_s - time.monotonic())
            name, report = self._inbox.get(timeout=wait_s)
        except Empty:
            if self._kernel.next_tick_s() <= time.monotonic():
                self._handle(Tick())
        else:
            self._take(name, report)

    def _arrive(self, number: int, request: Request, slo_s: float) -> None:
        arrived_s = self._began_s + request.at_s  # as was wanted, not as it was done
        self._arrived_s[number] = arrived_s
        self._deadline_s[number] = arrived_s + slo_s
        self._handle(Arrived(number, request.model, arrived_s + slo_s))

    def _handle(self, event: Event) -> None:
        for action in self._kernel.handle(event, time.monotonic()):
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Run():
                self._run(action)
            case Load():
                stored = self._stored[action.model]
                order = LoadModel(unmeasured(stored), action.earliest_s, action.latest_s)
                self._executors[action.executor].submit(order)
            case Unload():
                self.kept.unloads += 1
                self._executors[action.executor].submit(UnloadModel(action.model))
            case Refuse():
                self._refuse(action)

    def _run(self, run: Run) -> None:
        self._sent[run.executor, run.run] = run.batch
        rows = (self._inputs[run.model],) * len(run.batch)
        order = Infer(run.run, run.model, rows, run.earliest_s, run.latest_s)
        self._executors[run.executor].submit(order)

    def _refuse(self, refuse: Refuse) -> None:
        fates = {Reason.EXECUTOR_LEFT: Fate.LOST, Reason.GIVEN_UP: Fate.GIVEN_UP}
        self.kept.fates[refuse.request] = fates.get(refuse.reason, Fate.REFUSED)
        self.kept.reasons[refuse.request] = refuse.reason

    def _take(self, name: str, report: Report) -> None:
        match report:
            case ExecutorReady():
                self._joined.add(name)
                resident = tuple(loaded.model for loaded in report.resident)
                self._handle(ExecutorJoined(name, self._pages, resident, shared_load=True))
            case ExecutorLost():
                if name in self._joined:
                    self._joined.remove(name)
                    self.kept.losses.append((time.monotonic() - self._began_s, report.reason))
                    self._handle(ExecutorLeft(name))
            case ModelLoaded():
                self._loaded(name, report)
            case Inferred():
                self._inferred(name, report)

    def _loaded(self, name: str, report: ModelLoaded) -> None:
        done = report.outcome is Outcome.DONE
        if done:
            self.kept.loads.append((report.begin_s - self._began_s, name, report.model))
        self._handle(Loaded(name, report.model, report.begin_s, report.end_s, done))

    def _inferred(self, name: str, report: Inferred) -> None:
        now_s = time.monotonic()
        members = self._sent.pop((name, report.run), ())
        done = report.outcome is Outcome.DONE
        self._handle(Finished(name, report.run, report.begin_s, report.end_s, done))
        if done:
            self.kept.batches.append(len(members))
        for number in members if done else ():
            self.kept.latency_s[number] = now_s - self._arrived_s[number]
            late = now_s > self._deadline_s[number]
            self.kept.fates[number] = Fate.LATE if late else Fate.ON_TIME
