"""Requests on the wire, sent through the `kubernetes` client to a small HTTP server."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import aiohttp
import pytest
from kubernetes.client import Configuration

from infadapter_operator.domain.ports import (
    Conflict,
    PlatformUnavailable,
    QuotaExceeded,
    StepRefused,
)
from infadapter_operator.health import Health
from infadapter_operator.kube.client import KubeApi, api_client
from infadapter_operator.kube.paths import core, custom, deployments
from infadapter_operator.kube.refusal import ApiRefusal
from tests.patience import PATIENCE_S

PATH = deployments("vision", "resnet-r18")


class Request(NamedTuple):
    method: str
    path: str
    content: str
    body: Any


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer: Any = {"kind": "Deployment", "metadata": {"name": "resnet-r18"}}
        self.asked: list[Request] = []


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = self.headers.get("Content-Type", "")
        request = Request(self.command, self.path, content, json.loads(body or "null"))
        self.server.asked.append(request)
        answer = self.server.answer
        sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def counted() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def api(server: Server, counted: list[tuple[str, str]]) -> Iterator[KubeApi]:
    client = api_client(Configuration(host=f"http://127.0.0.1:{server.server_address[1]}"))
    yield KubeApi(client, 5.0, lambda verb, code: counted.append((verb, code)))
    client.close()  # type: ignore[no-untyped-call]


async def test_apply_says_who_we_are_and_whether_to_force(api: KubeApi, server: Server) -> None:
    await api.apply(PATH, {"spec": {"replicas": 0}})
    await api.apply(PATH, {"spec": {}}, force=True)
    first, second = server.asked
    assert (first.method, first.content) == ("PATCH", "application/apply-patch+yaml")
    assert first.path == f"{PATH}?fieldManager=infadapter&force=false"
    assert first.body == {"spec": {"replicas": 0}}
    assert second.path.endswith("force=true")


async def test_each_patch_has_its_own_content_type(api: KubeApi, server: Server) -> None:
    await api.patch(PATH, {"a": None})
    await api.patch(PATH, {"a": 1}, "application/strategic-merge-patch+json")
    await api.operate(PATH, [{"op": "remove", "path": "/a"}])
    await api.create(PATH, {"a": 1}, dryRun="All")
    assert [request.content for request in server.asked] == [
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/json-patch+json",
        "application/json",
    ]
    assert server.asked[0].body == {"a": None}, "a null takes a field away"
    assert "dryRun=All" in server.asked[3].path


async def test_every_request_is_counted(
    api: KubeApi, server: Server, counted: list[tuple[str, str]]
) -> None:
    await api.get(PATH)
    await api.apply(PATH, {})
    await api.delete(PATH)
    assert counted == [("get", "200"), ("apply", "200"), ("delete", "200")]


async def test_what_is_not_there_is_none(api: KubeApi, server: Server) -> None:
    server.status, server.answer = 404, {"reason": "NotFound", "message": "not found"}
    assert await api.get(PATH) is None
    assert await api.items(PATH) == []
    await api.delete(PATH)


async def test_a_list_is_asked_for_by_label(api: KubeApi, server: Server) -> None:
    server.answer = {"items": [{"a": 1}]}
    assert await api.items(core("vision", "pods"), "a=b,c=d") == [{"a": 1}]
    assert server.asked[0].path == "/api/v1/namespaces/vision/pods?labelSelector=a%3Db%2Cc%3Dd"


@pytest.mark.parametrize(
    ("status", "message", "causes", "error"),
    [
        (409, "Apply failed with 1 conflict", ["FieldManagerConflict"], Conflict),
        (409, "the object has been modified", [], StepRefused),
        (403, "exceeded quota: q", [], QuotaExceeded),
        (403, 'cannot patch resource "pods"', [], StepRefused),
        (422, "Invalid value", [], StepRefused),
        (
            500,
            "failed to create typed patch object (…): .spec.x: field not declared",
            [],
            StepRefused,
        ),
        (500, "failed to convert new object (…)", [], StepRefused),
    ],
)
async def test_a_refusal_has_a_name(
    api: KubeApi,
    server: Server,
    status: int,
    message: str,
    causes: list[str],
    error: type[StepRefused],
) -> None:
    details = {"causes": [{"reason": cause} for cause in causes]}
    server.status, server.answer = status, {"message": message, "details": details}
    with pytest.raises(ApiRefusal) as raised:
        await api.apply(PATH, {})
    assert type(raised.value.as_step_refused()) is error
    assert str(raised.value) == message


@pytest.mark.parametrize("status", [429, 500, 503, 504])
async def test_a_server_at_fault_is_unavailable(api: KubeApi, server: Server, status: int) -> None:
    server.status, server.answer = status, b"<html>busy</html>"
    with pytest.raises(PlatformUnavailable):
        await api.get(PATH)


@pytest.mark.parametrize("status", [413, 429, 503])
async def test_a_busy_server_is_asked_again_at_the_next_cycle_and_no_sooner(
    api: KubeApi, server: Server, status: int
) -> None:
    """
    Regression: urllib3 slept for Retry-After three times, and a service's loop with it:
    https://github.com/urllib3/urllib3/pull/3460
    """
    server.status, server.headers = status, {"Retry-After": "21600"}
    with pytest.raises((PlatformUnavailable, ApiRefusal)):
        await api.get(PATH)
    assert len(server.asked) == 1


async def test_who_does_not_answer_is_asked_once_in_its_time() -> None:
    """Four attempts of 10 s would take two thirds of the time until the operator is killed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PlatformUnavailable, match="timed out"):
            await KubeApi(api_client(Configuration(host=host)), 0.1).get(PATH)
        silent.settimeout(PATIENCE_S)
        silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()


async def test_nobody_there_is_unavailable() -> None:
    client = api_client(Configuration(host="http://127.0.0.1:1"))
    with pytest.raises(PlatformUnavailable, match=r"did not answer: .*Connection refused"):
        await KubeApi(client, 1.0).get(PATH)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"<html>Sign in</html>",
        b"{}",
        b'{"items": null}',
        b"[" * 10**5,
    ],
)
async def test_what_is_no_answer_of_an_api_server_is_none(
    api: KubeApi, server: Server, answer: bytes
) -> None:
    """Regression: a web page with status 200 counted as an empty list of Deployments and pods."""
    server.answer = answer
    for asked in (api.get(PATH), api.items(PATH)):
        with pytest.raises(PlatformUnavailable, match="not as an API server does"):
            await asked


def test_paths() -> None:
    assert core("ns", "pods", "p", "resize") == "/api/v1/namespaces/ns/pods/p/resize"
    assert deployments("ns") == "/apis/apps/v1/namespaces/ns/deployments"
    assert custom("g", "v1", "ns", "rs", "r") == "/apis/g/v1/namespaces/ns/rs/r"


async def test_health_names_what_stands_still() -> None:
    stalled: list[str | None] = [None]
    health = Health(lambda: stalled[0])
    port = await health.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        stalled[0] = "vision/resnet"
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 503
            assert "vision/resnet" in await answer.text()
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.status == 200
    await health.stop()
