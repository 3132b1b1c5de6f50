"""The pending orders of an executor: a priority queue by `earliest_s`."""

import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from infadapter_server.executors.messages import Infer, LoadModel, Order, UnloadModel


class Agenda:
    """Orders may be added from any thread; the executor waits in `next`."""

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
        """Return the first order once it may begin; None after `end`."""
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
        """Drop the pending work of a controller that has gone, and return how much it was."""
        with self._changed:
            kept = [entry for entry in self._orders if not isinstance(entry[2], Infer | LoadModel)]
            dropped = len(self._orders) - len(kept)
            self._orders = kept  # all at once, in the order of their numbers: a heap
        return dropped

    def going(self) -> set[str]:
        """Return the models that will be unloaded."""
        with self._changed:
            return {order.model for *_, order in self._orders if isinstance(order, UnloadModel)}
