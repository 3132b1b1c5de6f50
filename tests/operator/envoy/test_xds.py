"""A real router: Envoy polls the xDS endpoint and sends requests to servers in this process."""

import asyncio
import json
import math
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.domain.steps import Backend
from infadapter_operator.envoy import bootstrap as envoy
from infadapter_operator.envoy import failing_pods
from infadapter_operator.envoy.endpoints import remember
from infadapter_operator.envoy.failing_pods import FIRST_S, IN_A_ROW
from infadapter_operator.envoy.xds import PATH, XdsServer
from infadapter_profiles import wire
from infadapter_server.serving.floors import floor_of
from infadapter_solver.problem import Target
from tests.patience import PATIENCE_S

KEY = "vision/resnet"
ENVOY = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
needs_envoy = pytest.mark.skipif(ENVOY is None, reason="no envoy binary (extra `local` brings it)")


def backend(pod: str, weight: int, address: str = "127.0.0.1:1") -> Backend:
    return Backend(pod=pod, target=Target(pod), address=address, weight=weight)


# --- without an Envoy: answers to polls, and confirmed weights ---------------------------------


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def xds(clock: Clock) -> AsyncIterator[XdsServer]:
    server = XdsServer(clock)
    yield server
    await server.stop()


class Poller:
    """An xDS client that polls as an Envoy does."""

    def __init__(self, xds: XdsServer, session: aiohttp.ClientSession, url: str) -> None:
        self.xds, self._session, self._url = xds, session, url

    async def poll(self, router: str, version: str = "", service_key: str = KEY) -> Any:
        body = {"version_info": version, "node": {"id": router, "cluster": service_key}}
        async with self._session.post(self._url, json=body) as response:
            return None if response.status == 304 else await response.json()

    async def post(self, body: bytes) -> tuple[int, str]:
        async with self._session.post(self._url, data=body) as response:
            return response.status, await response.text()


@pytest.fixture
async def poller(xds: XdsServer) -> AsyncIterator[Poller]:
    port = await xds.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        yield Poller(xds, session, f"http://127.0.0.1:{port}{PATH}")


async def test_nothing_published_is_not_an_empty_answer(poller: Poller) -> None:
    assert await poller.poll("router-1") is None
    assert poller.xds.confirmed(KEY) == {}
    assert poller.xds.routers(KEY) == 0


async def test_weights_count_only_when_the_router_has_echoed_them(poller: Poller) -> None:
    poller.xds.publish(KEY, [backend("a", 3), backend("b", 1)])
    assert poller.xds.confirmed(KEY) == {}
    answer = await poller.poll("router-1")
    await poller.poll("router-1", answer["version_info"])
    assert poller.xds.confirmed(KEY) == {"a": 3, "b": 1}
    assert poller.xds.routers(KEY) == 1


async def test_weights_that_were_offered_are_told_each_as_they_are(poller: Poller) -> None:
    """The router obeys one of them, whose pods may serve less than those of all together."""
    first = poller.xds.publish(KEY, [backend("a", 1), backend("b", 1)])
    await poller.poll("router-1", first)
    assert poller.xds.view(KEY).in_between == ()
    poller.xds.publish(KEY, [backend("a", 1), backend("c", 1)])
    await poller.poll("router-1", first)
    poller.xds.publish(KEY, [backend("b", 1)])
    view = poller.xds.view(KEY)
    assert view.obeys.keys() == {"a", "b", "c"}
    assert view.in_between == ({"a": 1, "c": 1}, {"a": 1, "b": 1})


