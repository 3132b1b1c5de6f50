"""
The event queue of a world, ordered by time; events at the same time keep the order of insertion.
"""

import heapq
from enum import StrEnum
from itertools import count
from typing import NamedTuple

from infadapter_simulator.world.pods import SimulatedPod


class EventKind(StrEnum):
    READY = "ready"
    AVAILABLE = "available"  # it has been Ready for long enough that an old one may go
    RESIZED = "resized"
    DRAINED = "drained"
    FAILED = "failed"
    ROUTED = "routed"
    FAULT_CHANGED = "fault changed"  # a fault begins or ends


class Event(NamedTuple):
    at_s: float
    order: int
    kind: EventKind
    pod: SimulatedPod | None  # None: of the world


class Events:
    def __init__(self) -> None:
        self._heap: list[Event] = []
        self._order = count()

    def put(self, at_s: float, kind: EventKind, pod: SimulatedPod | None) -> None:
        heapq.heappush(self._heap, Event(at_s, next(self._order), kind, pod))

    def due(self, until_s: float) -> Event | None:
        """Remove and return the next event up to this time, or None."""
        if self._heap and self._heap[0].at_s <= until_s:
            return heapq.heappop(self._heap)
        return None
