import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infadapter_server.loadgen import alarms as alarms_module
from infadapter_server.loadgen import connections as connections_module
from infadapter_server.loadgen import flood, replay, run
from infadapter_workload.arrivals import constant_rate
from infadapter_workload.outcomes import STOPPED, TIMED_OUT, Outcome, summarise
from tests.patience import PATIENCE_S

SERVER = Path(__file__).with_name("answering_server.py")
CLOSED_PORT = 1
AT_ONCE = np.zeros(8)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    command = [sys.executable, str(SERVER), "--service-ms", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


async def send(port: int, word: str = "infer", **more: Any) -> list[Outcome]:
    options: dict[str, Any] = {
        "arrivals_s": AT_ONCE,
        "timeout_s": PATIENCE_S,
        "bodies": [b"{}"],
        **more,
    }
    return await replay(host="127.0.0.1", port=port, path=f"/{word}", **options)


async def test_every_arrival_gets_one_outcome_in_order_of_the_schedule(port: int) -> None:
    arrivals = constant_rate(200, 0.2, seed=1)
    seen: list[Outcome] = []
    outcomes = await send(port, arrivals_s=arrivals, on_outcome=seen.append)
    assert [round(o.scheduled_s, 6) for o in outcomes] == [round(a, 6) for a in arrivals]
    assert all(o.code == 200 and o.variant == "tiny" and o.error is None for o in outcomes)
    assert sorted(seen, key=lambda outcome: outcome.scheduled_s) == outcomes
    assert all(o.scheduled_s <= o.sent_s <= o.done_s for o in outcomes)


async def test_an_outcome_that_can_not_be_noted_ends_the_run(port: int) -> None:
    noted: list[Outcome] = []

    def full(outcome: Outcome) -> None:
        noted.append(outcome)
        raise OSError(ENOSPC, "No space left on device")

    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(OSError, match="No space left"):
            await send(port, arrivals_s=np.array([0.0, 0.0, 3600.0]), on_outcome=full)
    assert len(noted) == 1


async def test_the_operating_point_of_an_answer_is_noted(port: int) -> None:
    assert {outcome.point for outcome in await send(port, "point")} == {"deep"}
    assert {outcome.point for outcome in await send(port)} == {None}


async def test_latency_counts_from_when_a_request_was_due(port: int) -> None:
    start_s = time.monotonic() - 0.5
    (outcome,) = await send(port, arrivals_s=np.array([0.0]), start_s=start_s)
    assert 0.5 <= outcome.send_late_s < time.monotonic() - start_s
    assert outcome.latency_s > outcome.send_late_s


async def test_a_slow_answer_does_not_hold_up_the_next_request(port: int) -> None:
    """None of the three is answered before all have come."""
    outcomes = await send(port, "together", arrivals_s=np.array([0.0, 0.01, 0.02]))
    assert [outcome.code for outcome in outcomes] == [200] * 3


async def test_what_takes_too_long_is_given_up(port: int) -> None:
    began_s = time.monotonic()
    outcomes = await send(port, "hang", timeout_s=0.2)
    took_s = time.monotonic() - began_s
    assert {(o.code, o.error, o.variant) for o in outcomes} == {(0, TIMED_OUT, None)}
    assert all(0.2 <= o.latency_s < took_s for o in outcomes)
    assert took_s < 600  # which the server takes


async def test_answers_are_told_apart(port: int) -> None:
    for word, code in (("refuse", 503), ("fail", 500), ("wrong", 400)):
        outcomes = await send(port, word)
        assert [o.code for o in outcomes] == [code] * len(AT_ONCE)
    refused, failed = await send(port, "refuse"), await send(port, "fail")
    summary = summarise(refused + failed)
    assert (summary.refused, summary.failed, summary.errors) == (8, 8, {"HTTP 500": 8})


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("vanish", "the connection was closed before the answer"),
        ("break", "the answer is not HTTP/1.1"),
    ],
)
async def test_what_is_no_answer_is_a_failure_with_its_reason(
    port: int, word: str, error: str
) -> None:
    outcomes = await send(port, word)
    assert {(o.code, o.error) for o in outcomes} == {(0, error)}


async def test_a_server_that_is_not_there_is_a_failure_not_an_exception() -> None:
    outcomes = await send(CLOSED_PORT)
    assert {(o.code, o.error) for o in outcomes} == {(0, "cannot connect: Connection refused")}


async def test_a_server_that_closes_after_each_answer_is_served_all_the_same(port: int) -> None:
    outcomes = await send(port, "close", arrivals_s=np.linspace(0, 0.2, 20), connections=3)
    assert [o.code for o in outcomes] == [200] * 20


