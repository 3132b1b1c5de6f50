"""Connections of slow, endless, silent and vanishing clients, on real sockets."""

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from infadapter_server.serving.connections import ConnectionLimits, most_connections
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.serve import _KEEP_ALIVE_S
from tests.model_variants.serving_world import INFER, Summing, question, until
from tests.model_variants.socket_world import closed, head, infer, listening, read
from tests.model_variants.test_overload import running_virtually
from tests.model_variants.test_residence import virtual
from tests.model_variants.virtual_executor import Kind

PATIENT, HASTY = ConnectionLimits(), ConnectionLimits(head_s=0.3, body_s=0.6)


@pytest.fixture(autouse=True)
def sweeps_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infadapter_server.serving.connections.SWEEP_EVERY_S", 0.05)


async def taken(writer: asyncio.StreamWriter, data: bytes, every_s: float = 0.0) -> int:
    """How many bytes of the same again and again were taken until the connection was closed."""
    for number in range(100_000):
        try:
            writer.write(data)
            await writer.drain()
        except ConnectionError:
            return number * len(data)
        await asyncio.sleep(every_s)
    raise AssertionError


async def test_bodies_that_do_not_come_take_nobodys_place() -> None:
    async with listening() as server:
        for _ in range(80):
            await server.send(head(500) + b"{" * 10)
        await until(lambda: server.inference.in_flight == 80)
        answers = [await server.ask((1, 2)) for _ in range(5)]
        assert [answer.status for answer in answers] == [200] * 5
        assert await server.metric("requests_total", code="503") == 0


async def test_a_slow_upload_is_neither_late_nor_refused() -> None:
    within = Deadlines(default_s=0.2)
    async with listening(deadlines=within) as server:
        reader, writer = await server.send(infer((1, 2))[:-5])
        answer = await read(reader)
        assert (answer.status, "within 0.2 seconds" in answer.error) == (408, True)
        writer.close()
        assert await server.metric("requests_total", code="503") == 0
        assert await server.metric("latency_seconds_count") == 0


@virtual
async def test_a_body_that_left_too_little_time_is_not_held_against_the_server() -> None:
    body = json.dumps(question((1, 2))).encode()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:-5]
        await asyncio.sleep(2.0)
        yield body[-5:]

    within = Deadlines(default_s=3.0)
    async with running_virtually({"sums": Kind(image_s=1.7)}, deadlines=within) as server:
        answer = await server.client.post(INFER, content=slowly())
        assert answer.status_code == 408
        assert "The body took 2 of the 3 seconds there were" in answer.json()["error"]
        assert await server.metric("infadapter_server_refused_total", reason="no_time") == 0


async def test_nothing_is_computed_for_clients_that_have_closed() -> None:
    async with listening(Summing(takes_s=0.02)) as server:
        server.model.hold()
        first = asyncio.create_task(server.ask((1, 2)))
        await server.model.holds()
        gone = [await server.send(infer(*[(1, 2)] * 8)) for _ in range(30)]
        await until(lambda: server.inference.driver.unanswered > 200)
        for _, writer in gone:
            writer.close()
        await until(lambda: server.inference.driver.unanswered <= 1)
        warm_ups = len(server.model.batches)
        server.model.may_compute.set()
        assert (await first).status == 200
        assert (await server.ask((1, 2))).status == 200
        assert sum(server.model.batches[warm_ups:]) <= 8 + 1  # of 240: what was sent ahead
        assert await server.metric("outcomes_total", outcome="gone") == 30


async def test_who_leaves_in_the_midst_of_asking_the_repository_is_no_mistake_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening() as server:
        index = b"POST /v2/repository/index HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{}"
        _, writer = await server.send(index)
        await until(lambda: any(each.cycle is not None for each in server.connections.open))
        writer.close()
        await until(lambda: not server.connections.open)
        assert (await server.get("/v2")).status == 200
        assert caplog.messages == []


