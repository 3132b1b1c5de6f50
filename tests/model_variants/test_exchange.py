"""The short way of small requests, where it meets uvicorn's: in order, in parts, or unread."""

import asyncio
import json
from contextlib import suppress

import pytest

from tests.model_variants.serving_world import Summing, question
from tests.model_variants.socket_world import closed, head, infer, listening, read

ROW = (1.0, 2.0)


def sum_in(body: bytes) -> float:
    found: float = json.loads(body)["outputs"][0]["data"][0]
    return found


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    async with listening() as server:
        asked = [(float(number), 1.0) for number in range(8)]
        reader, _ = await server.send(b"".join(infer(row) for row in asked))
        answers = [sum_in((await read(reader)).body) for _ in asked]
        assert answers == [sum(row) for row in asked]


async def test_a_probe_behind_a_request_waits_for_its_turn() -> None:
    async with listening() as server:
        probe = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n"
        reader, _ = await server.send(infer(ROW) + probe + infer(ROW))
        found = [(await read(reader)).body for _ in range(3)]
        assert [b"live" in body for body in found] == [False, True, False]


async def test_a_body_that_comes_in_parts_is_the_same_request() -> None:
    body = json.dumps(question(ROW)).encode()
    async with listening() as server:
        for cut in (0, 1, len(body) - 1):
            reader, writer = await server.send(head(len(body)) + body[:cut])
            await asyncio.sleep(0.02)
            writer.write(body[cut:] + infer(ROW))
            assert [sum_in((await read(reader)).body) for _ in range(2)] == [3.0, 3.0]
        assert await server.metric("arrivals_total") == 6
        assert server.inference.in_flight == 0 == server.inference.budget.held


@pytest.mark.parametrize("trailer", [b"content-encoding: gzip", b"infadapter-deadline-ms: 0"])
async def test_what_comes_in_a_trailer_is_no_header(trailer: bytes) -> None:
    """Routers that take headers away, or add their own, look into none."""
    body = json.dumps(question(ROW)).encode()
    chunked = head(len(body)).replace(b"content-length", b"transfer-encoding: chunked\r\nx-length")
    async with listening() as server:
        request = chunked + b"%x\r\n%b\r\n0\r\n%b\r\n\r\n" % (len(body), body, trailer)
        reader, _ = await server.send(request + infer(ROW))
        assert [sum_in((await read(reader)).body) for _ in range(2)] == [3.0, 3.0]


async def test_who_never_reads_holds_a_bounded_amount() -> None:
    async with listening() as server:
        _, writer = await server.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        with suppress(TimeoutError, ConnectionError):  # reads no more of it either, or ends it
            async with asyncio.timeout(2):
                while True:
                    writer.write(infer(ROW))
                    await writer.drain()
        assert server.inference.in_flight <= 16
        assert (await server.ask(ROW)).status == 200


async def test_a_connection_that_is_to_end_ends_after_its_answer() -> None:
    async with listening() as server:
        for request in (
            infer(ROW, connection="close"),
            infer(ROW).replace(b"HTTP/1.1", b"HTTP/1.0"),
        ):
            reader, _ = await server.send(request)
            answer = await read(reader)
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await closed(reader)


async def test_refused_and_answered_are_counted_alike_on_both_ways() -> None:
    model = Summing()
    async with listening(model) as server:
        body = json.dumps(question(ROW)).encode()
        for parts in ([head(len(body)) + body], [head(len(body)), body]):
            reader, writer = await server.send(parts[0])
            await asyncio.sleep(0.02)
            writer.write(b"".join(parts[1:]))
            assert (await read(reader)).status == 200
            late = head(len(body), infadapter_deadline_ms="0.001")
            reader, writer = await server.send(late + body if len(parts) == 1 else late)
            await asyncio.sleep(0.02)
            writer.write(b"" if len(parts) == 1 else body)
            assert (await read(reader)).status in (408, 503)
        assert await server.metric("arrivals_total") == 4
        assert await server.metric("requests_total", code="200") == 2
