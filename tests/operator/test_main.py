"""The real kopf on a small API server: events of its watches reach the services' loops."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web
from kopf._cogs.clients import watching
from kubernetes import config
from prometheus_client import CollectorRegistry, generate_latest

from infadapter_local.router import free_ports
from infadapter_operator.main import register, run
from infadapter_operator.settings import Settings
from infadapter_operator.watching import CONTINUOUS_WATCH, watch_by
from tests.operator.kube.bench import service
from tests.patience import PATIENCE_S

Json = dict[str, Any]
GROUP = "/apis/infadapter.io/v1alpha1"
KINDS = {"inferenceservices": "InferenceService", "variantprofiles": "VariantProfile"}

METADATA = {
    "name": "resnet",
    "generation": 1,
    "resourceVersion": "5",
    "creationTimestamp": "2026-01-01T00:00:00Z",
}
WRITTEN = service()
SERVICE: Json = {**WRITTEN, "metadata": {**WRITTEN["metadata"], **METADATA}}


def resource(plural: str, kind: str, *, namespaced: bool = True) -> Json:
    verbs = ["list", "watch", "patch", "get"]
    named = {"name": plural, "singularName": "", "kind": kind}
    return {**named, "namespaced": namespaced, "verbs": verbs}


class ApiServer:
    """
    Answers lists and watches of the two kinds, and stores written statuses. `faults` are answered
    first to lists or watches of services, each once.
    """

    def __init__(self) -> None:
        self.services: list[Json] = [SERVICE]
        self.faults: dict[str, list[Callable[[], web.StreamResponse]]] = {"list": [], "watch": []}
        self.lists = 0
        self.closing = asyncio.Event()
        self.events: asyncio.Queue[Json | None] = asyncio.Queue()  # None: the watch ends
        self.statuses: asyncio.Queue[Json] = asyncio.Queue()
        self.app = web.Application()
        self.app.router.add_get(GROUP, self._kinds)
        self.app.router.add_get("/api/v1", self._core)
        self.app.router.add_patch("/{path:.*}/status", self._status)
        for where in ("", "/namespaces/vision"):
            self.app.router.add_get(f"{GROUP}{where}/{{plural}}", self._list_or_watch)
        self.app.router.add_route("*", "/{path:.*}", self._other)

    async def _kinds(self, _: web.Request) -> web.Response:
        found = [resource(plural, kind) for plural, kind in KINDS.items()]
        return web.json_response({"kind": "APIResourceList", "resources": found})

    async def _core(self, _: web.Request) -> web.Response:
        found = [resource("namespaces", "Namespace", namespaced=False)]
        return web.json_response({"kind": "APIResourceList", "resources": found})

    async def _list_or_watch(self, request: web.Request) -> web.StreamResponse:
        services = request.match_info["plural"] == "inferenceservices"
        watches = "watch" in request.query
        self.lists += services and not watches and "limit" not in request.query
        if (
            services
            and "limit" not in request.query
            and (faults := self.faults["watch" if watches else "list"])
        ):
            return faults.pop(0)()
        if not watches:
            items = self.services if services else []
            return web.json_response({"metadata": {"resourceVersion": "5"}, "items": items})
        stream = web.StreamResponse()
        await stream.prepare(request)
        while services:
            if (event := await self.events.get()) is None:
                return stream
            await stream.write(json.dumps(event).encode() + b"\n")
        await self.closing.wait()
        return stream

    async def _status(self, request: web.Request) -> web.Response:
        (operation,) = await request.json()
        self.statuses.put_nowait(operation["value"])
        return web.json_response({**SERVICE, "status": operation["value"]})

    async def _other(self, request: web.Request) -> web.Response:
        if request.path == "/apis":
            version = {"groupVersion": "infadapter.io/v1alpha1", "version": "v1alpha1"}
            group = {"name": "infadapter.io", "versions": [version], "preferredVersion": version}
            return web.json_response({"groups": [group]})
        if request.method == "GET" and request.path.endswith("/inferenceservices/resnet"):
            there = self.services[0] if self.services else None
            return web.json_response(there or {}, status=200 if there else 404)
        if request.method == "GET":
            return web.json_response({"items": [], "resources": [], "versions": ["v1"]})
        return web.json_response({}, status=201)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    made = ApiServer()
    runner = web.AppRunner(made.app, shutdown_timeout=0.1, keepalive_timeout=0.0)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "me", "user": {"token": "t"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr(config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    yield made
    await runner.cleanup()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of an operator in this process, with its own ports and metrics registry."""
    registry = CollectorRegistry()
    monkeypatch.setattr("infadapter_operator.main.REGISTRY", registry)
    monkeypatch.setattr(
        "infadapter_operator.health.generate_latest", partial(generate_latest, registry)
    )
    xds_port, metrics_port = free_ports(2)
    yield Settings(
        xds_port=xds_port, metrics_port=metrics_port, cycle_s=0.2, namespaces=("vision",)
    )
    watching.continuous_watch = CONTINUOUS_WATCH