async def test_another_floor_is_another_version_of_the_same_weights(poller: Poller) -> None:
    before = poller.xds.publish(KEY, [backend("a", 3), backend("b", 1)])
    await poller.poll("router-1", before)
    poller.xds.require(KEY, {"a": 0.7})
    answer = await poller.poll("router-1", before)
    told = [each.get("metadata") for each in answer["resources"][0]["endpoints"][0]["lb_endpoints"]]
    assert told == [{"filter_metadata": {"infadapter": {"accuracy-floor": "0.70000"}}}, None]
    await poller.poll("router-1", answer["version_info"])
    assert poller.xds.view(KEY).obeys == {"a": 3, "b": 1}
    poller.xds.require(KEY, {})
    assert (await poller.poll("router-1", answer["version_info"]))["version_info"] == before


async def test_floors_outlive_a_restart_and_are_read_from_what_routers_echo(clock: Clock) -> None:
    before = XdsServer(clock)
    before.require(KEY, {"a": 0.7})
    before.publish(KEY, [backend("a", 3), backend("b", 1)])
    kept = before.last_good(KEY)
    echoed = before.publish(KEY, [backend("a", 2), backend("b", 2)])
    after = XdsServer(clock)
    after.restore(KEY, kept)
    port = await after.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        polling = Poller(after, session, f"http://127.0.0.1:{port}{PATH}")
        assert await polling.poll("router-1", echoed) is None
    await after.stop()
    after.require(KEY, {"a": 0.7})
    assert after.last_good(KEY) == before.last_good(KEY)


async def test_a_service_that_published_nothing_may_have_a_floor_already(poller: Poller) -> None:
    poller.xds.require(KEY, {"a": 0.7})
    assert await poller.poll("router-1") is None
    poller.xds.publish(KEY, [backend("a", 1)])
    assert poller.xds.last_good(KEY)["backends"][0]["floor"] == 0.7


async def test_a_router_that_has_the_version_is_not_sent_it_again(poller: Poller) -> None:
    version = poller.xds.publish(KEY, [backend("a", 1)])
    assert await poller.poll("router-1", version) is None


async def test_a_pod_is_drained_only_when_every_router_says_so(poller: Poller) -> None:
    first = poller.xds.publish(KEY, [backend("a", 1), backend("b", 1)])
    for router in ("router-1", "router-2"):
        await poller.poll(router, first)
    second = poller.xds.publish(KEY, [backend("a", 2)])
    await poller.poll("router-1", first)
    await poller.poll("router-1", second)
    assert poller.xds.confirmed(KEY) == {"a": 1, "b": 1}
    await poller.poll("router-2", second)
    assert poller.xds.confirmed(KEY) == {"a": 2}


async def test_a_pod_that_was_offered_and_taken_back_may_still_get_traffic(poller: Poller) -> None:
    first = poller.xds.publish(KEY, [backend("a", 1)])
    await poller.poll("router-1", first)
    poller.xds.publish(KEY, [backend("a", 1), backend("b", 1)])
    await poller.poll("router-1", first)  # the router has not confirmed b yet
    assert poller.xds.publish(KEY, [backend("a", 1)]) == first
    assert poller.xds.confirmed(KEY) == {"a": 1, "b": 1}
    await poller.poll("router-1", first)
    assert poller.xds.confirmed(KEY) == {"a": 1}


async def test_a_silent_router_is_forgotten_once_another_one_asks(
    poller: Poller, clock: Clock
) -> None:
    first = poller.xds.publish(KEY, [backend("a", 1), backend("b", 1)])
    await poller.poll("router-1", first)
    second = poller.xds.publish(KEY, [backend("a", 1)])
    clock.now_s += 16
    assert poller.xds.routers(KEY) == 0
    assert poller.xds.confirmed(KEY) == {"a": 1, "b": 1}  # no router contradicts
    await poller.poll("router-2", second)
    assert poller.xds.confirmed(KEY) == {"a": 1}


async def test_a_restarted_operator_goes_on_where_it_was(poller: Poller) -> None:
    before = XdsServer()
    version = before.publish(KEY, [backend("a", 3), backend("b", 1)])
    kept = json.loads(json.dumps(before.last_good(KEY)))
    poller.xds.restore(KEY, kept)
    assert poller.xds.confirmed(KEY) == {"a": 3, "b": 1}
    assert await poller.poll("router-1", version) is None
    assert poller.xds.last_good(KEY) == kept


