"""A small HTTP/1.1 client: keep-alive connections, one request at a time on each.

General clients cost more per request than a small model's inference does, and add milliseconds
to the percentiles. This one sends prepared bytes, and keeps of an answer its status, one header,
and the name of the operating point that gave it, which its body begins with if there is one.
"""

import asyncio
import os
import re
import time
from collections import deque
from typing import cast

import httptools

from infadapter_profiles.wire import VARIANT_HEADER
from infadapter_server.loadgen.calls import Call

_VARIANT_HEADER = VARIANT_HEADER.encode()
_POINT = re.compile(rb'"point":"([^"\\]+)"')
_BEGINNING = 512  # bytes of a body: what comes before its tensors
IDLE_LIMIT_S = 2.0  # below the 5 s after which common servers close: none is lost to a race


class Pool:
    """At most `limit` connections to one server, opened as they are needed."""

    def __init__(self, *, host: str, port: int, limit: int, connect_timeout_s: float) -> None:
        self._host = host
        self._port = port
        self._limit = limit
        self._connect_timeout_s = connect_timeout_s
        self._idle: list[_Connection] = []  # the last used is the first used again
        self._open: set[_Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[Call] = deque()

    def send(self, call: Call) -> None:
        """Send at once on a free connection, else as soon as there is one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.fresh(call.sent_s):
                connection.start(call)
                return
            connection.close()
        self._waiting.append(call)
        self._open_if_needed()

    def give_up(self, call: Call, error: str) -> None:
        """End a call without its answer; its connection is of no use any more."""
        if call.connection is not None:
            call.connection.close()
        call.finish(error=error)

    async def close(self) -> None:
        self._limit = 0  # nothing is opened any more
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in tuple(self._open):
            connection.close()
        await asyncio.sleep(0)  # lets the transports go

    def _open_if_needed(self) -> None:
        while self._waiting and self._waiting[0].done_s is not None:
            self._waiting.popleft()  # given up while it waited
        room = self._limit - len(self._open) - len(self._opening)
        if room > 0 and len(self._opening) < len(self._waiting):
            task = asyncio.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._tried_to_open)

    def _tried_to_open(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._open_if_needed()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await loop.create_connection(lambda: _Connection(self), self._host, self._port)
        except OSError as error:  # TimeoutError is one
            self._fail_one(f"cannot connect: {_reason(error)}")

    def _fail_one(self, error: str) -> None:
        while self._waiting:
            call = self._waiting.popleft()
            if call.done_s is None:
                call.finish(error=error)
                return

    def opened(self, connection: "_Connection") -> None:
        self._open.add(connection)
        self.free(connection)

    def free(self, connection: "_Connection") -> None:
        while self._waiting:
            call = self._waiting.popleft()
            if call.done_s is None:
                connection.start(call)
                return
        self._idle.append(connection)

    def lost(self, connection: "_Connection") -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_if_needed()


def _reason(error: OSError) -> str:
    """Return the system's word for it: event loops put words of their own into strerror."""
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or "timed out"


class _Connection(asyncio.Protocol):
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._call: Call | None = None
        self._free_since_s = time.monotonic()
        self._variant: str | None = None
        self._point: str | None = None
        self._body_began = False
        self._complete = self._stays = False

    def fresh(self, now_s: float) -> bool:
        return now_s - self._free_since_s < IDLE_LIMIT_S

    def start(self, call: Call) -> None:
        assert self._transport is not None
        self._call = call
        self._variant = self._point = None
        self._body_began = False
        call.connection = self
        self._transport.write(call.request)

    def close(self) -> None:
        self._call = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is no subclass
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("the answer is not HTTP/1.1")
            return
        if self._complete:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed before the answer")
        self._pool.lost(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == _VARIANT_HEADER:
            self._variant = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        if self._body_began:
            return
        self._body_began = True
        if found := _POINT.search(data, 0, _BEGINNING):
            self._point = found[1].decode(errors="replace")

    def on_message_complete(self) -> None:
        # The parser is not done with its bytes yet, so the next request has to wait a moment.
        # It also forgets by then whether the connection stays.
        self._complete = self._parser.get_status_code() >= 200
        self._stays = self._parser.should_keep_alive()

    def _answered(self) -> None:
        self._complete = False
        self._free_since_s = time.monotonic()
        call, self._call = self._call, None
        if call is None:  # not asked for, such as a farewell before the server closes
            self.close()
            return
        call.code = self._parser.get_status_code()
        call.variant, call.point = self._variant, self._point
        call.finish()
        if self._stays:
            self._pool.free(self)
        else:
            self.close()

    def _fail(self, error: str) -> None:
        call = self._call
        self.close()
        if call is not None:
            call.finish(error=error)
