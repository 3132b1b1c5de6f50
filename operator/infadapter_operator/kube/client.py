"""
The API server as the operator sees it: paths, JSON and named errors.

The `kubernetes` client brings connections, credentials and their renewal. Its models are left
aside: what is applied must hold exactly the fields that are ours, and what is read, a few fields of
many pods every other second, is cheaper as plain JSON.
Tests replace this one class; nothing else of the operator talks to the API server.
"""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration

from infadapter_operator.domain.names import FIELD_MANAGER
from infadapter_operator.domain.ports import (
    Conflict,
    PlatformUnavailable,
    QuotaExceeded,
    StepRefused,
)

Json = dict[str, Any]
Counter = Callable[[str, str], None]
"""Told the verb and the status code of each request."""

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
OPERATIONS = "application/json-patch+json"

CONNECTIONS = 32
"""Requests at once, of all services."""

_BOUNDS = ("exceeded quota", "maximum cpu usage", "maximum memory usage", "minimum cpu usage")
_USERS_FAULT = ("failed to create typed patch object", "failed to convert new object")


@dataclass(eq=False)
class ApiRefusal(Exception):
    """The API server understood and refused."""

    status: int
    reason: str
    message: str
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message

    @property
    def is_beyond_node(self) -> bool:
        """A resize to more than the pod's node has, used or not."""
        return self.status == 403 and "NodeCapacity" in self.causes

    @property
    def is_quota(self) -> bool:
        """A ResourceQuota or LimitRange; a missing permission is a 403 too."""
        return self.status == 403 and any(words in self.message for words in _BOUNDS)

    @property
    def is_conflict(self) -> bool:
        return self.status == 409 and "FieldManagerConflict" in self.causes

    @property
    def is_final(self) -> bool:
        """The same request will be refused again: a conflict, invalid values, a policy."""
        return self.is_conflict or self.status in (403, 422)

    def as_step_refused(self) -> StepRefused:
        if self.is_quota:
            return QuotaExceeded(self.message)
        if self.is_conflict:
            return Conflict(self.message)
        return StepRefused(self.message)


class KubeApi:
    """
    Every call raises PlatformUnavailable if nothing is known of its effect or the server is at
    fault, ApiRefusal if the server refused. A GET of what is not there answers None.
    """

    def __init__(self, client: ApiClient, timeout_s: float, count: Counter | None = None) -> None:
        self._client, self._timeout_s, self._count = client, timeout_s, count

    async def get(self, path: str) -> Json | None:
        try:
            return await self.request("GET", path)
        except ApiRefusal as refusal:
            if refusal.status == 404:
                return None
            raise

    async def items(self, path: str, selector: str = "") -> list[Json]:
        """A list, empty where the kind itself is unknown (its CRD is not installed)."""
        query = {"labelSelector": selector} if selector else {}
        try:
            listed: list[Json] = (await self.request("GET", path, query=query)).get("items", [])
        except ApiRefusal as refusal:
            if refusal.status == 404:
                return []
            raise
        return listed

    async def text(self, path: str, **query: str) -> str:
        """What is no JSON: a container's log."""
        return (await self._exchange("GET", path, query)).decode(errors="replace")

    async def apply(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        force: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """Server-side: of the object we own what the body holds, and lose what it lacks."""
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower(), **(query or {})}
        return await self.request("PATCH", path, body=body, query=query, content=APPLY)

    async def patch(self, path: str, body: Mapping[str, Any], content: str = MERGE) -> Json:
        query = {"fieldManager": FIELD_MANAGER}
        return await self.request("PATCH", path, body=body, query=query, content=content)

    async def operate(self, path: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        """A JSON patch: all of its operations or none."""
        return await self.request("PATCH", path, body=operations, content=OPERATIONS)

    async def create(self, path: str, body: Mapping[str, Any], **query: str) -> Json:
        return await self.request(
            "POST", path, body=body, query={"fieldManager": FIELD_MANAGER, **query}
        )

    async def delete(self, path: str, **query: str) -> None:
        """Fine if it is gone already."""
        try:
            await self.request("DELETE", path, query=query)
        except ApiRefusal as refusal:
            if refusal.status != 404:
                raise

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        content: str = "application/json",
    ) -> Json:
        return _object(await self._exchange(method, path, query or {}, body, content))

    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str], body: Any = None, content: str = ""
    ) -> bytes:
        status, answer = await asyncio.to_thread(self._send, method, path, query, body, content)
        if self._count:
            self._count(_verb(method, content), str(status))
        if status < 400:
            return answer
        raise _failure(status, _object(answer))

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Any, content: str
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json, */*"}
        if body is not None:
            headers["Content-Type"] = content
        request = self._client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._client.call_api(*request, _request_timeout=self._timeout_s)
            return response.status, response.read()  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise PlatformUnavailable(f"the API server did not answer: {error}") from None


def _object(body: bytes) -> Json:
    try:
        answer = json.loads(body or b"{}")
    except ValueError:
        answer = {"message": body[:200].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {}


def _failure(status: int, answer: Json) -> ApiRefusal | PlatformUnavailable:
    message = str(answer.get("message") or f"the API server answered {status}")
    if (status >= 500 and not any(words in message for words in _USERS_FAULT)) or status == 429:
        return PlatformUnavailable(message)
    causes = (answer.get("details") or {}).get("causes") or ()
    reasons = tuple(str(cause.get("reason", "")) for cause in causes)
    return ApiRefusal(status, str(answer.get("reason", "")), message, reasons)


def _verb(method: str, content: str) -> str:
    return "apply" if content == APPLY else method.lower()


def connect(timeout_s: float, count: Counter | None = None) -> KubeApi:
    """By the pod's service account, else by the kubeconfig."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    else:
        config.load_kube_config()  # type: ignore[no-untyped-call]
    configuration = Configuration.get_default_copy()
    configuration.connection_pool_maxsize = CONNECTIONS
    return KubeApi(ApiClient(configuration), timeout_s, count)


# --- paths -------------------------------------------------------------------------------------


def core(namespace: str, resource: str, name: str = "", subresource: str = "") -> str:
    return _path("/api/v1", namespace, resource, name, subresource)


def deployments(namespace: str, name: str = "") -> str:
    return _path("/apis/apps/v1", namespace, "deployments", name)


def custom(
    group: str, version: str, namespace: str, resource: str, name: str = "", subresource: str = ""
) -> str:
    return _path(f"/apis/{group}/{version}", namespace, resource, name, subresource)


def _path(root: str, namespace: str, *parts: str) -> str:
    return "/".join((root, "namespaces", namespace, *(part for part in parts if part)))
