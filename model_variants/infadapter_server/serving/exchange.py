"""
The short path: one small inference request and its answer, without ASGI.

Refusals must be cheap, and a task, an event and a scope per request would be most of their cost. So
a request whose body arrived with its headers is admitted or refused in the call that received its
last byte, and its answer is written as soon as it is ready.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from infadapter_server.serving import bodies
from infadapter_server.serving.heads import Head, Names
from infadapter_server.serving.inference import Admitted, Inference
from infadapter_server.serving.refusal import ClientGone
from infadapter_server.serving.replies import CLOSE, Header, Reply

if TYPE_CHECKING:
    from infadapter_server.serving.connections import Connection

__all__ = ["Exchange"]


class _Nobody:
    """Replaces uvicorn's callbacks for further body parts and for a closed connection."""

    def set(self) -> None: ...


_NOBODY = _Nobody()


class Exchange:
    """Takes the place of uvicorn's request cycle on a connection."""

    __slots__ = (
        "_admitted", "_arrived_s", "_connection", "_head", "_hold", "_inference", "_names",
        "body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete",
    )  # fmt: skip

    def __init__(
        self, inference: Inference, connection: "Connection", names: Names, head: Head
    ) -> None:
        self._inference, self._connection = inference, connection
        self._names, self._head = names, head
        self._hold = bodies.Hold(inference.budget)
        self._admitted: Admitted | None = None
        self.keep_alive = True
        # Not a bytearray: to the empty one the first part is added without a copy, mostly the only.
        self.body, self.more_body = b"", True
        self.disconnected = self.response_complete = False
        self.message_event = _NOBODY

    def begin(self, seen_s: float) -> None:
        """Admit or refuse the request, now that its body is complete."""
        inference = self._inference
        self._arrived_s = arrived_s = inference.begin(seen_s)
        try:
            identity = inference.welcome(*self._names)
            # As short as it is, it needs no room of its own before it is admitted.
            self._admitted = inference.admit(identity, self._head, self.body, arrived_s, self._hold)
        except Exception as error:  # noqa: BLE001 - a mistake of ours is one request's
            self._refuse(error)
            return
        self.body = b""
        self._connection.on_gone = self._gone
        self._admitted.ticket.answer.add_done_callback(self._answered)

    def _gone(self) -> None:
        assert self._admitted is not None
        self._inference.driver.leave(self._admitted.ticket)

    def _answered(self, _: object) -> None:
        assert self._admitted is not None
        self._connection.on_gone = None
        try:
            reply = self._inference.reply_to(self._admitted)
        except Exception as error:  # noqa: BLE001 - as above
            self._refuse(error)
        else:
            self._end(reply)

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, ClientGone):
            self._inference.finish(self._hold)
            return
        self._end(self._inference.refusal(error, self._arrived_s))

    def _end(self, reply: Reply) -> None:
        self._inference.finish(self._hold)
        self._write(reply)
        self._inference.ended(reply, self._arrived_s)

    def _write(self, reply: Reply) -> None:
        connection, self.response_complete = self._connection, True
        if self.disconnected or connection.transport.is_closing():
            return
        if self._inference.draining:
            self.keep_alive = False  # moves a router's connections elsewhere
        line, rest = _head(reply.status, reply.headers, len(reply.body), self.keep_alive)
        connection.transport.write(b"".join((line, connection.dated, rest, reply.body)))
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()


@lru_cache(1024)
def _head(
    status: int, headers: tuple[Header, ...], length: int, stays: bool
) -> tuple[bytes, bytes]:
    """Return the status line, and the headers that don't change with the second."""
    given = [*headers, (b"content-length", b"%d" % length), *([] if stays else [CLOSE])]
    return STATUS_LINE[status], b"".join([b"%b: %b\r\n" % header for header in given]) + b"\r\n"