async def test_a_restarted_operator_learns_newer_weights_from_its_routers(poller: Poller) -> None:
    """The ConfigMap is written when pods change, not at each change of weights."""
    before = XdsServer()
    before.publish(KEY, [backend("a", 3), backend("b", 1)])
    kept = before.last_good(KEY)
    newer = before.publish(KEY, [backend("a", 2), backend("b", 7)])
    poller.xds.restore(KEY, kept)
    assert await poller.poll("router-1", newer) is None, "it has what is current"
    assert await poller.xds.heard(KEY)
    assert poller.xds.confirmed(KEY) == {"a": 2, "b": 7}
    assert poller.xds.last_good(KEY) == before.last_good(KEY)


async def test_what_was_published_since_a_restart_stays_current(poller: Poller) -> None:
    before = XdsServer()
    before.publish(KEY, [backend("a", 3), backend("b", 1)])
    poller.xds.restore(KEY, before.last_good(KEY))
    newer = before.publish(KEY, [backend("a", 2), backend("b", 7)])
    current = poller.xds.publish(KEY, [backend("a", 1)])
    answer = await poller.poll("router-1", newer)
    assert answer["version_info"] == current
    assert poller.xds.confirmed(KEY) == {"a": 2, "b": 7}
    await poller.poll("router-1", current)
    assert poller.xds.confirmed(KEY).keys() == {"a", "b"}, "another router may not have asked yet"


async def test_routers_that_differ_after_a_restart_come_to_the_same(poller: Poller) -> None:
    """The operator was killed between their polls, and neither obeys the stored weights."""
    before = XdsServer()
    before.publish(KEY, [backend("a", 5), backend("b", 5)])
    kept = before.last_good(KEY)
    obeyed = {
        "router-1": before.publish(KEY, [backend("a", 7), backend("b", 3)]),
        "router-2": before.publish(KEY, [backend("a", 6), backend("b", 4)]),
    }
    poller.xds.restore(KEY, kept)
    for _ in range(2):
        for router, version in obeyed.items():
            answer = await poller.poll(router, version)
            obeyed[router] = answer["version_info"] if answer else version
    assert len(set(obeyed.values())) == 1
    assert set(poller.xds.confirmed(KEY)) == {"a", "b"}


@pytest.mark.parametrize("said", ["3.1", "3", "0.1", "3.1.1", "x.1", "", "99999999999.1"])
async def test_a_version_that_says_what_it_is_not_the_digest_of_is_unknown(
    poller: Poller, said: str
) -> None:
    before = XdsServer()
    before.publish(KEY, [backend("a", 3), backend("b", 1)])
    poller.xds.restore(KEY, before.last_good(KEY))
    await poller.poll("router-1", f"0123456789abcdef:{said}")
    with pytest.raises(PlatformUnavailable, match="0123456789abcdef"):
        poller.xds.confirmed(KEY)


async def test_routers_that_stay_silent_are_waited_for_no_longer_than_said(
    clock: Clock,
) -> None:
    xds = XdsServer(clock, heard_within_s=0.01)
    xds.restore(KEY, {"backends": []})
    assert not await xds.heard(KEY)


async def test_a_router_that_obeys_what_is_unknown_makes_nothing_known(poller: Poller) -> None:
    poller.xds.publish(KEY, [backend("a", 1)])
    answer = await poller.poll("router-1", "of-before")
    with pytest.raises(PlatformUnavailable, match="of-before"):
        poller.xds.confirmed(KEY)
    await poller.poll("router-1", answer["version_info"])
    assert poller.xds.confirmed(KEY) == {"a": 1}


