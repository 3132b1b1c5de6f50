"""
The parent's side of a child process: orders go through a pipe, their tensors through slots.

Batches without a free slot wait here, uncopied; beyond a limit they are refused with a sentence.
"""

import threading
from contextlib import suppress
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from multiprocessing.connection import Connection

from infadapter_server.executors.child import Answered, Placed
from infadapter_server.executors.messages import (
    Infer,
    Inferred,
    LoadModel,
    ModelLoaded,
    Order,
    Outcome,
    Report,
)
from infadapter_server.executors.port import Tell
from infadapter_server.executors.refused import refused
from infadapter_server.executors.slots import Slots, joint_shape

MOST_WAITING, MOST_LOADS = 64, 256
"""
Limits on batches that wait for a slot, and on loads in progress: more than any scheduler sends.
"""


class Handover:
    """Orders from any thread to one child; its reports arrive in the thread that calls `read`."""

    def __init__(self, name: str, connection: Connection, slots: Slots, tell: Tell) -> None:
        self._name, self._connection, self._slots, self._tell = name, connection, slots, tell
        self._free = list(range(slots.count))
        self._waiting: list[tuple[float, int, Infer, tuple[int, ...]]] = []
        self._loads = 0
        self._sequence = count()
        self._changing = threading.Lock()
        self._closed = False

    def submit(self, order: Order) -> None:
        with self._changing:
            closed = self._closed
            error = f"{self._name} has no process." if closed else self._take(order)
        outcome = Outcome.LOST if closed else Outcome.FAILED
        if error is not None and (report := refused(order, error, outcome)) is not None:
            self._tell(report)

    def _take(self, order: Order) -> str | None:
        if isinstance(order, Infer):
            return self._infer(order)
        if isinstance(order, LoadModel):
            if self._loads >= MOST_LOADS:
                return f"{self._name} has {MOST_LOADS} loads to do already."
            self._loads += 1
        self._send(order)
        return None

    def _infer(self, order: Infer) -> str | None:
        shape = joint_shape(order.rows)
        if shape is None:
            return "The rows of this batch have different shapes."
        if not self._slots.fit(shape):
            return f"The inputs are of the shape {list(shape)}: no slot is that large."
        if self._free:
            self._place(order, shape)
        elif len(self._waiting) >= MOST_WAITING:
            return f"{self._name} has {MOST_WAITING} batches to do already."
        else:
            heappush(self._waiting, (order.earliest_s, next(self._sequence), order, shape))
        return None

    def _place(self, order: Infer, shape: tuple[int, ...]) -> None:
        slot = self._free.pop()
        self._slots.write(slot, order.rows, shape)
        window = (order.earliest_s, order.latest_s)
        self._send(Placed(order.run, order.model, slot, shape, *window, order.point))

    def close(self) -> None:
        """Let the child end after its current order."""
        self._send(None)

    def _send(self, message: object) -> None:
        with suppress(OSError):  # it has ended: `read` comes to know of it
            self._connection.send(message)

    def read(self) -> None:
        """Pass on the child's reports until it has ended."""
        try:
            while True:
                self._tell(self._report(self._connection.recv()))
        except (EOFError, OSError):
            with self._changing:
                self._closed = True
                self._waiting.clear()

    def _report(self, message: Answered | Report) -> Report:
        if isinstance(message, Answered):
            return self._answered(message)
        if isinstance(message, ModelLoaded):
            with self._changing:
                self._loads -= 1
        return message

    def _answered(self, answer: Answered) -> Inferred:
        report = answer.report
        if answer.shape:
            report = replace(report, outputs=self._slots.view(answer.slot, answer.shape).copy())
        with self._changing:
            self._free.append(answer.slot)
            if self._waiting:
                _, _, order, shape = heappop(self._waiting)
                self._place(order, shape)
        return report
