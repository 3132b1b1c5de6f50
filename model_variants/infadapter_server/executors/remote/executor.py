"""An executor on another pod (a worker), which returns by itself after it was unreachable."""

import logging
import socket
import threading
from functools import partial

import grpc

from infadapter_server.executors.backoff import FIRST_S, MOST_S, delays_s
from infadapter_server.executors.messages import (
    ExecutorLost,
    ExecutorReady,
    Order,
    Outcome,
    Report,
)
from infadapter_server.executors.port import Tell
from infadapter_server.executors.refused import refused
from infadapter_server.executors.remote.disk import OnDisk
from infadapter_server.executors.remote.link import Link
from infadapter_server.executors.remote.tensors import MOST_BYTES
from infadapter_server.executors.remote.tls import Tls, explained

_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
    # Every attempt is a new one: the channel's own backoff would come on top of ours.
    ("grpc.use_local_subchannel_pool", 1),
)
MOST_HELD = 512
"""Orders that wait until it is known whether the worker can be reached."""

_log = logging.getLogger(__name__)


class RemoteExecutor:
    returns = True

    def __init__(
        self,
        name: str,
        address: str,
        *,
        first_delay_s: float = FIRST_S,
        most_delay_s: float = MOST_S,
        tls: Tls | None = None,
    ) -> None:
        """`address` is HOST:PORT; the delays are those between connection attempts."""
        self.name, self._address, self._tls = name, address, tls
        self.on_disk: tuple[OnDisk, ...] = ()  # what the worker could load
        self._delays = (first_delay_s, most_delay_s)
        self._link: Link | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lost = ""
        self._holding = threading.Lock()
        self._held: list[Order] | None = None

    def start(self, tell: Tell) -> None:
        """Connect, and reconnect whenever the connection breaks; no effect if already started."""
        self._tell_driver = tell
        if self._thread is None or not self._thread.is_alive():
            self._stopping.clear()
            self._lost, self._held = "", []
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def submit(self, order: Order) -> None:
        if self._hold(order):
            return
        link = self._link
        if link is not None and link.ready:
            link.submit(order)
        else:
            report = refused(order, f"{self.name} can't be reached.", Outcome.LOST)
            if report is not None:
                self._tell_driver(report)

    def _hold(self, order: Order) -> bool:
        """Hold an order back until it is known whether the worker can be reached."""
        with self._holding:
            if self._held is None or len(self._held) >= MOST_HELD:
                return False
            self._held.append(order)
            return True

    def _let_go(self) -> list[Order]:
        with self._holding:
            held, self._held = self._held or [], None
            return held

    def stop(self, within_s: float) -> bool:
        """Send no more orders; the worker keeps its weights."""
        self._stopping.set()
        link = self._link
        done = link is None or link.finish(within_s)
        if self._thread is not None:
            self._thread.join()
        return done

    def abandon(self) -> None:
        """Break the stream; a stuck worker ends by itself."""
        if (link := self._link) is not None:
            link.give_up()

    def _run(self) -> None:
        delays = delays_s(*self._delays)
        while not self._stopping.is_set():
            was_ready, reason = self._drive()
            if was_ready:
                delays = delays_s(*self._delays)
            if not self._stopping.is_set():
                self._tell_lost(f"{self.name} at {self._address} {reason}.")
                self._stopping.wait(next(delays))
        self._tell_driver(ExecutorLost(f"{self.name} was stopped."))

    def _drive(self) -> tuple[bool, str]:
        with self._channel() as channel:
            say = partial(explained, tls=self._tls)
            link = Link(channel, socket.gethostname(), self._tell, say)
            self._link = link
            if self._stopping.is_set():
                link.finish(0)
            reason = link.run()
            self._link = None
        return link.ready, reason

    def _channel(self) -> grpc.Channel:
        if self._tls is None:
            return grpc.insecure_channel(self._address, _OPTIONS)
        return grpc.secure_channel(self._address, self._tls.of_client(), _OPTIONS)

    def _tell(self, report: Report) -> None:
        if isinstance(report, ExecutorReady):
            self._lost = ""
            if self._link is not None:
                self.on_disk = self._link.on_disk
            _log.info("%s at %s takes orders", self.name, self._address)
            self._tell_driver(report)
            for order in self._let_go():
                self.submit(order)
        else:
            self._tell_driver(report)

    def _tell_lost(self, reason: str) -> None:
        """Report the loss once, not for every failed attempt."""
        if not self._lost:
            self._let_go()
            self._tell_driver(ExecutorLost(reason))
        if reason != self._lost:
            _log.warning("%s It is tried again and again.", reason)
        self._lost = reason
