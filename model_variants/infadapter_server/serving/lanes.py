"""
An executor as its driver sees it: what was sent there and has not come back, and whether it hangs.

An execution that takes far longer than any error of an estimate is no slow one: nothing says that
it will ever end. Its executor is then taken from the kernel, so that requests go elsewhere or are
refused at once, and given back if it ends after all.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf

from infadapter_scheduler.actions import Run
from infadapter_scheduler.points import Point
from infadapter_server.executors.messages import ExecutorReady, Infer
from infadapter_server.executors.port import Executor
from infadapter_server.networks.signatures import Floats
from infadapter_server.serving.tickets import Ticket

__all__ = ["Lane", "Sent"]

OVERDUE = 10.0
"""Times as long as expected: under the smallest CPU quota a pause of all threads is 4."""

SUSPECT_S, STUCK_S = 3.0, 10.0
"""At least so long after it should have ended: nothing more is sent there; the pod isn't live."""

AT_ONCE = 2
"""Batches: one that runs and one that follows. Who has gone leaves those that are further ahead."""

Member = tuple[int, Ticket]
"""A request of the kernel, and the ticket that it is an image of."""


@dataclass(frozen=True, slots=True)
class Sent:
    run: Run
    members: Sequence[Member]
    expected_end_s: float
    point: Point | None = None  # of a model that has such
    free_s: float = 0.0  # its executor had ended what came before, if anything did

    def could_begin_s(self, begin_s: float) -> float:
        """
        When it would have begun if orders took no time. An executor that waits for a busy event
        loop is none that is free: what the kernel learns of executions has to hold that too.
        """
        asked_s = min(ticket.admitted_s for _, ticket in self.members)
        return min(begin_s, max(self.free_s, asked_s))

    def overdue_s(self, now_s: float) -> float:
        """Beyond what any estimate could be wrong by."""
        return now_s - self.expected_end_s - OVERDUE * self.run.expected_s


@dataclass(slots=True, eq=False)
class Lane:
    executor: Executor
    loaded: dict[str, int] = field(default_factory=dict)  # bytes of weights by model
    present: bool = False  # it takes orders
    prepared: bool = False  # it has loaded what it begins with
    joined: bool = False  # the kernel counts on it
    pages: int | None = None  # of its cache; None is memory for all
    shared_load: bool = True
    loads: int = 0  # that were ordered and have not ended
    missed: tuple[str, ...] = ()  # what it held when it was lost
    waiting: deque[Run] = field(default_factory=deque)
    _sent: dict[int, Sent] = field(default_factory=dict)
    _free_s: float = 0.0

    @property
    def full(self) -> bool:
        return len(self._sent) >= AT_ONCE

    @property
    def name(self) -> str:
        return self.executor.name

    @property
    def idle(self) -> bool:
        return not self._sent and not self.loads

    def came(self, ready: ExecutorReady, pages: int | None) -> None:
        """It takes orders, and holds nothing that is known of."""
        self.present, self.prepared = True, False
        self.pages, self.shared_load = pages, ready.shared_load

    def went(self) -> None:
        """What it held, and all that was sent there, is lost."""
        self.present = self.prepared = False
        self.missed = tuple(dict.fromkeys((*self.missed, *self.loaded)))
        self.loads = 0
        for lost in (self.loaded, self.waiting, self._sent):
            lost.clear()

    def send(
        self, run: Run, members: Sequence[Member], now_s: float, point: Point | None = None
    ) -> None:
        last_s = max((sent.expected_end_s for sent in self._sent.values()), default=now_s)
        self._sent[run.run] = Sent(run, members, max(last_s, now_s) + run.expected_s, point)
        rows: tuple[Floats, ...] = tuple([ticket.row(number) for number, ticket in members])
        order = Infer(
            run.run, run.model, rows, run.earliest_s, run.latest_s, point.name if point else ""
        )
        self.executor.submit(order)

    def ended(self, run: int, end_s: float) -> Sent | None:
        sent = self._sent.pop(run, None)
        free_s, self._free_s = self._free_s, end_s
        return None if sent is None else replace(sent, free_s=free_s)

    def suspect(self, now_s: float) -> bool:
        return self._overdue_s(now_s) > SUSPECT_S

    def stuck(self, now_s: float) -> bool:
        return self._overdue_s(now_s) > STUCK_S

    def _overdue_s(self, now_s: float) -> float:
        oldest = next(iter(self._sent.values()), None)
        return -inf if oldest is None else oldest.overdue_s(now_s)