async def test_services_do_not_see_each_other(poller: Poller) -> None:
    poller.xds.publish(KEY, [backend("a", 1)])
    poller.xds.publish("vision/other", [backend("z", 1)])
    answer = await poller.poll("router-1", service_key="vision/other")
    assert "127.0.0.1" in json.dumps(answer)
    await poller.poll("router-1", answer["version_info"], "vision/other")
    assert (poller.xds.confirmed(KEY), poller.xds.confirmed("vision/other")) == ({}, {"z": 1})
    poller.xds.forget("vision/other")
    assert await poller.poll("router-1", service_key="vision/other") is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"node": {"id": "", "cluster": "x"}}'])
async def test_a_body_that_is_no_discovery_request_is_refused(poller: Poller, body: bytes) -> None:
    status, text = await poller.post(body)
    assert (status, text[:24]) == (400, "Not a discovery request:")


async def test_a_router_that_refuses_its_weights_is_told_of_once(
    xds: XdsServer, poller: Poller, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: each new version of the weights, as the load changed, logged another line."""
    for weight in range(1, 20):
        xds.publish(KEY, [backend("a", weight), backend("b", 1)])
        await poller.poll("envoy-1")
        clock.now_s += 1.0
    assert caplog.messages == [
        "vision/resnet: router envoy-1 did not take the weights that it was offered"
    ]


async def test_a_body_that_is_too_large_is_refused(xds: XdsServer) -> None:
    port = await xds.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    size = (1 << 20) + 1
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
    writer.write(b" " * size)
    assert b"413" in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_what_it_remembers_of_routers_and_versions_is_bounded(poller: Poller) -> None:
    for weight in range(1, 100):
        poller.xds.publish(KEY, [backend("a", weight)])
        await poller.poll(f"router-{weight}")
    assert poller.xds.routers(KEY) == 64
    service = poller.xds._services[KEY]
    assert len(service.versions) <= 32 + 2 * 64


async def test_a_router_that_is_cut_off_stops_nothing_however_many_weights_follow(
    poller: Poller,
) -> None:
    """Regression: after 32 more versions its own was forgotten, so its weights were unknown."""
    first = poller.xds.publish(KEY, [backend("a", 1), backend("b", 1)])
    await poller.poll("router-1", first)
    poller.xds.publish(KEY, [backend("a", 1), backend("c", 1)])
    await poller.poll("router-1", first)  # it is offered c, and never polls again
    for weight in range(2, 100):
        poller.xds.publish(KEY, [backend("a", weight)])
    assert poller.xds.view(KEY).obeys.keys() == {"a", "b", "c"}


GOOD = {"pod": "a", "variant": "r18", "kind": "cpu", "address": "10.0.0.1:80", "weight": 1}


@pytest.mark.parametrize(
    "kept",
    [
        *({}, {"backends": [{}]}, {"backends": [{"address": "x"}]}, {"backends": 1}),
        {"backends": [{**GOOD, "weight": math.inf}]},
        {"backends": [{**GOOD, "floor": 10**400}]},
        {"backends": [{**GOOD, "address": "10.0.0.1:80808"}]},
    ],
)
def test_what_is_not_a_memory_of_backends_is_named(kept: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="remembered backends cannot be read"):
        XdsServer().restore(KEY, kept)


# --- with a real Envoy ---------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Pod:
    """A pod: the status of its answers, and the number of its requests."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.asked = status, 0


@asynccontextmanager
async def pod(name: str, does: Pod | None = None) -> AsyncIterator[str]:
    doing = does or Pod()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        doing.asked += 1
        await asyncio.sleep(0.02 if doing.status == 200 else 0.0)
        return web.Response(text=name, status=doing.status)

    async def told(request: web.Request) -> web.Response:
        header = request.match_info["header"]
        return web.Response(text=", ".join(request.headers.getall(header, ["none"])))

    app = web.Application()
    app.router.add_get("/told/{header}", told)
    app.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def running_envoy(config: Path, xds_port: int, **options: Any) -> Iterator[tuple[str, str]]:
    """Yield the address for requests and the address for statistics."""
    listen_port, admin_port, stats_port = free_port(), free_port(), free_port()
    started = envoy.bootstrap(
        service_key=KEY,
        slo_s=0.2,
        xds_host="127.0.0.1",
        xds_port=xds_port,
        listen_port=listen_port,
        admin_port=admin_port,
        stats_port=stats_port,
        **options,
    )
    config.write_text(json.dumps(started))
    arguments = [str(ENVOY), "-c", str(config), "--concurrency", "1", "--log-level", "error"]
    process = subprocess.Popen([*arguments, "--disable-hot-restart"])
    try:
        yield f"http://127.0.0.1:{listen_port}", f"http://127.0.0.1:{stats_port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str, stats_url: str) -> None:
        self._session, self.url, self.stats_url = session, url, stats_url

    async def send(self) -> tuple[int, str]:
        async with self._session.post(f"{self.url}/v2/models/resnet/infer", data=b"x") as response:
            return response.status, await response.text()

    async def told(self, header: str, **headers: str) -> str:
        """Return the value of this header that the pod receives."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.get(f"{self.url}/told/{header}", headers=named) as response:
            return await response.text()

    async def ready(self) -> bool:
        """Whether the router answers /ready."""
        try:
            return (await self.get("/ready"))[0] == 200
        except aiohttp.ClientConnectionError:
            return False

    async def refused(self) -> bool:
        return (await self.send())[0] == 503

    async def names(self, requests: int) -> list[str]:
        return [(await self.send())[1] for _ in range(requests)]

    async def until(self, *names: str) -> float:
        """Wait until exactly these answer, and return how long it took."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while loop.time() < began_s + PATIENCE_S:
            try:
                if set(await self.names(2 * len(names))) == set(names):
                    return loop.time() - began_s
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(f"{names} never answered")

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(self.stats_url + path) as response:
            return response.status, await response.text()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.05)


