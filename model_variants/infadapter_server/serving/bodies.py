"""
Read request bodies within limits: in bytes, per request and in total, and in time.

A body being read takes no place among the requests; only its received bytes count. So slow senders
hold only what they have sent, and block nobody.
"""

import asyncio
import math

from starlette.types import Receive

from infadapter_server.networks.signatures import Signature
from infadapter_server.serving.oip import encodings
from infadapter_server.serving.refusal import Cause, ClientGone, Refusal, try_again

__all__ = ["Budget", "Hold", "check_length", "longest_body", "read", "unpacked"]

_BYTES_PER_JSON_VALUE = 32  # a float in full, its comma and some white space
_HEAD_BYTES = 65_536


class Budget:
    """Bytes of bodies being read and of waiting tensors, over all requests."""

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0

    def allow(self, longest: int) -> None:
        """Ensure room for two of the longest bodies, also for a model that was added later."""
        self.most = max(self.most, 2 * longest)


class Hold:
    """
    The share of the budget of one request; it changes while the body is received and becomes a
    tensor.
    """

    __slots__ = ("_budget", "_held")

    def __init__(self, budget: Budget) -> None:
        self._budget, self._held = budget, 0

    def become(self, size: int) -> None:
        """Set the size. Raises Refusal if there is not enough room."""
        more = size - self._held
        if more > 0 and self._budget.held + more > self._budget.most:
            raise try_again(
                Cause.MEMORY, f"Requests already hold {self._budget.held} bytes of memory."
            )
        self._budget.held += more
        self._held = size

    def release(self) -> None:
        self._budget.held -= self._held
        self._held = 0


def longest_body(signature: Signature, batch: int) -> int:
    values = batch * math.prod(signature.input_shape)
    return values * _BYTES_PER_JSON_VALUE + _HEAD_BYTES


async def read(
    receive: Receive, hold: Hold, *, announced: bytes, longest: int, within_s: float
) -> bytes:
    """Return the whole body. Raises Refusal and ClientGone."""
    if announced.isdigit() and int(announced[:20]) > longest:
        raise _too_long(longest)
    try:
        async with asyncio.timeout(within_s):
            return await _read(receive, hold, longest)
    except TimeoutError:
        raise Refusal(408, f"The body did not arrive within {within_s:g} seconds.") from None


def unpacked(body: bytes, encoding: str, longest: int) -> bytes:
    """Return the body without its Content-Encoding, which takes time. Raises Refusal."""
    try:
        return encodings.unpacked(body, encoding, longest)
    except encodings.TooLong as error:
        raise Refusal(413, str(error)) from None
    except encodings.UnknownEncoding as error:
        raise Refusal(415, str(error)) from None
    except encodings.BadEncoding as error:
        raise Refusal(400, str(error)) from None


async def _read(receive: Receive, hold: Hold, longest: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False):
        check_length(len(body), longest)  # all of it at once, as nearly always
        hold.become(len(body))
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        check_length(size, longest)
        hold.become(size)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] == "http.disconnect":
        raise ClientGone
    check_length(size, longest)
    hold.become(size)
    return b"".join(parts)


def check_length(size: int, longest: int) -> None:
    """Raise Refusal if the body is too long."""
    if size > longest:
        raise _too_long(longest)


def _too_long(longest: int) -> Refusal:
    return Refusal(413, f"The body is longer than {longest} bytes.")
