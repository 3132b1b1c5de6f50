"""REST: what HTTP itself allows: packed bodies, offers of other protocols, clients that go away."""

import gzip
import json
import socket
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conformance.target import Target


def said(target: Target, request: bytes) -> bytes:
    """The answer to bytes on a connection of their own."""
    address = urlsplit(target.url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), 20) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


def request(target: Target, *headers: str, body: bytes | None = None) -> bytes:
    content = json.dumps(target.question()).encode() if body is None else body
    lines = (
        f"POST {target.path}/infer HTTP/1.1",
        "Host: server",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode() + content


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_body_is_unpacked(
    client: httpx.Client, target: Target, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    content = pack(json.dumps(target.question()).encode())
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    response = client.post(f"{target.path}/infer", content=content, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_an_unknown_or_wrong_encoding_is_the_clients_fault(
    client: httpx.Client, target: Target, encoding: str
) -> None:
    content = json.dumps(target.question()).encode()
    response = client.post(
        f"{target.path}/infer", content=content, headers={"content-encoding": encoding}
    )
    assert 400 <= response.status_code < 500
    assert isinstance(response.json()["error"], str)


def test_a_body_that_unpacks_to_a_hundred_megabytes_is_refused(
    client: httpx.Client, target: Target
) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    response = client.post(
        f"{target.path}/infer", content=bomb, headers={"content-encoding": "gzip"}
    )
    assert response.status_code == 413
    assert client.get("/v2/health/ready").status_code == 200


def test_a_body_of_100_megabytes_is_refused(client: httpx.Client, target: Target) -> None:
    try:
        response = client.post(f"{target.path}/infer", content=bytes(100_000_000))
    except httpx.TransportError:
        pass  # refused by its announcement, and the connection ended before all was sent
    else:
        assert 400 <= response.status_code < 500
    assert client.get("/v2/health/ready").status_code == 200


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
def test_an_offer_of_another_protocol_is_declined(target: Target, offer: str) -> None:
    answer = said(
        target,
        request(
            target,
            "Connection: Upgrade, HTTP2-Settings, close",
            f"Upgrade: {offer}",
            "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        ),
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"outputs"' in answer


def test_a_chunked_body_is_read(client: httpx.Client, target: Target) -> None:
    content = json.dumps(target.question()).encode()
    pieces = (content[at : at + 100] for at in range(0, len(content), 100))
    headers = {"content-type": "application/json"}
    assert client.post(f"{target.path}/infer", content=pieces, headers=headers).status_code == 200


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(target: Target) -> None:
    answer = said(target, request(target, "Expect: 100-continue", "Connection: close"))
    assert b"HTTP/1.1 200" in answer


def test_clients_that_go_away_do_no_harm(client: httpx.Client, target: Target) -> None:
    whole = request(target)
    address = urlsplit(target.url)
    assert address.hostname is not None
    for length in (10, len(whole) // 2, len(whole) - 1, len(whole)):
        with socket.create_connection((address.hostname, address.port or 80), 20) as connection:
            connection.sendall(whole[:length])
    response = client.post(f"{target.path}/infer", json=target.question())
    assert response.status_code == 200


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\0" * 100, b"POST / HTTP/9.9\r\n\r\n"]
)
def test_bytes_that_are_no_http_end_their_connection_only(
    client: httpx.Client, target: Target, garbage: bytes
) -> None:
    said(target, garbage + b"\r\n\r\n")
    assert client.get("/v2/health/ready").status_code == 200
