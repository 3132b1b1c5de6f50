"""Requests that offer to leave HTTP/1.1, as sockets see them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from infadapter_server.serving.http_protocol import HttpProtocol

OFFER = (
    "Connection: keep-alive, Upgrade, HTTP2-Settings\r\n"
    "Upgrade: h2c\r\n"
    "HTTP2-Settings: AAMAAABk\r\n"
)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what it was asked, and by which headers."""
    request = Request(scope, receive)
    names = ",".join(sorted(request.headers.keys()))
    body = (await request.body()).decode()
    await PlainTextResponse(f"{request.method} {scope['path']} [{body}] {names}")(
        scope, receive, send
    )


@asynccontextmanager
async def listening() -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=HttpProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


async def told(*parts: str, pause_s: float = 0.0) -> str:
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in parts:
            writer.write(part.encode())
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
    return answer.decode()


def request(body: str = "", *, offer: str = OFFER, method: str = "POST", path: str = "/a") -> str:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{offer}{length}\r\n{body}"


LAST = request("end", offer="Connection: close\r\n", path="/last")


@pytest.mark.parametrize("offer", [OFFER, "Connection: Upgrade\r\nUpgrade: websocket\r\n"])
async def test_an_offer_is_declined_and_the_body_read(offer: str) -> None:
    answer = await told(request("seven", offer=offer) + LAST)
    assert "POST /a [seven] connection,content-length,host" in answer
    assert "upgrade" not in answer
    assert "POST /last [end]" in answer


async def test_an_offer_on_a_connection_that_is_to_end_is_declined_too() -> None:
    answer = await told(request("seven", offer=OFFER.replace("keep-alive", "close")))
    assert "POST /a [seven]" in answer


async def test_a_request_without_a_body_may_offer_too() -> None:
    answer = await told(request(method="GET") + LAST)
    assert "GET /a [] connection,host" in answer
    assert "POST /last [end]" in answer


async def test_what_arrives_in_pieces_is_put_together() -> None:
    whole = request("0123456789" * 5) + LAST
    pieces = [whole[at : at + 17] for at in range(0, len(whole), 17)]
    answer = await told(*pieces, pause_s=0.002)
    assert f"[{'0123456789' * 5}]" in answer
    assert "POST /last [end]" in answer


async def test_a_chunked_body_is_read() -> None:
    offer = OFFER + "Transfer-Encoding: chunked\r\n"
    answer = await told(request(offer=offer) + "5\r\nseven\r\n0\r\n\r\n" + LAST)
    assert "POST /a [seven]" in answer


async def test_many_offers_on_one_connection_are_all_declined() -> None:
    answer = await told(request("x") * 500 + LAST)
    assert answer.count("POST /a [x]") == 500
    assert "POST /last [end]" in answer


async def test_requests_without_an_offer_are_what_they_were() -> None:
    answer = await told(request("x", offer="") + LAST)
    assert "POST /a [x] content-length,host" in answer


async def test_a_tunnel_is_refused() -> None:
    answer = await told("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith("HTTP/1.1 400")
