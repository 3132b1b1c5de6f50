"""The heartbeat of a stream: pings synchronise the clocks and detect silence."""

import threading
import time
from collections.abc import Callable

from infadapter_server.executors.remote import worker_pb2 as pb
from infadapter_server.executors.remote.clock import ClockOffset

FIRST_EXCHANGES = 6
"""Clock exchanges before the first order."""

PING_S = 1.0
SILENCE_S = 5.0
BEGIN_S = 30.0
"""Seconds until the worker is ready: its work for an earlier controller has to end first."""


class Pulse:
    def __init__(self, send: Callable[[pb.Order], None]) -> None:
        self.clock = ClockOffset()
        self.fault = ""
        self.begun = False
        self._born_s = time.monotonic()
        self._send = send
        self._heard_s = time.monotonic()
        self._over = threading.Event()
        self._ping()

    @property
    def settled(self) -> bool:
        """Whether the clocks are known well enough."""
        return len(self.clock) >= FIRST_EXCHANGES

    def heard(self) -> None:
        self._heard_s = time.monotonic()

    def exchanged(self, pong: pb.Pong) -> None:
        self.clock.add(pong.sent_s, pong.here_s, time.monotonic())
        if not self.settled:
            self._ping()  # one after the other: none waits behind another

    def keep(self, give_up: Callable[[], object]) -> None:
        """Ping until the stream ends, and give it up when the worker is silent."""
        while not self._over.wait(PING_S):
            self._ping()
            self.fault = self._find_fault(time.monotonic())
            if self.fault:
                give_up()

    def _find_fault(self, now_s: float) -> str:
        if now_s - self._heard_s > SILENCE_S:
            return f"has said nothing for {SILENCE_S:g} s"
        if not self.begun and now_s - self._born_s > BEGIN_S:
            return f"did not get ready within {BEGIN_S:g} s"
        return self.fault

    def end(self) -> None:
        self._over.set()

    def ended(self, within_s: float) -> bool:
        return self._over.wait(within_s)

    def _ping(self) -> None:
        self._send(pb.Order(ping=pb.Ping(sent_s=time.monotonic())))
