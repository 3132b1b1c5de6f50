"""
The route for inference, as bare ASGI: from a raw request to an answer or a refusal.

It is the one route that is asked thousands of times a second, and a refusal must cost next to
nothing; so there is no framework on its way. A small body is parsed only after its request was
admitted; a large one not by the event loop, which answers probes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from infadapter_profiles import wire
from infadapter_server.networks.signatures import Floats
from infadapter_server.serving import bodies, protocol
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.identity import Identity
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.parsing import Parsing, later
from infadapter_server.serving.protocol import Question
from infadapter_server.serving.refusal import (
    Cause,
    ClientGone,
    InferenceError,
    Refusal,
    Unserved,
    try_again,
)
from infadapter_server.serving.replies import (
    CLOSE,
    JSON_LENGTH,
    Reply,
    answer,
    refusal_of,
    refused,
)
from infadapter_server.serving.tickets import Ticket

__all__ = ["CONNECTION", "Identity", "Inference", "Limits"]

CONNECTION = "infadapter.connection"
"""Of an ASGI scope: who says that the client has gone, by calling its `on_gone`."""

_DEADLINE = wire.DEADLINE_HEADER.encode()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server takes on; beyond that it refuses."""

    batch: int = 8  # images in one request
    body_s: float = 10.0  # time for a request's body to arrive
    held_bytes: int = 128 * 2**20  # bodies that are being read, and tensors that wait
    deadlines: Deadlines = field(default_factory=Deadlines)

    @property
    def longest_wait_s(self) -> float:
        """Every request is answered within so long."""
        return max(self.body_s, self.deadlines.longest_s)


class _Head(NamedTuple):
    """Of the headers, those that matter here."""

    length: bytes = b""
    json_length: str | None = None
    deadline: bytes | None = None


class _Asked(NamedTuple):
    identity: Identity
    head: _Head
    arrived_s: float
    within_s: float