async def in_force(xds: XdsServer, weights: dict[str, int]) -> bool:
    return xds.confirmed(KEY) == weights


async def drained(xds: XdsServer, pod_name: str) -> bool:
    return pod_name not in xds.confirmed(KEY)


@asynccontextmanager
async def routed(tmp_path: Path, xds: XdsServer, **options: Any) -> AsyncIterator[Client]:
    port = await xds.start("127.0.0.1", 0)
    try:
        with running_envoy(tmp_path / "envoy.json", port, **options) as (url, stats_url):
            async with aiohttp.ClientSession() as session:
                yield Client(session, url, stats_url)
    finally:
        await xds.stop()


@needs_envoy
async def test_weights_are_served_smoothly_and_changes_are_in_force(tmp_path: Path) -> None:
    xds = XdsServer()
    async with pod("a") as a, pod("b") as b, routed(tmp_path, xds) as client:
        xds.publish(KEY, [backend("a", 75, a), backend("b", 25, b)])
        await client.until("a", "b")
        names = await client.names(40)
        assert Counter(names) == {"a": 30, "b": 10}
        assert {Counter(names[i : i + 4])["b"] for i in range(0, 40, 4)} == {1}  # smooth
        xds.publish(KEY, [backend("a", 0, a), backend("b", 1, b)])
        await client.until("b")
        await eventually(lambda: drained(xds, "a"))
        assert xds.confirmed(KEY) == {"b": 1}


@needs_envoy
@pytest.mark.process
async def test_weights_and_floors_that_change_are_in_force_within_two_seconds(
    tmp_path: Path,
) -> None:
    """The shortest of several runs counts, since the machine may stall in any of them."""
    xds, weights_s, floors_s = XdsServer(), list[float](), list[float]()
    clock = asyncio.get_running_loop().time

    async def asked(floor_text: str) -> bool:
        return await client.told(wire.FLOOR_HEADER) == floor_text

    async with pod("a") as a, pod("b") as b, routed(tmp_path, xds) as client:
        for n in range(5):
            name, address = (("a", a), ("b", b))[n % 2]
            xds.publish(KEY, [backend(name, 1, address)])
            weights_s.append(await client.until(name))
            began_s = clock()
            xds.require(KEY, {name: (floor := 0.5 + n / 100)})
            await eventually(partial(asked, f"{floor:.5f}"))
            floors_s.append(clock() - began_s)
    assert min(weights_s[1:]) <= 2.0, "the first one is the router's start"
    assert min(floors_s) <= 2.0


