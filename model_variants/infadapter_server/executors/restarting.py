"""A supervisor for executors that don't return by themselves, such as a child process."""

import logging
import threading
import time

from infadapter_server.executors.backoff import FIRST_S, MOST_S, delays_s
from infadapter_server.executors.messages import ExecutorLost, ExecutorReady, Order, Report
from infadapter_server.executors.port import Executor, Tell

STEADY_S = 30.0
"""Seconds of being ready after which the back-off starts over."""

_log = logging.getLogger(__name__)


class Restarting:
    """The same executor, restarted after it was lost, with exponential back-off."""

    returns = True

    def __init__(
        self, executor: Executor, *, first_delay_s: float = FIRST_S, most_delay_s: float = MOST_S
    ) -> None:
        self.name = executor.name
        self.executor = executor
        self._bounds = (first_delay_s, most_delay_s)
        self._delays = delays_s(*self._bounds)
        self._ready_s = float("inf")
        self._changing = threading.Lock()
        self._stopping = False
        self._timer: threading.Timer | None = None

    def start(self, tell: Tell) -> None:
        self._tell, self._stopping = tell, False
        self.executor.start(self._heard)

    def submit(self, order: Order) -> None:
        self.executor.submit(order)

    def stop(self, within_s: float) -> bool:
        with self._changing:
            self._stopping = True
            if self._timer is not None:
                self._timer.cancel()
        return self.executor.stop(within_s)

    def abandon(self) -> None:
        self.executor.abandon()

    def _heard(self, report: Report) -> None:
        self._tell(report)
        match report:
            case ExecutorReady():
                self._ready_s = time.monotonic()
            case ExecutorLost():
                self._again_later(report.reason)

    def _again_later(self, reason: str) -> None:
        if time.monotonic() - self._ready_s > STEADY_S:
            self._delays = delays_s(*self._bounds)
        self._ready_s = float("inf")
        with self._changing:
            if self._stopping:
                return
            delay_s = next(self._delays)
            _log.warning("%s It is started again in %.1f s.", reason, delay_s)
            self._timer = threading.Timer(delay_s, self._again)
            self._timer.daemon = True
            self._timer.start()

    def _again(self) -> None:
        try:
            with self._changing:
                if not self._stopping:
                    self.executor.start(self._heard)
        except OSError as error:  # no memory, no process: perhaps the next time
            self._again_later(f"{self.name} can't be started: {error}.")
