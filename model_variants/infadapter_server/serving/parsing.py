"""Where a body is parsed, by its length: a small one costs less than to send it elsewhere."""

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
"""Bytes that the event loop leaves to a thread: half a millisecond as JSON."""

LARGE_JSON = 400_000
"""Bytes of JSON for which a thread keeps the interpreter from others for too long: milliseconds."""

_TIMEOUT, _FLOOR, _LETTER = b'"timeout"', b'"accuracy_floor"', b"o"


class Parsing:
    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "parsing")
        self.process = Parser()

    def start(self, longest_body: int) -> None:
        """So that the first large body need not wait for a process to start."""
        if longest_body > LARGE_JSON:
            self.process.start()

    def stop(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.process.stop()

    async def unpacked(self, body: bytes, encoding: str, longest: int) -> bytes:
        """Without its Content-Encoding; zlib leaves the interpreter to others. Raises Refusal."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, bodies.unpacked, body, encoding, longest)

    async def ahead(
        self, body: bytes, json_bytes: str | None, signature: Signature, max_batch: int
    ) -> Question | None:
        """
        A large body, before its request is admitted; None of one for which `later` will do, which
        is free for who is refused. Raises BadTensor and Refusal.
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
    """It may say its own deadline or accuracy: then it has to be parsed before it is admitted."""
    # Most bodies are digits, in which a search for one letter is twenty times as fast.
    return _LETTER in body and (_TIMEOUT in body or _FLOOR in body)


def _json_bytes(body: bytes, json_bytes: str | None) -> int:
    if json_bytes is None or not json_bytes.isdecimal():
        return len(body)
    return min(len(body), int(json_bytes[:12]))
