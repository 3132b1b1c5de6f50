"""
Limit concurrent calls by kind, before their messages are read.

gRPC has a single limit for all: idle streams would use up the places of calls and health checks,
and refusals would not be counted. Unary methods are stream handlers as well, since those start
before the message is received.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from infadapter_server.serving.grpc.faults import end, explained
from infadapter_server.serving.refusal import Cause, Refusal, try_again

__all__ = ["Places", "Stream", "Unary"]

Context = Any
Raw = AsyncIterator[bytes]


@dataclass(slots=True)
class Places:
    """Places for concurrent calls; `refused` is called for each that has none."""

    most: int
    refused: Callable[[Refusal], object] = lambda _: None
    taken: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place. Raises Refusal."""
        if self.taken >= self.most:
            refusal = try_again(Cause.CONNECTIONS, f"{self.taken} calls are under way already.")
            self.refused(refusal)
            raise refusal
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass(frozen=True, slots=True)
class Unary:
    """A unary method, whose message must arrive within `within_s`."""

    method: Callable[[Any, Context], Awaitable[Message]]
    request: type[Message]
    places: Places
    within_s: float

    @explained
    async def answer(self, messages: Raw, context: Context) -> Message:
        with self.places.one():
            return await self.method(await self._message(messages), context)

    async def _message(self, messages: Raw) -> Message:
        try:
            async with asyncio.timeout(self.within_s):
                raw = await anext(aiter(messages), None)
        except TimeoutError:
            sentence = f"The message did not arrive within {self.within_s:g} seconds."
            raise Refusal(408, sentence) from None
        if raw is None:
            raise Refusal(400, "The call has no message.")
        return _parsed(raw, self.request)


@dataclass(frozen=True, slots=True)
class Stream:
    """A streaming method, whose messages may take any time."""

    method: Callable[[AsyncIterator[Any], Context], AsyncIterator[Message]]
    request: type[Message]
    places: Places

    async def answers(self, messages: Raw, context: Context) -> AsyncIterator[Message]:
        try:
            with self.places.one():
                async for answer in self.method(self._messages(messages), context):
                    yield answer
        except Refusal as refusal:
            await end(refusal, context)

    async def _messages(self, messages: Raw) -> AsyncIterator[Message]:
        async for raw in messages:
            yield _parsed(raw, self.request)


def _parsed(raw: bytes, request: type[Message]) -> Message:
    try:
        return request.FromString(raw)
    except DecodeError:
        raise Refusal(400, f"The message is no {request.DESCRIPTOR.name}.") from None