@needs_envoy
async def test_pods_are_told_the_slo_unless_the_client_has_said_a_deadline(tmp_path: Path) -> None:
    xds = XdsServer()
    async with pod("one") as address, routed(tmp_path, xds) as client:
        xds.publish(KEY, [backend("one", 1, address)])
        await client.until("one")
        assert await client.told(wire.DEADLINE_HEADER) == "200"
        assert await client.told(wire.DEADLINE_HEADER, infadapter_deadline_ms="50") == "50"


@needs_envoy
async def test_a_floor_reaches_pods_beside_the_client_s_and_changes_while_the_router_runs(
    tmp_path: Path,
) -> None:
    xds = XdsServer()

    async def floor(**headers: str) -> str:
        return await client.told(wire.FLOOR_HEADER, **headers)

    async def asked(floor_text: str) -> bool:
        return await floor() == floor_text

    async with pod("one") as address, routed(tmp_path, xds) as client:
        xds.publish(KEY, [backend("one", 1, address)])
        await client.until("one")
        assert await floor() == "none"
        assert await floor(infadapter_accuracy_floor="0.7") == "0.7"
        xds.require(KEY, {"one": 0.75, "other": 0.9})
        await eventually(lambda: asked("0.75000"))
        both = await floor(infadapter_accuracy_floor="0.9")
        assert floor_of(both.encode(), None) == 0.9
        less = await floor(infadapter_accuracy_floor="0.1")
        assert floor_of(less.encode(), None) == 0.75
        xds.require(KEY, {})
        await eventually(lambda: asked("none"))


@needs_envoy
async def test_a_router_that_starts_alone_asks_for_the_floor_that_it_remembers(
    tmp_path: Path,
) -> None:
    nobody = free_port()
    async with pod("one") as address:
        kept = XdsServer()
        kept.require(KEY, {"one": 0.75})
        kept.publish(KEY, [backend("one", 1, address)])
        config, last_good = tmp_path / "envoy.json", kept.last_good(KEY)
        with running_envoy(config, nobody, last_good=last_good) as (url, stats_url):
            async with aiohttp.ClientSession() as session:
                client = Client(session, url, stats_url)
                await client.until("one")
                assert await client.told(wire.FLOOR_HEADER) == "0.75000"


@needs_envoy
async def test_removing_an_endpoint_under_load_loses_no_request(tmp_path: Path) -> None:
    xds = XdsServer()
    async with AsyncExitStack() as rest:
        client = await rest.enter_async_context(routed(tmp_path, xds, refresh_s=0.2))
        a = await rest.enter_async_context(pod("a"))
        async with pod("b") as b:
            xds.publish(KEY, [backend("a", 1, a), backend("b", 1, b)])
            await client.until("a", "b")
            answers: list[tuple[int, str]] = []
            load = [asyncio.create_task(paced(client, 0.01 * i, 40, answers)) for i in range(5)]
            while len(answers) < 50:  # noqa: ASYNC110 - as many as come meanwhile
                await asyncio.sleep(0.01)
            xds.publish(KEY, [backend("a", 1, a)])
            await eventually(lambda: drained(xds, "b"))
        await asyncio.gather(*load)
        assert Counter(status for status, _ in answers) == {200: 200}
        assert {name for _, name in answers} == {"a", "b"}


async def paced(
    client: Client, offset_s: float, requests: int, answers: list[tuple[int, str]]
) -> None:
    await asyncio.sleep(offset_s)
    for _ in range(requests):
        answers.append(await client.send())
        await asyncio.sleep(0.03)


