"""What is to happen in a world, and when; in the order in which it was put down where times tie."""

import heapq
from enum import StrEnum
from itertools import count
from typing import NamedTuple

from infadapter_simulator.world.pods import SimulatedPod


class What(StrEnum):
    READY = "ready"
    AVAILABLE = "available"  # it has been Ready for long enough that an old one may go
    RESIZED = "resized"
    DRAINED = "drained"
    FAILED = "failed"
    ROUTED = "routed"
    TURNED = "turned"  # a fault begins or ends


class Event(NamedTuple):
    at_s: float
    order: int
    what: What
    pod: SimulatedPod | None  # None: of the world


class Events:
    def __init__(self) -> None:
        self._heap: list[Event] = []
        self._order = count()

    def put(self, at_s: float, what: What, pod: SimulatedPod | None) -> None:
        heapq.heappush(self._heap, Event(at_s, next(self._order), what, pod))

    def due(self, until_s: float) -> Event | None:
        """The next one, taken out; None if there is none until then."""
        if self._heap and self._heap[0].at_s <= until_s:
            return heapq.heappop(self._heap)
        return None
