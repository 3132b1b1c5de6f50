"""
Where a body is parsed, depending on its length: for a small one moving it elsewhere costs more.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from infadapter_server.networks.signatures import Signature
from infadapter_server.serving import bodies, protocol
from infadapter_server.serving.parser import Parser, ParserLost
from infadapter_server.serving.protocol import Question
from infadapter_server.serving.refusal import Cause, try_again

__all__ = ["Parsing"]

LARGE = 65_536
"""Bytes from which a thread parses instead of the event loop: half a millisecond as JSON."""

LARGE_JSON = 400_000
"""
Bytes of JSON from which a process parses: a thread would hold the interpreter for milliseconds.
"""

_TIMEOUT, _FLOOR, _LETTER = b'"timeout"', b'"accuracy_floor"', b"o"


class Parsing:
    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "parsing")
        self.process = Parser()

    def start(self, longest_body: int) -> None:
        """Start the process, so that the first large body need not wait for it."""
        if longest_body > LARGE_JSON:
            self.process.start()

    def stop(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.process.stop()

    async def unpacked(self, body: bytes, encoding: str, longest: int) -> bytes:
        """
        Return the body without its Content-Encoding; zlib releases the interpreter lock. Raises
        Refusal.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, bodies.unpacked, body, encoding, longest)

    async def ahead(
        self, body: bytes, json_bytes: str | None, signature: Signature, max_batch: int
    ) -> Question | None:
        """
        Parse a large body before its request is admitted; None for a small one, which is parsed
        later so that refusals are cheap. Raises BadTensor and Refusal.
        """
        if len(body) <= LARGE:
            return None
        if _json_bytes(body, json_bytes) <= LARGE_JSON:
            loop = asyncio.get_running_loop()
            parse = later(body, json_bytes, signature, max_batch)
            return await loop.run_in_executor(self._thread, parse)
        try:
            return await self.process.parse(body, json_bytes, signature, max_batch)
        except ParserLost:
            raise try_again(Cause.MEMORY, "There was no memory to parse the body.") from None


def later(
    body: bytes, json_bytes: str | None, signature: Signature, max_batch: int
) -> Callable[[], Question]:
    return lambda: protocol.parse(body, json_bytes, signature, max_batch)


def says_terms(body: bytes) -> bool:
    """
    Whether the body may contain a deadline or accuracy floor, and must be parsed before admission.
    """
    # Most bodies are digits, in which a search for one letter is twenty times as fast.
    return _LETTER in body and (_TIMEOUT in body or _FLOOR in body)


def _json_bytes(body: bytes, json_bytes: str | None) -> int:
    if json_bytes is None or not json_bytes.isdecimal():
        return len(body)
    return min(len(body), int(json_bytes[:12]))
