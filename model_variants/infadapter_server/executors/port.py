"""The interface of executors: a thread, a child process, or a worker on another pod."""

from collections.abc import Callable
from typing import Protocol

from infadapter_server.executors.messages import Order, Report

Tell = Callable[[Report], None]
"""Receives reports, from any thread."""


class Executor(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def returns(self) -> bool:
        """Whether it comes back by itself after being lost, with another ExecutorReady."""
        ...

    def start(self, tell: Tell) -> None:
        """
        Begin; reports go to `tell` in order of completion. The first is ExecutorReady, or
        ExecutorLost if it cannot begin; orders may be submitted before. After ExecutorLost it may
        be started again, unless it returns by itself.
        """
        ...

    def submit(self, order: Order) -> None:
        """Submit an order. Never waits or raises; failures are reported."""
        ...

    def stop(self, within_s: float) -> bool:
        """End after the current order; False if that had to be given up."""
        ...

    def abandon(self) -> None:
        """Lose it now, with its current order, which may never end. A thread can't be ended."""
        ...
