"""
Arrival sources in virtual time: open-loop streams, and closed-loop clients that wait for answers.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import NamedTuple

from infadapter_scheduler.world import Arrival, Served, Source


class Stream:
    """An open-loop source: arrivals in order of time, generated on demand."""

    def __init__(self, arrivals: Iterator[Arrival]) -> None:
        self._arrivals = arrivals
        self._next = next(arrivals, None)

    def next_s(self) -> float:
        return inf if self._next is None else self._next.arrival_s

    def take(self) -> Arrival:
        found = self._next
        assert found is not None
        self._next = next(self._arrivals, None)
        return found


class Client(NamedTuple):
    """A client that waits for each answer before its next request."""

    model: str
    slo_s: float


class ClosedLoop:
    """
    Clients with always one request in flight. After a refusal they wait as long as it says, and at
    least a round trip; otherwise virtual time would never advance.
    """

    def __init__(self, clients: Sequence[Client], *, until_s: float, pause_s: float) -> None:
        self._until_s, self._pause_s = until_s, pause_s
        self._models = {client.model for client in clients}
        self._order = count()
        self._waiting: list[tuple[float, int, Client]] = []
        for number, client in enumerate(clients):
            self._again(client, pause_s * number / max(1, len(clients)))

    def next_s(self) -> float:
        return self._waiting[0][0] if self._waiting else inf

    def take(self) -> Arrival:
        at_s, _, client = heappop(self._waiting)
        return Arrival(at_s, client.model, client.slo_s)

    def settled(self, arrival: Arrival, fate: Served, known_s: float) -> None:
        """Send the next request of the client whose answer this is; other answers are ignored."""
        if arrival.model in self._models:
            refused_s = fate.retry_after_s if fate.outcome == "refused" else 0.0
            self._again(
                Client(arrival.model, arrival.slo_s), known_s + max(refused_s, self._pause_s)
            )

    def _again(self, client: Client, at_s: float) -> None:
        if at_s < self._until_s:
            heappush(self._waiting, (at_s, next(self._order), client))


class Both:
    """Two sources combined."""

    def __init__(self, one: Source, other: Source) -> None:
        self._one, self._other = one, other

    def next_s(self) -> float:
        return min(self._one.next_s(), self._other.next_s())

    def take(self) -> Arrival:
        first = self._one if self._one.next_s() <= self._other.next_s() else self._other
        return first.take()
