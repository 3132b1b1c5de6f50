"""
An executor as its driver sees it: pending orders, and whether it hangs.

An execution or load that takes far longer than any estimation error may never end. Its executor is
then taken out of the scheduler, so that requests go elsewhere or are refused at once, and returned
if it ends after all.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import NamedTuple

from infadapter_scheduler.actions import Run
from infadapter_scheduler.points import Point
from infadapter_server.executors.messages import ExecutorReady, Infer, LoadModel
from infadapter_server.executors.port import Executor
from infadapter_server.networks.signatures import Floats
from infadapter_server.serving.tickets import Ticket

__all__ = ["Lane", "Loading", "Sent"]

OVERDUE = 10.0
"""
Multiple of the expected time; under the smallest CPU quota a pause of all threads is a factor of 4.
"""

SUSPECT_S, STUCK_S = 3.0, 10.0
"""
Seconds overdue after which no more is sent to the executor, and after which the pod isn't live.
"""

LOAD_SUSPECT_S, LOAD_STUCK_S = 10.0, 60.0
"""The same for a load: a disk or a network file system may stall for longer."""

AT_ONCE = 2
"""Batches that are fixed: the running one and the next. Cancelled requests leave later ones."""

Member = tuple[int, Ticket]
"""A request of the scheduler, and the ticket of which it is an image."""


class Sent(NamedTuple):
    run: Run
    members: Sequence[Member]
    ordered_s: float
    point: Point | None = None  # of a model that has such
    free_s: float = 0.0  # its executor had ended what came before, if anything did

    def could_begin_s(self, begin_s: float) -> float:
        """
        Return when the batch could have begun without delay of orders. An executor that waits for a
        busy event loop isn't free: learnt execution times have to include that.
        """
        asked_s = min(ticket.admitted_s for _, ticket in self.members)
        return min(begin_s, max(self.free_s, asked_s))

    @property
    def expected_s(self) -> float:
        return self.run.expected_s


@dataclass(frozen=True, slots=True)
class Loading:
    """A load that was ordered and has not ended."""

    model: str
    ordered_s: float
    expected_s: float


@dataclass(slots=True, eq=False)
class Lane:
    executor: Executor
    loaded: dict[str, int] = field(default_factory=dict)  # bytes of weights by model
    present: bool = False  # it takes orders
    prepared: bool = False  # it has loaded what it begins with
    joined: bool = False  # the kernel counts on it
    pages: int | None = None  # of its cache; None is memory for all
    shared_load: bool = True
    loads: dict[str, Loading] = field(default_factory=dict)  # by model
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
        """The executor takes orders, and holds nothing yet."""
        self.present, self.prepared = True, False
        self.pages, self.shared_load = pages, ready.shared_load

    def went(self) -> None:
        """The executor is lost with what it held and everything sent to it."""
        self.present = self.prepared = False
        self.missed = tuple(dict.fromkeys((*self.missed, *self.loaded)))
        for lost in (self.loaded, self.loads, self.waiting, self._sent):
            lost.clear()

    def send(
        self, run: Run, members: Sequence[Member], now_s: float, point: Point | None = None
    ) -> None:
        self._sent[run.run] = Sent(run, members, now_s, point)
        rows: tuple[Floats, ...] = tuple([ticket.row(number) for number, ticket in members])
        order = Infer(
            run.run, run.model, rows, run.earliest_s, run.latest_s, point.name if point else ""
        )
        self.executor.submit(order)

    def requests(self, run: int) -> int:
        """Return the size of a pending batch; 0 for any other."""
        return len(self._sent[run].members) if run in self._sent else 0

    def ended(self, run: int, end_s: float) -> Sent | None:
        sent = self._sent.pop(run, None)
        free_s, self._free_s = self._free_s, end_s
        return None if sent is None else sent._replace(free_s=free_s)

    def load(self, order: LoadModel, now_s: float, expected_s: float) -> None:
        name = order.stored.name
        self.loads[name] = Loading(name, now_s, expected_s)
        self.executor.submit(order)

    def load_ended(self, model: str, end_s: float) -> None:
        self.loads.pop(model, None)
        self._free_s = end_s

    @property
    def loading(self) -> Loading | None:
        """The load in progress, if any."""
        oldest = self._oldest()
        return oldest if isinstance(oldest, Loading) else None

    @property
    def executes(self) -> bool:
        return isinstance(self._oldest(), Sent)

    def suspect(self, now_s: float) -> bool:
        return now_s > self.suspect_s

    def stuck(self, now_s: float) -> bool:
        return now_s > self._overdue_s(STUCK_S, LOAD_STUCK_S)

    @property
    def suspect_s(self) -> float:
        """The time from which on the current work may never end."""
        return self._overdue_s(SUSPECT_S, LOAD_SUSPECT_S)

    def _overdue_s(self, run_s: float, load_s: float) -> float:
        """Return by how much the current work exceeds any plausible estimate, s."""
        oldest = self._oldest()
        if oldest is None:
            return inf
        began_s = max(oldest.ordered_s, self._free_s)
        patience_s = load_s if isinstance(oldest, Loading) else run_s
        return began_s + (1 + OVERDUE) * oldest.expected_s + patience_s

    def _oldest(self) -> Sent | Loading | None:
        """The current work; an executor does one thing after the other."""
        first: list[Sent | Loading] = [*islice(self._sent.values(), 1)]
        first += islice(self.loads.values(), 1)
        return min(first, key=lambda order: order.ordered_s, default=None)
