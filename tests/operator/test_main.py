"""kopf as it is, on a small API server of this test: what it hears of reaches a service's loop."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web
from kubernetes import config
from prometheus_client import CollectorRegistry

from infadapter_local.router import free_ports
from infadapter_operator.main import register, run
from infadapter_operator.settings import Settings
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
    """Lists and watches the two kinds, and keeps what is written."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Json] = asyncio.Queue()
        self.statuses: asyncio.Queue[Json] = asyncio.Queue()
        self.app = web.Application()
        self.app.router.add_get(GROUP, self._kinds)
        self.app.router.add_get("/api/v1", self._core)
        self.app.router.add_patch("/{path:.*}/status", self._status)
        self.app.router.add_get(f"{GROUP}/namespaces/vision/{{plural}}", self._list_or_watch)
        self.app.router.add_route("*", "/{path:.*}", self._other)

    async def _kinds(self, _: web.Request) -> web.Response:
        found = [resource(plural, kind) for plural, kind in KINDS.items()]
        return web.json_response({"kind": "APIResourceList", "resources": found})

    async def _core(self, _: web.Request) -> web.Response:
        found = [resource("namespaces", "Namespace", namespaced=False)]
        return web.json_response({"kind": "APIResourceList", "resources": found})

    async def _list_or_watch(self, request: web.Request) -> web.StreamResponse:
        services = request.match_info["plural"] == "inferenceservices"
        if "watch" not in request.query:
            items = [SERVICE] if services else []
            return web.json_response({"metadata": {"resourceVersion": "5"}, "items": items})
        stream = web.StreamResponse()
        await stream.prepare(request)
        while services:
            await stream.write(json.dumps(await self.events.get()).encode() + b"\n")
        await asyncio.sleep(3600)
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
        if request.method == "GET":
            return web.json_response({"items": [], "resources": [], "versions": ["v1"]})
        return web.json_response({}, status=201)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    made = ApiServer()
    runner = web.AppRunner(made.app, shutdown_timeout=0.1)
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


@contextlib.asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[None]:
    registry = kopf.OperatorRegistry()
    register(registry, settings)
    stop = asyncio.Event()
    running = asyncio.create_task(
        kopf.operator(registry=registry, standalone=True, namespaces=["vision"], stop_flag=stop)
    )
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await running


async def test_a_service_that_kopf_meets_has_a_loop_until_it_is_deleted(
    server: ApiServer,
) -> None:
    xds_port, metrics_port = free_ports(2)
    settings = Settings(
        xds_port=xds_port,
        metrics_port=metrics_port,
        cycle_s=0.2,
        namespaces=("vision",),
    )
    async with operating(settings):
        async with asyncio.timeout(PATIENCE_S):
            status = await server.statuses.get()
        (resolved,) = (c for c in status["conditions"] if c["type"] == "ProfilesResolved")
        assert (resolved["status"], resolved["reason"]) == ("False", "ProfileMissing")
        assert await told_of_resnet(metrics_port)
        server.events.put_nowait({"type": "DELETED", "object": SERVICE})
        async with asyncio.timeout(PATIENCE_S):
            while await told_of_resnet(metrics_port):  # noqa: ASYNC110 - by polling, as any scraper
                await asyncio.sleep(0.05)


async def told_of_resnet(metrics_port: int) -> bool:
    """Whether there are series of the service: its loop records, and its end removes them."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{metrics_port}/metrics") as response,
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
    """The default action is not taken by process 1, which a pod's is."""
    command = (sys.executable, "-c", TOLD_TO_STOP)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "infadapter: the operator starts\n")
