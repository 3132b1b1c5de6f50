"""
HTTP/1.1 for clients that offer an upgrade, which is declined.

Java's HttpClient and `curl --http2` send `Upgrade: h2c` with their first request. A server may
ignore that (RFC 9110, 7.8) and answer the request with its body. httptools instead treats the bytes
after the headers as the other protocol's, so that uvicorn sees a request without its body. Here the
request is parsed again without the offer.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HttpProtocol"]

_OFFER = (b"upgrade", b"http2-settings")
_TUNNEL = b"CONNECT"  # is an upgrade without being offered, and nothing that a server answers


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which never leaves HTTP/1.1."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.declined: bytes | None = None  # the head of a request without the offer that it made
        self.parser = _Parser(self)

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the request will be parsed again."""
        method = self.parser.get_method()
        if not self.parser.should_upgrade() or method == _TUNNEL:
            super().on_headers_complete()
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in _without_offer(self.headers)]
        self.declined = b"\r\n".join((*lines, b"", b""))

    def on_message_complete(self) -> None:
        """Signal the end of the body, once it has ended."""
        if self.declined is None:
            super().on_message_complete()


class _Parser(HttpRequestParser):
    """Continues after an offered upgrade, with what the protocol knows of the request."""

    def __init__(self, protocol: HttpProtocol) -> None:
        super().__init__(protocol)
        self._protocol = protocol
        # As uvicorn does: what is pipelined behind a request that ends the connection is not read.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: "bytes | bytearray | memoryview[int] | array[int]") -> None:
        """Parse; each iteration removes one offer from the remaining bytes."""
        parser = self
        while True:
            try:
                HttpRequestParser.feed_data(parser, data)
            except HttpParserUpgrade as offered:
                head, self._protocol.declined = self._protocol.declined, None
                if head is None:
                    raise
                data = head + bytes(data[offered.args[0] :])
                # Anew: one that has read `Connection: close` reads nothing any more.
                parser = self._protocol.parser = _Parser(self._protocol)
            else:
                return


def _without_offer(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers:
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            yield name, b", ".join(token for token in tokens if token.lower() not in _OFFER)
        elif name not in _OFFER:
            yield name, value
