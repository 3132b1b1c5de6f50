"""
A client of the API server for these tests: plain JSON by path, watches, and commands such as helm.

It does not use the operator's client, which is under test, too.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import urllib3
from kubernetes import client, config

from infadapter_operator.domain.names import GROUP, PROFILES, SERVICES, VERSION

Json = dict[str, Any]
T = TypeVar("T")

ROOTS = {
    "pods": "/api/v1",
    "services": "/api/v1",
    "configmaps": "/api/v1",
    "events": "/api/v1",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
    SERVICES: f"/apis/{GROUP}/{VERSION}",
    PROFILES: f"/apis/{GROUP}/{VERSION}",
}
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION")


class Refused(Exception):
    """The API server's answer is an error; `status` is its code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Kube:
    """A client for one namespace; `request` takes any path."""

    def __init__(self, namespace: str) -> None:
        config.load_kube_config()  # type: ignore[no-untyped-call]
        self.namespace = namespace
        api = client.ApiClient()
        self._pool: urllib3.PoolManager = api.rest_client.pool_manager
        self._host: str = api.configuration.host
        self._auth: Callable[[], Mapping[str, Any]] = api.configuration.auth_settings

    def close(self) -> None:
        self._pool.clear()

    def path(self, kind: str, name: str = "", subresource: str = "") -> str:
        parts = (ROOTS[kind], "namespaces", self.namespace, kind, name, subresource)
        return "/".join(part for part in parts if part)

    def get(self, kind: str, name: str) -> Json:
        return self.request("GET", self.path(kind, name))

    def find(self, kind: str, name: str) -> Json | None:
        try:
            return self.get(kind, name)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def list(self, kind: str, selector: str = "") -> list[Json]:
        listed = self.request("GET", self.path(kind), query={"labelSelector": selector})
        items: list[Json] = listed["items"]
        return items

    def create(self, kind: str, body: Json, **query: str) -> Json:
        return self.request("POST", self.path(kind), body=body, query=query)

    def patch(
        self, kind: str, name: str, body: Json, subresource: str = "", content: str = MERGE
    ) -> Json:
        return self.request("PATCH", self.path(kind, name, subresource), body=body, content=content)

    def delete(self, kind: str, name: str, **options: Any) -> None:
        try:
            self.request("DELETE", self.path(kind, name), body=options or None)
        except Refused as refused:
            if refused.status != 404:
                raise

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Json:
        answer = self._send(method, path, body, query or {}, content, urllib3.Timeout(20))
        if answer.status >= 400:
            raise Refused(answer.status, _message(answer.data))
        return dict(json.loads(answer.data))

    def text(self, path: str) -> str:
        answer = self._send("GET", path, None, {}, "", urllib3.Timeout(20))
        return answer.data.decode()

    def stream(self, path: str) -> urllib3.BaseHTTPResponse:
        query = {"watch": "true"}
        timeout = urllib3.Timeout(connect=20, read=None)
        return self._send("GET", path, None, query, "", timeout, preload_content=False)

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str],
        content: str,
        timeout: urllib3.Timeout,
        **options: Any,
    ) -> urllib3.BaseHTTPResponse:
        headers = {
            auth["key"]: auth["value"] for auth in self._auth().values() if auth["in"] == "header"
        }
        if body is not None:
            headers["Content-Type"] = content
        return self._pool.request(
            method,
            self._host + path + _query(query),
            body=None if body is None else json.dumps(body),
            headers=headers,
            timeout=timeout,
            **options,
        )


def _query(query: Mapping[str, str]) -> str:
    from urllib.parse import urlencode

    given = {key: value for key, value in query.items() if value}
    return f"?{urlencode(given)}" if given else ""


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a watch, with the time at which it was received."""

    at_s: float
    event: str  # ADDED, MODIFIED, DELETED
    kind: str
    object: Json

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])


@dataclass(slots=True)
class Recorder:
    """Records all events of some kinds of objects, in order."""

    kube: Kube
    kinds: tuple[str, ...]
    seen: list[Seen] = field(default_factory=list)
    _streams: list[urllib3.BaseHTTPResponse] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        for kind in self.kinds:
            stream = self.kube.stream(self.kube.path(kind))
            thread = threading.Thread(target=self._follow, args=(kind, stream), daemon=True)
            self._streams.append(stream)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        for stream in self._streams:
            stream.shutdown()
        for thread in self._threads:
            thread.join(10)
        for stream in self._streams:
            stream.close()

    def since(self, at_s: float, kind: str | None = None) -> list[Seen]:
        with self._lock:
            seen = list(self.seen)
        return [one for one in seen if one.at_s >= at_s and kind in (None, one.kind)]

    def _follow(self, kind: str, stream: urllib3.BaseHTTPResponse) -> None:
        try:
            for line in _lines(stream):
                event = json.loads(line)
                with self._lock:
                    self.seen.append(Seen(time.time(), event["type"], kind, event["object"]))
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return  # the recorder was stopped


def _message(answer: bytes) -> str:
    """Return the message of a Status. A path that is being removed answers with plain text."""
    try:
        return str(json.loads(answer).get("message", ""))
    except ValueError:
        return answer.decode(errors="replace").strip()


def _lines(stream: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read1():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


@contextmanager
def recording(kube: Kube, *kinds: str) -> Iterator[Recorder]:
    recorder = Recorder(kube, kinds)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.stop()


def wait_for(what: str, found: Callable[[], T | bool | None], seconds: float = 60) -> T:
    """Call `found` until its result is true, and return that. API errors are retried."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = found()
        except (Refused, urllib3.exceptions.HTTPError) as error:
            last = error
        else:
            if last:
                return last  # type: ignore[return-value]
        time.sleep(0.25)
    raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {last!r}")


def has_crds(kube: Kube) -> bool:
    """Whether the CRDs exist already, as with another operator in the cluster."""
    try:
        kube.request("GET", f"/apis/{GROUP}/{VERSION}")
    except Refused as refused:
        if refused.status == 404:
            return False
        raise
    return True


def run(*command: str, stdin: str | None = None) -> str:
    """Run a command and return its output. Raises AssertionError with all output if it fails."""
    ran = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout
