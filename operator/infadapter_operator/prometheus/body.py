"""
Read the body of an answer within bounds of size and time.

requests only bounds the time between two bytes and reads everything. An endless or dripping answer
would block one thread after the other, and fill the memory.
"""

import time
from collections.abc import Callable, Iterator

import requests
import urllib3

from infadapter_operator.prometheus.refusals import refused

MOST_BYTES = 32 * 2**20
"""Largest unpacked body. The largest expected one, a vector of 4000 pods, has a tenth of that."""

_AT_ONCE = 65_536


def read_within(most_s: float) -> Callable[..., None]:
    """Return a response hook that reads the body; install it before hooks that look at the body."""

    def read(response: requests.Response, **_: object) -> None:
        """As `Response.content` does, which then has it already."""
        response._content = b"".join(_parts(response, most_s))
        response._content_consumed = True

    return read


def _parts(response: requests.Response, most_s: float) -> Iterator[bytes]:
    ends_s, length = time.monotonic() + most_s, 0
    while part := _next(response):
        length += len(part)
        if length > MOST_BYTES:
            most = f"{MOST_BYTES // 2**20} MiB"
            raise refused(response, f"it answers with more than {most}: give the query sum(…)")
        if time.monotonic() > ends_s:
            raise refused(response, f"its answer takes longer than {most_s:g} s to arrive")
        yield part


def _next(response: requests.Response) -> bytes:
    """Return the available bytes as soon as there are any."""
    try:
        part: bytes = response.raw.read1(_AT_ONCE, decode_content=True)
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from None
    return part
