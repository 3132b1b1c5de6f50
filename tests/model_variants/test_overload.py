"""What a server is to do that is offered more than it can: the deadlines, bounds and the health."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from infadapter_server.serving import protocol
from infadapter_server.serving.app import create_app
from infadapter_server.serving.assembly import always
from infadapter_server.serving.deadlines import Deadlines
from infadapter_server.serving.driver import Driver
from infadapter_server.serving.inference import Inference, Limits
from infadapter_server.serving.metrics import ServerMetrics
from infadapter_server.serving.protocol import BadTensor
from tests.model_variants.serving_world import (
    IDENTITY,
    INFER,
    STORED,
    Running,
    Summing,
    question,
    running,
    until,
)
from tests.model_variants.socket_world import head, listening, read
from tests.model_variants.test_residence import virtual
from tests.model_variants.virtual_executor import Kind, VirtualExecutor
from tests.patience import PATIENCE_S

WITHIN_S = 1.0


@asynccontextmanager
async def running_virtually(kinds: Mapping[str, Kind], **limits: Any) -> AsyncIterator[Running]:
    """Its model is named sums."""
    clock, metrics = asyncio.get_running_loop().time, ServerMetrics("tiny")
    executor = VirtualExecutor("executor", kinds)
    inference = Inference(
        variant="tiny",
        models={IDENTITY.model: IDENTITY},
        limits=Limits(**limits),
        driver=Driver(always(STORED), [executor], metrics, clock=clock),
        metrics=metrics,
        clock=clock,
    )
    inference.start()
    transport = httpx.ASGITransport(create_app(inference), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        await until(lambda: inference.driver.ready)
        yield Running(client, inference, Summing())


async def flood(server: Running, rate_rps: float, duration_s: float) -> list[int]:
    """The status of each answer."""
    asked = list[asyncio.Task[Any]]()
    for _ in range(round(rate_rps * duration_s)):
        asked.append(asyncio.create_task(server.ask((1, 2))))
        await asyncio.sleep(1 / rate_rps)
    return [(await question).status_code for question in asked]


@virtual
async def test_in_an_overload_the_accepted_are_on_time_and_the_rest_is_refused_at_once() -> None:
    within = Deadlines(default_s=WITHIN_S)
    async with running_virtually({"sums": Kind(image_s=1 / 80)}, deadlines=within) as server:
        statuses = await flood(server, 240, 2.5)
        on_time = await server.outcome("on_time")
        assert set(statuses) == {200, 503}
        assert on_time >= 0.95 * 80 * (2.5 + WITHIN_S)  # it is never idle
        assert await server.outcome("late") == await server.outcome("cancelled") == 0
        refused = await server.metric("infadapter_server_refused_total", reason="no_time")
        early = await server.metric("infadapter_server_refusal_age_seconds_bucket", le="0.05")
        assert refused > 100
        assert early == refused
        assert server.driver.unanswered == 0


async def test_a_refusal_says_when_to_try_again_in_whole_seconds() -> None:
    async with running(Summing(takes_s=0.02)) as server:
        refused = await server.ask((1, 2), infadapter_deadline_ms="5")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "too late" in refused.json()["error"]


@pytest.mark.parametrize("deadline", ["0", "-5", "nan", "inf", "soon", "", "1e999", "-0.0"])
async def test_a_deadline_that_is_none_is_a_sentence(deadline: str) -> None:
    async with running() as server:
        answer = await server.ask((1, 2), infadapter_deadline_ms=deadline)
        assert answer.status_code == 400
        assert "infadapter-deadline-ms must be a number of milliseconds" in answer.json()["error"]
        assert await server.metric("infadapter_server_admitted_total") == 0


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "soon", [1], {}])
async def test_a_timeout_that_is_none_is_a_sentence(given: object) -> None:
    async with running() as server:
        asked = question((1, 2), parameters={"timeout": given})
        answer = await server.client.post(INFER, json=asked)
        assert answer.status_code == 400
        assert "timeout must be a whole number of microseconds" in answer.json()["error"]


@virtual
async def test_a_timeout_in_microseconds_is_a_deadline() -> None:
    async with running_virtually({"sums": Kind(image_s=0.05)}) as server:
        asked = question((1, 2), parameters={"timeout": 20_000})
        assert (await server.client.post(INFER, json=asked)).status_code == 503
        asked = question((1, 2), parameters={"timeout": "60000"})
        assert (await server.client.post(INFER, json=asked)).status_code == 200


def test_which_deadline_holds() -> None:
    deadlines = Deadlines(longest_s=10, default_s=0.25)
    assert deadlines.of(None) == 0.25
    assert deadlines.of(b"100") == 0.1
    assert deadlines.of(b"12.5") == 0.0125
    assert deadlines.of(b"60000") == 10
    assert Deadlines(longest_s=10).of(None) == 10
    assert deadlines.shorter(0.25, None, 500_000) == 0.5  # a timeout takes the default's place
    assert deadlines.shorter(0.1, b"100", 500_000) == 0.1  # but not that of a service's deadline
    assert deadlines.shorter(0.1, b"100", 50_000) == 0.05
    assert deadlines.shorter(0.25, None, 10**15) == 10
    with pytest.raises(BadTensor):
        deadlines.of(b"-1")


async def test_bodies_and_tensors_are_bounded_together() -> None:
    async with listening(held_bytes=1, body_s=PATIENCE_S) as server:
        # Raised to two of the longest bodies.
        room = server.inference.budget.most
        assert room == 2 * server.inference.longest_body(server.inference.models["sums"])
        half = head(60_000) + b" " * 50_000
        held = [await server.send(half) for _ in range(4)]
        first = [asyncio.create_task(read(reader)) for reader, _ in held]
        done, _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        answer = done.pop().result()
        assert (answer.status, "hold" in answer.error) == (503, True)
        assert server.inference.budget.held <= room
        assert await server.metric("refused_total", reason="memory") >= 1
        assert await server.metric("held_bytes") > 0
        for _, writer in held:
            writer.close()
        await asyncio.wait(first)
        await until(lambda: server.inference.budget.held == 0)


async def test_the_loop_answers_probes_while_a_large_body_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_parse, parse = threading.Event(), protocol.parse
    parsing_in: list[int] = []

    def slowly(*arguments: Any) -> Any:
        parsing_in.append(threading.get_ident())
        assert may_parse.wait(PATIENCE_S)
        return parse(*arguments)

    monkeypatch.setattr(protocol, "parse", slowly)
    monkeypatch.setattr("infadapter_server.serving.parsing.LARGE", 50)
    async with listening() as server:
        asked = asyncio.create_task(server.ask(*[(1, 2)] * 8))
        await until(lambda: bool(parsing_in))
        assert (await server.get("/v2/health/live")).status == 200
        may_parse.set()
        assert (await asked).status == 200
    assert threading.get_ident() not in parsing_in


async def test_a_pod_that_fails_at_everything_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infadapter_server.serving.failing.CHECK_EVERY_S", 0.05)
    async with running() as server:
        server.model.broken = True
        for _ in range(5):
            assert (await server.ask((1, 2))).status_code == 500
        await until(lambda: not server.driver.live)
        assert (await server.client.get("/v2/health/live")).status_code == 503
        assert (await server.client.get("/v2/health/ready")).status_code == 503
        assert await server.metric("infadapter_server_failing") == 1
        assert await server.metric("infadapter_server_executions_failed_total") >= 5
        assert await server.outcome("failed") == 5
        refused = await server.ask((1, 2))
        assert (refused.status_code, "fails" in refused.json()["error"]) == (503, True)
        server.model.broken = False
        await until(lambda: server.driver.live)
        assert (await server.ask((1, 2))).status_code == 200


@virtual
async def test_a_pod_that_hangs_says_so_and_answers_all_by_their_deadlines() -> None:
    kinds, clock = {"sums": Kind()}, asyncio.get_running_loop().time
    async with running_virtually(kinds, deadlines=Deadlines(default_s=0.3)) as server:
        kinds["sums"] = Kind(image_s=600.0)
        began_s = clock()
        answers = await asyncio.gather(*(server.ask((1, 2)) for _ in range(20)))
        assert clock() == pytest.approx(began_s + 0.3)
        assert {answer.status_code for answer in answers} == {503}
        assert await server.metric("infadapter_server_latency_seconds_count") == 0
        await until(lambda: not server.driver.live)
        assert (await server.client.get("/v2/health/live")).status_code == 503
        assert await server.metric("infadapter_server_stuck_executors") == 1