@needs_envoy
async def test_nothing_ready_is_refused_with_retry_after_and_counted(tmp_path: Path) -> None:
    xds = XdsServer()
    async with pod("a") as a, routed(tmp_path, xds, refresh_s=0.2) as client:
        xds.publish(KEY, [backend("a", 1, a)])
        await client.until("a")
        xds.publish(KEY, [backend("a", 0, a)])
        await eventually(client.refused)
        assert "No pod of this service is ready" in (await client.send())[1]
        async with aiohttp.request("POST", client.url) as response:
            assert response.headers["retry-after"] == "1"
        _, text = await client.get("/stats/prometheus")
        label = f'{{{wire.ROUTER_CODE_CLASS}="5",{wire.ROUTER_SERVICE}="{KEY}"}} '
        [line] = [x for x in text.splitlines() if x.startswith(f"{wire.ROUTER_ANSWERS}{label}")]
        assert int(line.split()[-1]) >= 2


@needs_envoy
async def test_a_router_that_restarts_while_the_operator_is_down_still_routes(
    tmp_path: Path,
) -> None:
    xds = XdsServer()
    async with pod("a") as a, pod("b") as b:
        xds.publish(KEY, [backend("a", 3, a), backend("b", 1, b)])
        kept = xds.last_good(KEY)
        nobody = free_port()
        with running_envoy(tmp_path / "envoy.json", nobody, last_good=kept) as (url, stats_url):
            async with aiohttp.ClientSession() as session:
                client = Client(session, url, stats_url)
                await client.until("a", "b")
                assert Counter(await client.names(40)) == {"a": 30, "b": 10}


@needs_envoy
async def test_what_is_remembered_gives_way_to_what_is_published(tmp_path: Path) -> None:
    xds = XdsServer()
    async with pod("a") as a, pod("b") as b:
        before = XdsServer()
        before.publish(KEY, [backend("a", 1, a)])
        async with routed(tmp_path, xds, last_good=before.last_good(KEY)) as client:
            await client.until("a")
            xds.publish(KEY, [backend("b", 1, b)])
            await client.until("b")
            xds.publish(KEY, [])  # without Ready pods, `a` must not return
            await eventually(client.refused)
            assert {(await client.send())[0] for _ in range(5)} == {503}


@needs_envoy
async def test_a_pod_that_is_gone_costs_no_request_while_another_one_is_there(
    tmp_path: Path,
) -> None:
    xds = XdsServer()
    async with pod("a") as a, routed(tmp_path, xds) as client:
        gone = f"127.0.0.1:{free_port()}"
        xds.publish(KEY, [backend("a", 1, a), backend("b", 1, gone)])
        await client.until("a")
        await eventually(lambda: in_force(xds, {"a": 1, "b": 1}))
        assert set(await client.names(20)) == {"a"}


@needs_envoy
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_pod_that_only_fails_loses_its_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    for seconds in ("FIRST_S", "LONGEST_S"):  # so that it stays ejected
        monkeypatch.setattr(failing_pods, seconds, 600)
    xds, failing = XdsServer(), Pod(status)
    async with AsyncExitStack() as pods:
        bad = await pods.enter_async_context(pod("bad", failing))
        good = [await pods.enter_async_context(pod(name)) for name in ("a", "b")]
        async with routed(tmp_path, xds) as client:
            a, b = (backend(n, 1, at) for n, at in zip("ab", good, strict=True))
            xds.publish(KEY, [backend("bad", 8, bad), a, b])
            await eventually(lambda: in_force(xds, {"bad": 8, "a": 1, "b": 1}))
            await eventually(client.ready)
            answers = [await client.send() for _ in range(40)]
    failed = sum(code == status for code, _ in answers)
    assert failed == failing.asked <= 2 * IN_A_ROW, "most of all requests were to be its"
    assert [name for _, name in answers[-20:]].count("bad") == 0


