"""
Restrict a server to one of its operating points while that point is measured.

A request can ask for an accuracy, but not for a point. So the server is told which point may serve,
and the previous setting is restored at the end.
"""

import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import click
import orjson

from infadapter_profiles.profile import OperatingPoint
from infadapter_server.loadgen.endpoint import Endpoint
from infadapter_server.profiling.aside import aside
from infadapter_server.profiling.journal import Journal
from infadapter_server.profiling.profiler import ProfileError
from infadapter_server.profiling.target import ask, exchange, json_object, model_of

_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Allowed:
    """The points that a server reports; `before` is the setting to restore at the end."""

    endpoint: Endpoint
    path: str
    points: tuple[OperatingPoint, ...]
    before: Mapping[str, object]

    def as_before(self, journal: Journal) -> "Allowed":
        """Return the setting to restore after an earlier run that was killed and left one point."""
        question = {"points": "allowed"}
        noted: Mapping[str, object] | None = journal.recall(question)
        if noted is None:
            journal.note(question, dict(self.before))
            return self
        now = self.before.get("allowed")
        left = isinstance(now, list) and len(now) == 1
        return replace(self, before=noted) if left else self

    @asynccontextmanager
    async def only(self, name: str) -> AsyncIterator[None]:
        """Let every request be answered at this point within the context. Raises ProfileError."""
        try:  # neither is awaited: an interrupt must not let the one overtake the other
            self._tell({"allowed": [name]})
            yield
        finally:
            self._set_back()

    def _tell(self, content: Mapping[str, object]) -> None:
        status, answer = exchange(self.endpoint, "POST", self.path, orjson.dumps(content))
        if status != 200:
            said = json_object(answer).get("error", f"HTTP {status}")
            raise ProfileError(f"The server can't be held to one operating point: {said}")

    def _set_back(self) -> None:
        try:
            self._tell(self.before)
        except ProfileError as error:
            content = orjson.dumps(self.before).decode()
            url = f"http://{self.endpoint.host}:{self.endpoint.port}{self.path}"
            told = f"Its points stay as they are: curl -X POST {url} -d '{content}'"
            click.echo(f"{error} {told}", err=True)


async def ask_points(endpoint: Endpoint) -> Allowed | None:
    """Return the server's operating points, or None if it has none or reports none."""
    model = model_of(endpoint)
    if model is None:
        return None
    base = f"/v2/repository/models/{model}"
    path = f"{base}/points"
    status, answer = await aside(exchange, endpoint, "GET", path, None)
    if status == 503:  # they are known once it is loaded
        await aside(exchange, endpoint, "POST", f"{base}/load", b"")
        status, answer = await aside(exchange, endpoint, "GET", path, None)
    said = json_object(answer) if status == 200 else {}
    try:
        points = tuple(
            OperatingPoint(name=str(point["name"]), accuracy=float(point["accuracy"]))
            for point in said["points"]
        )
        allowed, floor = [str(name) for name in said["allowed"]], float(said["floor"])
    except (KeyError, TypeError, ValueError):
        return None
    everything = len(allowed) == len(points) and not floor
    before: Mapping[str, object] = {} if everything else {"allowed": allowed, "floor": floor}
    return Allowed(endpoint, path, points, before) if points else None


async def one_request_s(allowed: Allowed, point: str, body: bytes) -> float:
    """Return the median latency of single requests at a point, s."""
    async with allowed.only(point):
        looks = [await aside(_timed, allowed.endpoint, body) for _ in range(_LOOKS)]
    return statistics.median(looks[1:])  # the first one may have had to warm up


def _timed(endpoint: Endpoint, body: bytes) -> float:
    began_s = time.perf_counter()
    ask(endpoint, body)
    return time.perf_counter() - began_s