@contextlib.asynccontextmanager
async def operating(server: ApiServer, settings: Settings) -> AsyncIterator[None]:
    registry = kopf.OperatorRegistry()
    watch = register(registry, settings)
    watch_by(watch)
    told = kopf.OperatorSettings()
    told.networking.error_backoffs = ()
    running = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=told,
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=list(settings.namespaces),
            stop_flag=watch.unknown,
        )
    )
    try:
        yield
    finally:
        watch.unknown.set()
        server.closing.set()  # kopf waits for all running tasks
        server.events.put_nowait(None)
        async with asyncio.timeout(PATIENCE_S):
            await running


@pytest.mark.parametrize("namespaces", [("vision",), ()], ids=["one namespace", "all"])
async def test_a_service_that_kopf_meets_has_a_loop_until_it_is_deleted(
    server: ApiServer, settings: Settings, namespaces: tuple[str, ...]
) -> None:
    settings = replace(settings, namespaces=namespaces)
    async with operating(server, settings):
        async with asyncio.timeout(PATIENCE_S):
            status = await server.statuses.get()
        (resolved,) = (c for c in status["conditions"] if c["type"] == "ProfilesResolved")
        assert (resolved["status"], resolved["reason"]) == ("False", "ProfileMissing")
        assert await told_of_resnet(settings)
        server.events.put_nowait({"type": "DELETED", "object": SERVICE})
        await until_none_is_told_of(settings)


def json_lines(*events: object) -> Callable[[], web.Response]:
    """Return a watch that sends these events and ends."""
    text = "".join(json.dumps(event) + "\n" for event in events)
    return lambda: web.Response(text=text, content_type="application/json")


def error(**status: object) -> Callable[[], web.Response]:
    return json_lines({"type": "ERROR", "object": {"kind": "Status", "metadata": {}, **status}})


def page(status: int) -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, text="<html>…</html>", content_type="text/html")


WATCH_FAULTS = (
    error(code=500, message="etcdserver: leader changed"),
    error(message="unable to decode an event from the watch stream"),  # has no status code
    lambda: web.Response(text='{"type": "MODIFIED", "obj'),
    json_lines({"status": "maintenance"}),
    *map(page, (200, 403, 404, 410, 500)),
)
LIST_FAULTS = tuple(map(page, (200, 403, 404, 410, 500)))