@needs_envoy
@pytest.mark.process
async def test_a_pod_that_has_come_round_gets_requests_again(tmp_path: Path) -> None:
    """The shortest of several runs counts, since the machine may stall in any of them."""
    took_s: list[float] = []
    while not took_s or min(took_s) > 2 * FIRST_S:
        assert len(took_s) < 5, took_s
        xds, failing = XdsServer(), Pod(500)
        async with pod("bad", failing) as bad, pod("a") as a, routed(tmp_path, xds) as client:
            xds.publish(KEY, [backend("bad", 1, bad), backend("a", 1, a)])
            await client.until("a")
            failing.status = 200
            took_s.append(await client.until("a", "bad"))


@needs_envoy
async def test_what_a_failing_pod_loses_goes_to_no_pod_of_before(tmp_path: Path) -> None:
    """A restarted router still has pods in its stored configuration that were drained later."""
    xds, failing, drained_pod = XdsServer(), Pod(500), Pod()
    async with AsyncExitStack() as pods:
        old = await pods.enter_async_context(pod("old", drained_pod))
        bad = await pods.enter_async_context(pod("bad", failing))
        a = await pods.enter_async_context(pod("a"))
        kept = remember([backend("old", 1, old)])
        async with routed(tmp_path, xds, last_good=kept) as client:
            xds.publish(KEY, [backend("bad", 1, bad), backend("a", 1, a)])
            await eventually(lambda: in_force(xds, {"bad": 1, "a": 1}))
            await eventually(client.ready)
            await client.until("a")
            before = drained_pod.asked
            await client.names(40)
    assert drained_pod.asked == before


@needs_envoy
async def test_a_pod_that_refuses_keeps_its_part(tmp_path: Path) -> None:
    """A refusal is no failure: in an overload every pod refuses some and serves the others."""
    xds, full = XdsServer(), Pod(503)
    async with pod("full", full) as address, pod("a") as a, routed(tmp_path, xds) as client:
        xds.publish(KEY, [backend("full", 1, address), backend("a", 1, a)])
        await eventually(lambda: in_force(xds, {"full": 1, "a": 1}))
        await eventually(client.ready)
        before = full.asked
        await client.names(60)
        assert full.asked - before == 30


@needs_envoy
async def test_where_every_pod_fails_somebody_still_answers(tmp_path: Path) -> None:
    """If all pods fail, the input may be the cause, so not all of them are ejected."""
    xds, first, second = XdsServer(), Pod(500), Pod(500)
    async with pod("a", first) as a, pod("b", second) as b, routed(tmp_path, xds) as client:
        xds.publish(KEY, [backend("a", 1, a), backend("b", 1, b)])
        await eventually(lambda: in_force(xds, {"a": 1, "b": 1}))
        await eventually(client.ready)
        assert {status for status, _ in [await client.send() for _ in range(40)]} == {500}
        first.status = second.status = 200
        assert (await client.send())[0] == 200


@needs_envoy
async def test_statistics_show_the_demand_and_nothing_can_be_changed_there(tmp_path: Path) -> None:
    xds = XdsServer()
    async with pod("a") as a, routed(tmp_path, xds) as client:
        xds.publish(KEY, [backend("a", 1, a)])
        await client.until("a")
        _, text = await client.get("/stats/prometheus")
        assert f'{wire.ROUTER_ARRIVALS}{{{wire.ROUTER_SERVICE}="{KEY}"}} ' in text
        assert f'{wire.ROUTER_LATENCY}_bucket{{{wire.ROUTER_SERVICE}="{KEY}",le="200"}} ' in text
        assert (await client.get("/ready"))[0] == 200
        for path in ("/stats", "/quitquitquit", "/config_dump", "/"):
            assert (await client.get(path))[0] == 404
        async with aiohttp.request("POST", f"{client.stats_url}/ready") as response:
            assert response.status == 404
