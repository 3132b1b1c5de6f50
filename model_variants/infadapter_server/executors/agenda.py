"""The orders of an executor that have not begun: a priority queue by `earliest_s`."""

import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from infadapter_server.executors.messages import Infer, LoadModel, Order, UnloadModel


class Agenda:
    """For orders from any thread; whoever does them waits in `next`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._orders: list[tuple[float, int, Order]] = []
        self._sequence = count()
        self._changed = threading.Condition()
        self._ended = False

    def add(self, order: Order) -> None:
        earliest_s = order.earliest_s if isinstance(order, Infer | LoadModel) else 0.0
        with self._changed:
            heappush(self._orders, (earliest_s, next(self._sequence), order))
            self._changed.notify()

    def next(self) -> Order | None:
        """The first one, once it may begin; None after `end`."""
        with self._changed:
            while not self._ended:
                wait_s = self._orders[0][0] - self._clock() if self._orders else None
                if wait_s is not None and wait_s <= 0:
                    return heappop(self._orders)[2]
                self._changed.wait(wait_s)
        return None

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def forget(self) -> int:
        """Drop the work of somebody who has gone; return how much it was."""
        with self._changed:
            kept = [entry for entry in self._orders if not isinstance(entry[2], Infer | LoadModel)]
            dropped = len(self._orders) - len(kept)
            self._orders = kept  # all at once, in the order of their numbers: a heap
        return dropped

    def going(self) -> set[str]:
        """Models that are to be unloaded."""
        with self._changed:
            return {order.model for *_, order in self._orders if isinstance(order, UnloadModel)}
