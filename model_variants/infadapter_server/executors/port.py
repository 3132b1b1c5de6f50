"""What an executor is to whoever schedules: a thread, a child process, a worker on another pod."""

from collections.abc import Callable
from typing import Protocol

from infadapter_server.executors.messages import Order, Report

Tell = Callable[[Report], None]
"""Called from any thread: who needs another one hands the report over."""


class Executor(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def returns(self) -> bool:
        """After it was lost, it comes back by itself: ExecutorReady once more."""
        ...

    def start(self, tell: Tell) -> None:
        """Begin; reports go to `tell`, in the order of their ends.

        The first is ExecutorReady, or ExecutorLost where nothing can begin; orders may be handed
        over before. After ExecutorLost it may be started again, unless it returns by itself.
        """
        ...

    def submit(self, order: Order) -> None:
        """Hand over an order. Never waits, never raises: what can't be done is reported."""
        ...

    def stop(self, within_s: float) -> bool:
        """End after the order that is being done; False if it had to be given up."""
        ...

    def abandon(self) -> None:
        """Lose it now, with what it is doing, which may never end. A thread can't be ended."""
        ...