@dataclass(slots=True, kw_only=True)
class Inference:
    """Answers inference requests. `draining` and `closed` are set by whoever stops the server."""

    variant: str  # of answers that no model gave
    models: Mapping[str, Identity]
    limits: Limits
    driver: Driver
    metrics: ServerMetrics
    clock: Callable[[], float] = time.monotonic
    draining: bool = False  # still answers, but wants no more requests
    closed: bool = False  # answers nothing any more
    in_flight: int = field(default=0, init=False)
    budget: bodies.Budget = field(init=False)
    _parsing: Parsing = field(default_factory=Parsing, init=False)

    def __post_init__(self) -> None:
        self.budget = bodies.Budget(max(self.limits.held_bytes, 2 * self._longest_body()))

    def start(self) -> None:
        """Begin to load; on the running event loop."""
        self._parsing.start(self._longest_body())
        self.driver.start()

    async def stop(self, within_s: float) -> bool:
        """End what computes; False if something did not come back."""
        self._parsing.stop()
        return await self.driver.stop(within_s)

    def _longest_body(self) -> int:
        return max((self.longest_body(known) for known in self.models.values()), default=0)

    @property
    def ready(self) -> bool:
        """Whether requests are welcome."""
        return self.driver.ready and not self.draining

    def ready_for(self, model: str) -> bool:
        """Its weights are in memory; a model that can be loaded on demand isn't ready before."""
        return self.ready and self.driver.holds(model)

    def export(self) -> bytes:
        """The metrics as they are now."""
        self.metrics.in_flight.set(self.in_flight)
        self.metrics.ready.set(self.ready)
        self.metrics.held_bytes.set(self.budget.held)
        self.driver.measure()
        return self.metrics.exposition()

    def longest_body(self, identity: Identity) -> int:
        return bodies.longest_body(identity.signature, self.limits.batch)

    def find(self, model: str, version: str | None) -> Identity:
        """Raises Refusal unless the path's model, and version if it has one, are here."""
        identity = self.models.get(model)
        if identity is None:
            there = ", ".join(list(self.models)[:8])
            raise Refusal(404, f"There is no model {model[:80]!r} here; there is {there}.")
        if version is not None and version != identity.variant:
            sentence = f"There is no version {version[:80]!r} here; there is {identity.variant}."
            raise Refusal(404, sentence)
        return identity

    async def __call__(
        self, model: str, version: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one request."""
        # When its bytes were seen, before those of others that the loop had to read as well.
        arrived_s = min(self.clock(), asyncio.get_running_loop().time())
        self.metrics.arrivals.inc()
        self.in_flight += 1
        hold = bodies.Hold(self.budget)
        try:
            reply = await self._reply(self.find(model, version), scope, receive, arrived_s, hold)
        except Refusal as refusal:
            reply = self._refusal(refusal, arrived_s)
        except ClientGone:
            return  # nobody is there to be answered
        except Exception:  # noqa: BLE001 - a mistake of ours is one request's, and is logged
            _log.exception("A request met a mistake of the server.")
            sentence = "The server made a mistake; its log says which."
            reply = self._refusal(Refusal(500, sentence), arrived_s)
        finally:
            hold.release()
            self.in_flight -= 1
        await self._send(reply, send, arrived_s)

    async def _send(self, reply: Reply, send: Send, arrived_s: float) -> None:
        self.metrics.count(reply.status)
        length = (b"content-length", b"%d" % len(reply.body))
        headers = [*reply.headers, length]
        if self.draining:
            headers.append(CLOSE)  # moves a router's connections elsewhere
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        if reply.ticket is not None:
            self.metrics.latency_seconds.observe(self.clock() - arrived_s)
            self.driver.answered(reply.ticket)

    async def _reply(
        self,
        identity: Identity,
        scope: Scope,
        receive: Receive,
        arrived_s: float,
        hold: bodies.Hold,
    ) -> Reply:
        self._check_open(scope)
        head, longest = _head(scope), self.longest_body(identity)
        self.budget.allow(longest)
        began_s = self.clock()
        try:
            within_s = self.limits.deadlines.of(head.deadline)
            body = await bodies.read(
                receive,
                hold,
                announced=head.length,
                longest=longest,
                within_s=min(self.limits.body_s, within_s),
            )
            asked = _Asked(identity, head, arrived_s, within_s)
            read_s = self.clock() - began_s
            question, ticket = await self._ask(asked, body, hold)
        except protocol.BadTensor as error:
            raise Refusal(400, str(error)) from None
        except Unserved as unserved:
            if read_s > within_s / 2:  # not for want of room here: it doesn't count as refused
                sentence = f"The body took {read_s:.3g} of the {within_s:.3g} seconds there were."
                raise Refusal(408, sentence) from None
            raise refusal_of(unserved) from None
        del body
        result = await self._wait(ticket, scope)
        return answer(result, question, identity, ticket)

    def _check_open(self, scope: Scope) -> None:
        if self.closed:
            raise try_again(Cause.CLOSED, "The server is shutting down.")
        if not self.driver.loaded:
            raise try_again(Cause.LOADING, "The model is still loading.")
        connection = scope.get(CONNECTION)
        if connection is not None and connection.spare:
            raise try_again(Cause.CONNECTIONS, "Too many connections are open.")

    async def _ask(self, asked: _Asked, body: bytes, hold: bodies.Hold) -> tuple[Question, Ticket]:
        identity, head = asked.identity, asked.head
        how = (body, head.json_length, identity.signature, self.limits.batch)
        question, parse = await self._parsing.ahead(*how), later(*how)
        within_s = asked.within_s
        if question is not None:
            timeout_us = question.timeout_us
            within_s = self.limits.deadlines.shorter(within_s, head.deadline, timeout_us)

        def read() -> Floats:
            nonlocal question
            question = question or parse()
            hold.become(question.batch.nbytes)
            return question.batch

        ticket = self.driver.ask(identity.model, asked.arrived_s, within_s, read)
        assert question is not None
        return question, ticket

    async def _wait(self, ticket: Ticket, scope: Scope) -> Floats:
        connection = scope.get(CONNECTION)
        if connection is not None:
            connection.on_gone = partial(self.driver.leave, ticket)
        try:
            return await ticket.answer
        except InferenceError:
            raise Refusal(500, "The inference failed; the server's log says why.") from None
        except Unserved as unserved:
            raise refusal_of(unserved) from None
        finally:
            self.driver.leave(ticket)
            if connection is not None:
                connection.on_gone = None

    def _refusal(self, refusal: Refusal, arrived_s: float) -> Reply:
        if refusal.reason in self.metrics.refused:
            self.metrics.refused[refusal.reason].inc()
            self.metrics.refusal_age_seconds.observe(self.clock() - arrived_s)
        return refused(refusal, self.variant)


def _head(scope: Scope) -> _Head:
    length, json_length, deadline = b"", None, None
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
        elif name == JSON_LENGTH:
            json_length = value.decode("latin-1")
        elif name == _DEADLINE:
            deadline = value
    return _Head(length, json_length, deadline)