async def test_a_header_without_an_end_is_cut_off() -> None:
    async with listening() as server:
        _, writer = await server.send(b"GET /v2 HTTP/1.1\r\nx: ")
        assert await taken(writer, b"x" * 16_384) < 10_000_000
        reader, _ = await server.send(b"GET /v2 HTTP/1.1\r\nx: " + b"x" * 40_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 431 ")
        assert await closed(reader)
        assert (await server.get("/v2")).status == 200


async def test_trailers_without_an_end_are_cut_off() -> None:
    async with listening() as server:
        start = b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        _, writer = await server.send(start + b"1\r\nx\r\n0\r\n")
        assert await taken(writer, b"trailer: x\r\n" * 1000) < 10_000_000


async def test_a_large_body_is_no_large_header() -> None:
    async with listening() as server:
        reader, _ = await server.send(head(60_000) + b" " * 60_000)
        answer = await read(reader)
        assert (answer.status, "not JSON" in answer.error) == (400, True)


@dataclass
class Told:
    """A clock, and how often it was looked at."""

    now_s: float = 1000.0
    looks: int = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now_s

    async def passes(self, seconds: float) -> None:
        """And the sweep has gone by, which looks once each time."""
        self.now_s += seconds
        before = self.looks
        await until(lambda: self.looks > before + 1)


async def test_headers_that_come_slowly_have_their_time() -> None:
    clock = Told()
    async with listening(clock=clock) as server:
        reader, _ = await server.send(b"GET /v2 HTTP/1.1\r\n")
        await until(lambda: any(each._head_bytes for each in server.connections.open))
        await clock.passes(PATIENT.head_s)
        assert len(server.connections.open) == 1
        await clock.passes(0.1)
        assert len(server.connections.open) == 0
        assert await closed(reader)


async def test_a_connection_that_never_asked_is_closed_and_one_that_did_is_kept() -> None:
    clock = Told()
    async with listening(clock=clock) as server:
        silent, _ = await server.connect()
        reader, writer = await server.send(infer((1, 2)))
        assert (await read(reader)).status == 200
        await until(lambda: len(server.connections.open) == 2)
        await clock.passes(PATIENT.head_s + 0.1)
        assert await closed(silent)
        await clock.passes(PATIENT.head_s)
        writer.write(infer((2, 3)))
        assert (await read(reader)).status == 200


@pytest.mark.parametrize("request_", [infer((1, 2)), b"GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n"])
async def test_a_connection_that_is_silent_after_its_answer_is_ended_in_the_end(
    request_: bytes,
) -> None:
    """By the sweep: no answer has a timer of its own."""
    clock = Told()
    async with listening(clock=clock) as server:
        reader, writer = await server.send(request_ * 3)
        assert [(await read(reader)).status for _ in range(3)] == [200] * 3
        await clock.passes(_KEEP_ALIVE_S - 1)
        writer.write(request_)
        assert (await read(reader)).status == 200
        await clock.passes(_KEEP_ALIVE_S)
        assert len(server.connections.open) == 1
        await clock.passes(0.1)
        assert await closed(reader)


async def test_a_body_that_ends_after_its_answer_keeps_no_connection_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infadapter_server.serving.serve._KEEP_ALIVE_S", 1)
    async with listening() as server:
        unknown = b"POST /v2/models/none/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n\r\n"
        reader, writer = await server.send(unknown)
        assert (await read(reader)).status == 404
        writer.write(b" " * 70_000)
        assert await closed(reader)


async def test_an_answered_request_whose_body_goes_on_and_on_is_ended() -> None:
    async with listening(bounds=HASTY) as server:
        reader, writer = await server.send(head(10**9))
        assert (await read(reader)).status == 413
        assert await taken(writer, b"x" * 1000, every_s=0.01) < 1_000_000


async def test_probes_are_answered_whoever_holds_connections() -> None:
    few = ConnectionLimits(most=20, spare=4)
    async with listening(bounds=few) as server:
        for _ in range(100):
            await server.connect()  # and says nothing
        assert (await server.get("/v2/health/live")).status == 200
        earned = [await server.send(b"GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n") for _ in range(20)]
        for reader, _ in earned:
            assert (await read(reader)).status == 200
        for _ in range(10):
            probe = await server.get("/v2/health/live")
            assert (probe.status, probe.headers["connection"]) == (200, "close")
        refused = await server.ask((1, 2))
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert await server.metric("refused_total", reason="connections") == 1
        assert await server.metric("connections") <= 24


async def test_those_in_the_reserve_do_not_pile_up() -> None:
    few = ConnectionLimits(most=2, spare=2)
    async with listening(Summing(takes_s=0.05), bounds=few) as server:
        server.model.hold()
        held = [await server.send(infer((1, 2))) for _ in range(2)]
        await until(lambda: server.inference.in_flight == 2)
        assert (await server.get("/v2/health/live")).status == 200
        server.model.may_compute.set()
        for reader, _ in held:
            assert (await read(reader)).status == 200


async def test_many_requests_at_once_on_one_connection_are_too_many() -> None:
    async with listening() as server:
        reader, _ = await server.send(b"GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n" * 5)
        for _ in range(5):
            assert (await read(reader)).status == 200
        reader, _ = await server.send(b"GET /v2 HTTP/1.1\r\nhost: x\r\n\r\n" * 5_000)
        assert await closed(reader)


def test_connections_leave_descriptors_for_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ((200, 104, 52), (1_048_576, 1024, 1024), (10, 1, 1), (-1, 1024, 1024))
    for descriptors, alone, beside_grpc in expected:
        monkeypatch.setattr(resource, "getrlimit", lambda _, few=descriptors: (few, few))
        assert most_connections() == alone
        assert most_connections(fronts=2) == beside_grpc
