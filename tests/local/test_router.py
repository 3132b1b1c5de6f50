"""A real Envoy, a real demand reader: what is sent is counted, and no data is never zero."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from infadapter_local.load import EnvoyLoad
from infadapter_local.processes import Processes
from infadapter_local.router import LocalRouter, envoy_path, started_router
from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import InvalidData, LoadError, NoData, QueryFailed, StaleData
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.domain.steps import Backend, SetWeights
from infadapter_solver.problem import Target
from tests.patience import PATIENCE_S

KEY = "local/glyphs"
needs_envoy = pytest.mark.skipif(
    envoy_path() is None, reason="no envoy binary (extra `local` brings it)"
)


@pytest.fixture
async def router(
    processes: Processes, session: aiohttp.ClientSession, tmp_path: Path
) -> AsyncIterator[LocalRouter]:
    async with started_router(
        processes, session, service_key=KEY, slo_s=0.2, folder=tmp_path
    ) as started:
        yield started


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def stats(text: str, status: int = 200) -> tuple[web.AppRunner, str]:
    """An admin endpoint that always says the same."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_get("/stats", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@needs_envoy
async def test_weights_are_confirmed_by_a_real_router(router: LocalRouter) -> None:
    backend = Backend(pod="a", target=Target("a"), address="127.0.0.1:9", weight=3)
    await router.set_weights(SetWeights(backends=(backend,)))
    async with asyncio.timeout(PATIENCE_S):
        while not (await router.view()).obeys:  # noqa: ASYNC110  # Envoy asks when it likes
            await asyncio.sleep(0.05)
    assert (await router.view()).obeys == {"a": 3}


@needs_envoy
async def test_refused_requests_are_demand_too(
    router: LocalRouter, session: aiohttp.ClientSession
) -> None:
    clock = Clock()
    demand = EnvoyLoad(session, router.admin_url, KEY, clock, 0.2)
    await demand.read()
    for _ in range(30):
        async with session.post(router.url, data=b"x") as response:
            assert response.status == 503
    clock.now_s += 2.0
    await demand.read()
    history = await demand.history(10.0, clock.now_s)
    assert [sample.rps for sample in history.samples] == [15.0]


@needs_envoy
async def test_an_envoy_that_ended_is_not_an_empty_router(
    processes: Processes, router: LocalRouter
) -> None:
    (child,) = processes._children
    await child.end()
    with pytest.raises(PlatformUnavailable, match="envoy ended"):
        await router.view()


@needs_envoy
@pytest.mark.usefixtures("router")
async def test_a_router_makes_no_file_in_shared_memory_that_would_stay(
    processes: Processes,
) -> None:
    (envoy,) = processes._children
    assert "/dev/shm/" not in memory_of(envoy.pid)


def memory_of(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


async def test_before_the_first_second_there_is_no_data(session: aiohttp.ClientSession) -> None:
    demand = EnvoyLoad(session, "http://127.0.0.1:9", KEY, Clock(), 0.2)
    with pytest.raises(NoData):
        await demand.history(10.0, 100.0)


@pytest.mark.parametrize(
    ("text", "error"), [("", NoData), (f"http.{KEY}.x: many", InvalidData), ("a: -1", InvalidData)]
)
async def test_an_answer_that_is_no_count_is_named(
    session: aiohttp.ClientSession, text: str, error: type[LoadError]
) -> None:
    runner, url = await stats(text)
    demand = EnvoyLoad(session, url, KEY, Clock(), 0.2)
    await demand.read()
    with pytest.raises(error):
        await demand.history(10.0, 100.0)
    await runner.cleanup()


async def test_no_answer_is_named_and_old_samples_are_stale(session: aiohttp.ClientSession) -> None:
    runner, url = await stats("x: 10")
    clock = Clock()
    demand = EnvoyLoad(session, url, KEY, clock, 0.2)
    await demand.read()
    clock.now_s += 1.0
    await demand.read()
    assert (await demand.history(10.0, clock.now_s)).samples[-1].rps == 0.0  # no traffic is data
    with pytest.raises(StaleData):
        await demand.history(10.0, clock.now_s + 5.0)
    await runner.cleanup()
    clock.now_s += 5.0
    await demand.read()
    with pytest.raises(QueryFailed):
        await demand.history(10.0, clock.now_s)


async def test_a_router_that_restarts_gives_no_negative_rate(
    session: aiohttp.ClientSession,
) -> None:
    clock = Clock()
    first, url = await stats("x: 1000")
    demand = EnvoyLoad(session, url, KEY, clock, 0.2)
    await demand.read()
    await first.cleanup()
    second, demand._url = await stats("x: 10")
    demand._url += "/stats"
    clock.now_s += 1.0
    await demand.read()
    with pytest.raises(NoData):
        await demand.history(10.0, clock.now_s)
    await second.cleanup()


@needs_envoy
async def test_what_became_of_requests_is_counted_between_two_questions(
    router: LocalRouter, session: aiohttp.ClientSession
) -> None:
    clock = Clock()
    load = EnvoyLoad(session, router.admin_url, KEY, clock, 0.2)
    assert await load.answers(60.0, clock()) == ()
    for _ in range(30):
        async with session.post(router.url, data=b"x") as response:
            assert response.status == 503
    found: tuple[Answers, ...] = ()
    async with asyncio.timeout(PATIENCE_S):
        while sum(one.arrived for one in found) < 30:  # Envoy's histogram is seconds late
            clock.now_s += 0.1
            found = await load.answers(60.0, clock()) or ()
            await asyncio.sleep(0.1)
    assert sum(one.refused for one in found) == 30
    assert sum(one.late + one.failed for one in found) == 0
    ends_s = [one.at_s for one in found]
    assert ends_s == sorted(ends_s)


async def test_a_router_that_does_not_answer_tells_nothing_of_requests(
    session: aiohttp.ClientSession,
) -> None:
    load = EnvoyLoad(session, "http://127.0.0.1:9", KEY, Clock(), 0.2)
    assert await load.answers(60.0, 100.0) is None
