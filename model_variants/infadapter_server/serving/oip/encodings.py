"""
Content-Encoding of request bodies: gzip and deflate, decompressed up to a limit.

A kilobyte may stand for a megabyte, so the output is counted while it grows, not afterwards.
"""

import zlib

__all__ = ["BadEncoding", "TooLong", "UnknownEncoding", "unpacked"]

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_BARE = -zlib.MAX_WBITS  # deflate without zlib's header, which some clients send


class UnknownEncoding(Exception):
    """The server does not know the body's encoding."""


class TooLong(Exception):
    """The decompressed body exceeds the limit."""


class BadEncoding(Exception):
    """The body does not match its encoding."""


def unpacked(body: bytes, encoding: str, longest: int) -> bytes:
    """
    Return the decompressed body, at most `longest` bytes. Raises UnknownEncoding, TooLong or
    BadEncoding, each with a sentence.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise UnknownEncoding(
            f"The Content-Encoding {encoding[:80]!r} is not known; gzip, deflate and none are."
        )
    try:
        return _inflated(body, _window(body, name), longest)
    except zlib.error:
        raise BadEncoding(f"The body is not {name}, or is damaged.") from None


def _window(body: bytes, name: str) -> int:
    zlib_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _BARE if name == "deflate" and not zlib_header else _GZIP_OR_ZLIB


def _inflated(body: bytes, window: int, longest: int) -> bytes:
    stream = zlib.decompressobj(window)
    content = stream.decompress(body, longest + 1)
    if len(content) > longest:
        raise TooLong(f"The body unpacks to more than {longest} bytes.")
    if not stream.eof:
        raise BadEncoding("The packed body ends too early.")
    if stream.unused_data:
        raise BadEncoding("Something follows the packed body.")
    return content
