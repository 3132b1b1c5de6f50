"""Tickets: admitted requests of one or more images, and their deadlines."""

import asyncio
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

import numpy as np

from infadapter_scheduler.points import Point
from infadapter_server.networks.signatures import Floats

__all__ = ["Dues", "Ticket"]

_FEW = 256


@dataclass(slots=True, eq=False)
class Ticket:
    """A request of n images: n requests of the scheduler, numbered from `first`, and one answer."""

    model: str
    first: int
    rows: Floats
    arrived_s: float
    admitted_s: float
    deadline_s: float
    answer: asyncio.Future[Floats]
    begin_s: float = 0.0  # of the last execution, as `end_s`
    end_s: float = 0.0
    point: Point | None = None  # the least accurate that one of its images was computed at
    _outputs: dict[int, Floats] = field(default_factory=dict)

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + len(self.rows))

    def row(self, number: int) -> Floats:
        if len(self.rows) == 1:
            return self.rows
        at = number - self.first
        return self.rows[at : at + 1]

    def served_at(self, point: Point) -> None:
        if self.point is None or point.accuracy < self.point.accuracy:
            self.point = point

    def take(self, number: int, output: Floats) -> bool:
        """Store the result of one image; True if it was the last one missing."""
        self._outputs[number] = output
        return len(self._outputs) == len(self.rows)

    def result(self) -> Floats:
        if len(self._outputs) == 1:
            return self._outputs[self.first]
        return np.concatenate([self._outputs[number] for number in self.numbers])


class Dues:
    """Deadlines in order. Answered requests are removed once they are most of the heap."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Ticket]] = []
        self._sequence = count()
        self._tidy_at = _FEW

    def add(self, ticket: Ticket) -> None:
        heappush(self._heap, (ticket.deadline_s, next(self._sequence), ticket))
        if len(self._heap) >= self._tidy_at:
            self._heap = [due for due in self._heap if not due[2].answer.done()]
            heapify(self._heap)
            self._tidy_at = _FEW + 2 * len(self._heap)

    def next_s(self) -> float:
        while self._heap and self._heap[0][2].answer.done():
            heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def passed(self, now_s: float) -> list[Ticket]:
        """Return the unanswered tickets whose deadline has passed."""
        late: list[Ticket] = []
        while self.next_s() <= now_s:
            late.append(heappop(self._heap)[2])
        return late
