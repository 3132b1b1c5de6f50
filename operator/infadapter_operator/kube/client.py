"""
The API server as the operator uses it: paths, JSON and named errors.

The `kubernetes` client provides connections, credentials and their renewal. Its models are not
used: what is applied must contain exactly the fields that the operator owns, and reading a few
fields of many pods every second is cheaper as plain JSON.

Tests replace this one class; nothing else in the operator talks to the API server.
"""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException

from infadapter_operator.domain.names import FIELD_MANAGER
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.refusal import ApiRefusal, failure

Json = dict[str, Any]
Counter = Callable[[str, str], None]
"""Called with the verb and the status code of each request."""

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
OPERATIONS = "application/json-patch+json"

CONNECTIONS = 32
"""Maximum number of concurrent requests, over all services."""

_ADVICE = (
    "Set KUBECONFIG to the kubeconfig of a cluster, or run the operator in a pod with a service"
    " account."
)


class NoCluster(Exception):
    """
    No API server is configured, or its configuration is unusable; the message says what to do.
    """


class KubeApi:
    """
    A client of the API server.

    Every call raises PlatformUnavailable if its effect is unknown or the server is at fault, and
    ApiRefusal if the server refused. `get` of a missing object returns None.
    """

    def __init__(self, client: ApiClient, timeout_s: float, count: Counter | None = None) -> None:
        self._client, self._timeout_s, self._count = client, timeout_s, count

    @property
    def host(self) -> str:
        return f"The API server {self._client.configuration.host}"

    async def get(self, path: str) -> Json | None:
        try:
            found = await self.request("GET", path)
        except ApiRefusal as refusal:
            if refusal.status == 404:
                return None
            raise
        return found if isinstance(found.get("metadata"), dict) else _no_answer(found)

    async def items(self, path: str, selector: str = "") -> list[Json]:
        """Return a list, empty if the kind itself is unknown (its CRD is not installed)."""
        query = {"labelSelector": selector} if selector else {}
        try:
            listed = await self.request("GET", path, query=query)
        except ApiRefusal as refusal:
            if refusal.status == 404:
                return []
            raise
        found = listed.get("items")
        return found if isinstance(found, list) else _no_answer(listed)

    async def text(self, path: str, **query: str) -> str:
        """Return a response that is not JSON, such as a container's log."""
        return (await self._exchange("GET", path, query)).decode(errors="replace")

    async def apply(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        force: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """
        Server-side apply: the operator owns the fields of `body`, and gives up those that it lacks.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower(), **(query or {})}
        return await self.request("PATCH", path, body=body, query=query, content=APPLY)

    async def patch(self, path: str, body: Mapping[str, Any], content: str = MERGE) -> Json:
        query = {"fieldManager": FIELD_MANAGER}
        return await self.request("PATCH", path, body=body, query=query, content=content)

    async def operate(self, path: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        """JSON patch: all of its operations are applied, or none."""
        return await self.request("PATCH", path, body=operations, content=OPERATIONS)

    async def create(self, path: str, body: Mapping[str, Any], **query: str) -> Json:
        return await self.request(
            "POST", path, body=body, query={"fieldManager": FIELD_MANAGER, **query}
        )

    async def delete(self, path: str, **query: str) -> None:
        """Delete an object; it is no error if it is gone already."""
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
        """
        Return the JSON object. Anything else, such as the page of a proxy, raises
        PlatformUnavailable.
        """
        answer = await self._exchange(method, path, query or {}, body, content)
        found = _object(answer)
        return _no_answer(answer) if found is None else found

    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str], body: Any = None, content: str = ""
    ) -> bytes:
        status, answer = await asyncio.to_thread(self._send, method, path, query, body, content)
        if self._count:
            self._count(_verb(method, content), str(status))
        if status < 400:
            return answer
        words = {"message": answer[:200].decode(errors="replace")}
        raise failure(status, words if (told := _object(answer)) is None else told)

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
            reason = getattr(error, "reason", None) or error  # without the path and "Max retries"
            raise PlatformUnavailable(f"the API server did not answer: {reason}") from None


def _object(body: bytes) -> Json | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _no_answer(answer: object) -> NoReturn:
    """
    Raise PlatformUnavailable. Taking the answer for an empty list would create or remove pods.
    """
    told = (answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer))[:100]
    raise PlatformUnavailable(f"it answers, but not as an API server does: {told}")


def _verb(method: str, content: str) -> str:
    return "apply" if content == APPLY else method.lower()


def connect(timeout_s: float, count: Counter | None = None) -> KubeApi:
    """Connect with the pod's service account, else with the kubeconfig. Raises NoCluster."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    where = "the pod's service account" if in_pod else _kubeconfig()
    try:
        _configure(in_pod)
    except (ConfigException, OSError) as error:
        raise NoCluster(f"{where} can't be used: {_line(error)}. {_ADVICE}") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise NoCluster(f"{where} is no kubeconfig: {_line(error)}. {_ADVICE}") from None
    return KubeApi(api_client(Configuration.get_default_copy()), timeout_s, count)


def api_client(configuration: Configuration) -> ApiClient:
    """
    Return a client without retries of its own, since the next cycle retries. urllib3 would retry
    four times and sleep for as long as a busy server demands, up to six hours, while the service's
    loop stands still.
    """
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.retries = urllib3.Retry(total=0)
    return ApiClient(configuration)


def _configure(in_pod: bool) -> None:
    if in_pod:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    else:
        config.load_kube_config()  # type: ignore[no-untyped-call]


def _kubeconfig() -> str:
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