async def test_an_operator_outlives_watches_and_lists_that_fail_and_hears_what_comes_after_them(
    server: ApiServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Regression: each ended the operator with a traceback: https://github.com/nolar/kopf/issues/787
    and, for the API server's messages, https://github.com/kubernetes/kubernetes/pull/73937.
    """
    monkeypatch.setattr("infadapter_operator.watching.AGAIN_MOST_S", 0.01)
    server.faults["list"] += LIST_FAULTS
    server.faults["watch"] += WATCH_FAULTS
    async with operating(server, settings):
        async with asyncio.timeout(PATIENCE_S):
            await server.statuses.get()
            while server.faults["watch"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await told_of_resnet(settings)
        server.events.put_nowait({"type": "DELETED", "object": SERVICE})
        await until_none_is_told_of(settings)
    told = [line for line in caplog.messages if line.startswith("The watch of inferenceservices")]
    assert len(told) <= len(LIST_FAULTS) + len(WATCH_FAULTS)
    assert "etcdserver: leader changed" in "".join(told)
    assert "Traceback" not in caplog.text


async def test_what_was_deleted_while_nobody_watched_is_missed(
    server: ApiServer, settings: Settings
) -> None:
    """
    After a 410 kopf lists again, and reports existing objects but not deleted ones. Regression: the
    loop went on, and recreated Deployments that the garbage collector had removed.
    """
    async with operating(server, settings):
        async with asyncio.timeout(PATIENCE_S):
            await server.statuses.get()
        server.services = []
        server.faults["watch"] += [error(code=410, message="too old resource version")]
        server.events.put_nowait(None)
        await until_none_is_told_of(settings)


async def test_a_list_that_lacks_what_is_there_deletes_nothing(
    server: ApiServer, settings: Settings
) -> None:
    """To kopf, a proxy's JSON page is a list without items."""
    async with operating(server, settings):
        async with asyncio.timeout(PATIENCE_S):
            await server.statuses.get()
        server.faults["list"] += [lambda: web.json_response({"status": "maintenance"})]
        server.faults["watch"] += [error(code=410, message="too old resource version")]
        before = server.lists
        server.events.put_nowait(None)
        async with asyncio.timeout(PATIENCE_S):
            while server.lists == before or not server.statuses.empty():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await told_of_resnet(settings)


async def test_an_operator_that_is_not_known_any_more_ends_with_a_sentence(
    server: ApiServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """kopf never retries refused credentials, but a new process can read new ones."""
    server.faults["watch"] += [page(401)] * 9
    async with operating(server, settings):
        async with asyncio.timeout(PATIENCE_S):
            while "rejects the credentials (401)" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert "Traceback" not in caplog.text


async def until_none_is_told_of(settings: Settings) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await told_of_resnet(settings):  # noqa: ASYNC110 - by polling, as any scraper
            await asyncio.sleep(0.05)


async def told_of_resnet(settings: Settings) -> bool:
    """Whether metrics have series of the service, which its loop adds and its end removes."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{settings.metrics_port}/metrics") as response,
    ):
        return 'service="resnet"' in await response.text()


async def test_a_port_in_use_ends_the_start_with_a_sentence_that_names_the_variables(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infadapter_operator.main.REGISTRY", CollectorRegistry())
    xds_port, metrics_port = free_ports(2)
    settings = Settings(xds_port=xds_port, metrics_port=metrics_port, namespaces=("vision",))
    with socket.create_server(("0.0.0.0", metrics_port)):
        registry = kopf.OperatorRegistry()
        register(registry, settings)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Exception, match="handlers failed") as raised:
                await kopf.operator(registry=registry, standalone=True, namespaces=["vision"])
    assert isinstance(raised.value.__cause__, kopf.PermanentError)
    said = str(raised.value.__cause__)
    assert f"INFADAPTER_METRICS_PORT ({metrics_port}) to ports that are free." in said


def test_settings_and_clusters_that_can_t_be_used_are_a_sentence_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infadapter_operator.main.REGISTRY", CollectorRegistry())
    for name in [name for name in os.environ if name.startswith("INFADAPTER_")]:
        monkeypatch.delenv(name)  # unknown settings cause a warning
    monkeypatch.setenv("INFADAPTER_LOOK_SECONDS", "9")
    assert run() == 2
    monkeypatch.delenv("INFADAPTER_LOOK_SECONDS")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    nowhere = str(tmp_path / "kubeconfig")
    monkeypatch.setattr(config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", nowhere)
    assert run() == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("infadapter: INFADAPTER_LOOK_SECONDS is '9'; it must be")
    assert "Set KUBECONFIG" in second


TOLD_TO_STOP = """
import os, signal, sys, time
class Stop:
    def find_spec(self, name, path, target=None):
        if name == "infadapter_operator.main":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(600)
sys.meta_path.insert(0, Stop())
from infadapter_operator.__main__ import main
main()
"""


def test_one_that_is_told_to_stop_while_it_imports_ends_without_a_fault() -> None:
    """The signal's default action does not apply to process 1 of a container."""
    command = (sys.executable, "-c", TOLD_TO_STOP)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "infadapter: the operator starts\n")