async def test_requests_beyond_the_connections_wait_and_are_counted_as_waiting(port: int) -> None:
    outcomes = await send(port, arrivals_s=np.zeros(30), connections=1)
    assert [o.code for o in outcomes] == [200] * 30
    assert max(o.latency_s for o in outcomes) > 30 * 0.002
    assert max(o.sent_s for o in outcomes) < min(o.done_s for o in outcomes)


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "IDLE_LIMIT_S", 0.0)
    outcomes = await send(port, arrivals_s=np.linspace(0, 0.1, 10), connections=2)
    assert [o.code for o in outcomes] == [200] * 10


async def test_an_overload_ends_the_run_early(port: int) -> None:
    arrivals = constant_rate(2_000, 60, seed=1)
    outcomes = await send(port, arrivals_s=arrivals, max_backlog=100)
    assert len(outcomes) < len(arrivals) / 2
    stopped = [o for o in outcomes if o.error == STOPPED]
    assert len(stopped) >= 100
    assert all(o.code == 0 for o in stopped)


async def test_without_arrivals_there_is_nothing_to_wait_for(port: int) -> None:
    assert await send(port, arrivals_s=np.array([])) == []


async def test_a_coarse_alarm_does_where_there_is_no_timerfd(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise OSError("no such thing")

    monkeypatch.setattr(alarms_module, "TimerfdAlarm", absent)
    outcomes = await send(port, arrivals_s=np.linspace(0, 0.1, 10))
    assert [o.code for o in outcomes] == [200] * 10


@pytest.mark.process
def test_the_timerfd_works_on_uvloop_and_is_on_time(port: int) -> None:
    arrivals, late_ms = constant_rate(200, 0.4, seed=3), list[float]()
    while not late_ms or min(late_ms) >= 10:  # measured: 0.05; the machine that tests may be busy
        assert len(late_ms) < 20
        summary = summarise(run(send(port, arrivals_s=arrivals)))
        assert summary.ok == len(arrivals)
        assert summary.send_late_p50_ms is not None
        late_ms.append(summary.send_late_p50_ms)


async def test_a_cancelled_replay_leaves_no_connection_open(port: int) -> None:
    running = asyncio.create_task(send(port, "hang"))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"arrivals_s": np.array([1.0, 0.5])}, "sorted"),
        ({"arrivals_s": np.array([-1.0, 0.5])}, "not below 0"),
        ({"bodies": []}, "at least one request body"),
        ({"headers": {"x": "1\r\nhost: evil"}}, "printable"),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    port: int, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        await send(port, **wrong)


async def flooded(port: int, word: str, concurrency: int) -> list[Outcome]:
    return await flood(
        host="127.0.0.1",
        port=port,
        path=f"/{word}",
        bodies=[b"{}"],
        concurrency=concurrency,
        duration_s=0.3,
        timeout_s=PATIENCE_S,
    )


@pytest.mark.process
async def test_a_flood_finds_what_the_server_can_do(port: int) -> None:
    """As busy as the server is in the best of several: a machine may stand still in any of them."""
    busy_s: list[float] = []
    while not busy_s or max(busy_s) <= 0.5 * 4 * 0.3:  # it was left without work
        assert len(busy_s) < 10, busy_s
        outcomes = await flooded(port, "infer", concurrency=4)
        assert all(outcome.code == 200 for outcome in outcomes)
        assert len(outcomes) / 0.3 < 500  # 2 ms each, and what the machine adds
        busy_s.append(sum(outcome.latency_s for outcome in outcomes))


@pytest.mark.process
async def test_a_flood_does_not_drown_a_server_that_refuses(port: int) -> None:
    rounds = [await flooded(port, "refuse", concurrency=2) for _ in range(5)]
    assert 0 < max(map(len, rounds)) <= 2 * (0.3 / 0.01 + 1)


class Refusing(asyncio.Protocol):
    """Answers whatever ends like the body that is sent; counts connections."""

    opened = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Refusing.opened += 1
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"{}"):
            self.transport.write(b"HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\n{}")


async def test_a_connection_serves_one_request_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections_module, "IDLE_LIMIT_S", PATIENCE_S)
    server = await asyncio.get_running_loop().create_server(Refusing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcomes = await send(port, arrivals_s=np.linspace(0, 0.1, 6), connections=1)
    assert all(outcome.refused for outcome in outcomes)
    assert (len(outcomes), Refusing.opened) == (6, 1)
