"""
Limit connections before anything they send is parsed: in number, bytes and time.

uvicorn limits none of these: headers may be arbitrarily long and slow, and idle connections live as
long as a router's should. Here only a connection with a complete request gets that long; others
have seconds. Beyond the maximum number, connections without a complete request are closed first,
and a reserve is kept for probes, on which everything but inference is answered.
"""

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any

from uvicorn.config import Config

from infadapter_server.serving import parsing
from infadapter_server.serving.exchange import Exchange
from infadapter_server.serving.heads import asked_of_url, read_head
from infadapter_server.serving.http_protocol import HttpProtocol
from infadapter_server.serving.inference import Inference
from infadapter_server.serving.route import CONNECTION

__all__ = ["Connection", "ConnectionLimits", "Connections", "most_connections"]

_PIPELINED = 16  # requests on one connection before the first has its answer
_OWN_DESCRIPTORS = 64  # files, the event loop's own, and what executors hold
SWEEP_EVERY_S = 0.5
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    most: int = 1024
    spare: int = 32  # beyond those, for probes
    head_s: float = 10.0  # until headers are complete; at first from the connection's start
    body_s: float = 15.0  # later than the route's own, which answers
    head_bytes: int = 32_768


def most_connections(fronts: int = 1, wanted: int = 1024) -> int:
    """
    Return how many connections each front end (HTTP and gRPC) may have, given the process's file
    descriptors.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    left = descriptors - ConnectionLimits().spare - _OWN_DESCRIPTORS
    return max(1, min(wanted, left // fronts))


@dataclass(slots=True)
class Connections:
    """All open connections, and the sweep that closes those whose time is over."""

    inference: Inference
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    tell: Callable[[int], object] = lambda _: None  # how many there are
    clock: Callable[[], float] = time.monotonic
    short_way: bool = True  # past ASGI, where nobody stands around the application
    open: "set[Connection]" = field(default_factory=set)
    _dated: tuple[object, bytes] = (None, b"")  # uvicorn's headers of this second, as bytes

    def protocol(self) -> "Callable[..., Connection]":
        """The protocol factory for uvicorn."""
        return partial(Connection, self)

    def add(self, connection: "Connection") -> None:
        self.open.add(connection)
        self.tell(len(self.open))
        if len(self.open) <= self.limits.most:
            return
        unearned = [other for other in self.open if not other.earned and other is not connection]
        if unearned:
            min(unearned, key=lambda other: other.since_s).abort()
        elif len(self.open) > self.limits.most + self.limits.spare:
            connection.abort()
        else:
            connection.spare = True

    def remove(self, connection: "Connection") -> None:
        self.open.discard(connection)
        self.tell(len(self.open))

    def dated(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return the headers common to all answers, which uvicorn renews each second."""
        made_of, dated = self._dated
        if made_of is not headers:
            dated = b"".join([b"%b: %b\r\n" % header for header in headers])
            self._dated = headers, dated
        return dated

    async def sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now_s = self.clock()
            for connection in [other for other in self.open if other.due_s < now_s]:
                connection.abort()


class Connection(HttpProtocol):
    """uvicorn's connection, with limits."""

    def __init__(self, connections: Connections, config: Config, **uvicorns: Any) -> None:
        super().__init__(config, **uvicorns)
        self._all = connections
        self.on_gone: Callable[[], None] | None = None
        self.spare = False
        self.earned = False  # a request of it was complete
        self.since_s = connections.clock()
        self.due_s = self.since_s + connections.limits.head_s
        self._head_bytes = 0  # of this request, and what the parser holds back
        self._now_s = self.since_s  # when the bytes came that are read
        self._head_read = False  # of this request; what comes in its trailer is no header
        self._exchange: Exchange | None = None  # whose body has not been looked for yet

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
        self.due_s = inf
        super().connection_lost(exc)
        if self.on_gone is not None:
            self.on_gone()

    def abort(self) -> None:
        self._all.remove(self)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        self._now_s = self._all.clock()
        super().data_received(data)
        if self._head_bytes > self._all.limits.head_bytes and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if exchange.more_body:
            self._go_the_long_way(exchange)
        else:
            exchange.begin(self.loop.time())

    def _go_the_long_way(self, exchange: Exchange) -> None:
        """Answer through ASGI, since the body is not complete."""
        self.cycle = None  # type: ignore[assignment]  # as before its first request
        self._make_scope()
        super().on_headers_complete()
        if exchange.body:
            super().on_body(exchange.body)

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= _PIPELINED:
            raise ValueError("Too many requests at once.")  # to the parser, which then gives up
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self._head_read = False
        self.due_s = self._now_s + self._all.limits.head_s

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_read:  # a router that takes headers away looks into no trailer
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_bytes, self._head_read = 0, True
        self.due_s = self._now_s + self._all.limits.body_s
        exchange = self._short_way()
        if exchange is not None:
            self.cycle = self._exchange = exchange  # type: ignore[assignment]
            return
        self._make_scope()
        super().on_headers_complete()
        if self.spare and self.declined is None:
            self.cycle.keep_alive = False

    def _make_scope(self) -> None:
        """Build the ASGI scope for requests that need it."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # of the scope
        self.scope[CONNECTION] = self  # type: ignore[literal-required]

    def _short_way(self) -> Exchange | None:
        """
        Return the exchange for an inference request whose body may have arrived with its headers.
        """
        busy = self.cycle is not None and not self.cycle.response_complete
        if (
            busy
            or self.spare
            or not self._all.short_way
            or self.flow.write_paused
            or self.expect_100_continue
        ):
            return None
        if self.parser.get_method() != b"POST" or self.parser.should_upgrade():
            return None
        names = asked_of_url(self.url)
        if names is None:
            return None
        head = read_head(self.headers)
        small = head.length.isdigit() and int(head.length[:20]) <= parsing.LARGE
        if not small or head.encoding:
            return None
        exchange = Exchange(self._all.inference, self, names, head)
        exchange.keep_alive = (
            self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        )
        return exchange

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        if self._exchange is not None and self.cycle is self._exchange:  # type: ignore[comparison-overlap]
            self._exchange.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        if self.declined is None:  # else what follows the headers is its body
            self.due_s, self.earned = inf, True
            if self.cycle is not None and self.cycle.response_complete:  # before its body had come
                self._rests()
        if self._exchange is not None and self.cycle is self._exchange:  # type: ignore[comparison-overlap]
            self._exchange.more_body = False
        else:
            super().on_message_complete()

    @property
    def dated(self) -> bytes:
        """Common headers of each answer."""
        return self._all.dated(self.server_state.default_headers)

    def on_response_complete(self) -> None:
        """
        Note the end of an answer. The sweep closes idle connections, since a timer per answer would
        cost more.
        """
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.due_s == inf:  # else the body that was answered, or another request, still comes
            self._rests()

    def _rests(self) -> None:
        """Whether all requests have been answered."""
        self.due_s = self._all.clock() + self.timeout_keep_alive
