"""
Envoy's REST xDS, version 3: routers poll for the pods that receive traffic, and report what they
obey.

An Envoy polls about once a second with the version it obeys. The answer is the current weights, or
304 if it has them. So every poll is also a confirmation, and a router *may* obey at most two
versions: the one it echoed and the one offered since. A pod is drained only when it is in neither,
for every router. An operator that has just started and published nothing answers 304, not an empty
list, so routers keep their weights.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from aiohttp import web
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from infadapter_operator.domain.observed import RouterView
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.domain.steps import Backend, weights_of
from infadapter_operator.envoy.endpoints import TYPE_URL, Json, recall, remember, resources
from infadapter_operator.envoy.published import REMEMBERED, Polled, Published
from infadapter_operator.listening import listen
from infadapter_operator.recurring import Recurring

PATH = "/v3/discovery:endpoints"
_logger = logging.getLogger(__name__)
_LARGEST_REQUEST = 1 << 20  # each request lists all of Envoy's extensions: some 100 kB
_MOST_ROUTERS = 64  # of one service

Name = Annotated[str, Field(min_length=1, max_length=512)]


class Node(BaseModel):
    id: Name
    cluster: Name


class DiscoveryRequest(BaseModel):
    """The relevant part of envoy.service.discovery.v3.DiscoveryRequest."""

    node: Node
    version_info: Annotated[
        str,
        Field(max_length=16384, validation_alias=AliasChoices("version_info", "versionInfo")),
    ] = ""


class XdsServer:
    """Holds the weights of every service and answers the routers' polls."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        forget_after_s: float = 15.0,
        heard_within_s: float = 8.0,
    ) -> None:
        self._clock = clock
        self._forget_after_s = forget_after_s
        self._heard_within_s = heard_within_s
        self._services: dict[str, Published] = {}
        self._floors: dict[str, Mapping[str, float]] = {}  # of accuracy, by variant
        self._untaken: dict[str, Recurring] = {}  # by service
        self._runner: web.AppRunner | None = None

    def publish(self, service_key: str, backends: Sequence[Backend]) -> str:
        """Publish weights for the service's routers, and return the name of the version."""
        service = self._services.setdefault(service_key, Published())
        floors = self._floors.get(service_key, {})
        serving = (backend for backend in backends if backend.weight > 0)
        return service.add(tuple(_asked(backend, floors) for backend in serving))

    def require(self, service_key: str, floors: Mapping[str, float]) -> None:
        """Set the accuracy floors that routers send to pods of these variants."""
        self._floors[service_key] = floors
        if service := self._services.get(service_key):
            current = service.versions[service.current]
            service.add(tuple(_asked(backend, floors) for backend in current))

    def restore(self, service_key: str, last_good: Mapping[str, Any]) -> None:
        """
        Restore the weights of an earlier process, so that a restart changes nothing.

        They count as obeyed until routers have had time to report. Raises ValueError if `last_good`
        was not returned by `last_good`.
        """
        service = self._services.setdefault(service_key, Published())
        service.restored = recall(last_good)
        name = service.add(service.restored)
        service.routers[REMEMBERED] = Polled(self._clock(), name)

    async def heard(self, service_key: str) -> bool:
        """
        Wait, at most `heard_within_s`, until a router of a restored service polls, and return
        whether one did.
        """
        service = self._services[service_key]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(service.heard.wait(), self._heard_within_s)
        return service.heard.is_set()

    def forget(self, service_key: str) -> None:
        """Drop a deleted service; its routers keep their weights until they stop."""
        self._services.pop(service_key, None)
        self._floors.pop(service_key, None)
        self._untaken.pop(service_key, None)

    def published(self, service_key: str) -> bool:
        """Whether there is anything to tell this service's routers."""
        return service_key in self._services

    def last_good(self, service_key: str) -> Json:
        """Return the published weights as data for `restore` and `envoy.bootstrap`."""
        service = self._services.get(service_key)
        return remember(service.versions[service.current] if service else ())

    def routers(self, service_key: str) -> int:
        """Return how many routers of this service have polled recently."""
        service = self._services.get(service_key, Published())
        fresh_s = self._clock() - self._forget_after_s
        names = (name for name, router in service.routers.items() if router.seen_s >= fresh_s)
        return sum(name != REMEMBERED for name in names)

    def view(self, service_key: str) -> RouterView:
        """
        Return what the routers obey and may obey. Only offered and current versions can come into
        force. Raises PlatformUnavailable.
        """
        obeys = self.confirmed(service_key)
        service = self._services.get(service_key)
        if service is None:
            return RouterView(obeys=obeys, may_obey=frozenset(obeys))
        sent = weights_of(service.versions[service.current])
        ways = tuple(weights_of(backends) for backends in service.possible())
        return RouterView(
            obeys=obeys,
            sent=sent,
            may_obey=frozenset(obeys) | frozenset(sent),
            in_between=ways if len(ways) > 1 else (),
        )

    def confirmed(self, service_key: str) -> Mapping[str, int]:
        """
        Return the weights in force, by pod.

        While routers differ, or have not yet echoed what they were offered, a pod that any of them
        may still send to is included with its older weight. Empty while no router has ever polled.
        Routers that fell silent count with their last version until another one polls. Raises
        PlatformUnavailable if a router obeys a version that this process never published.
        """
        service = self._services.get(service_key, Published())
        if unknown := service.named() - set(service.versions):
            raise PlatformUnavailable(
                f"A router of {service_key} obeys weights of before the operator started "
                f"(version {min(unknown)}); they are replaced at its next poll."
            )
        return {
            backend.pod: backend.weight for backends in service.possible() for backend in backends
        }

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_REQUEST)
        app.router.add_post(PATH, self._answer)
        return app

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (`port` 0: any free port)."""
        self._runner, bound = await listen(self.app(), host, port)
        return bound

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            asked = DiscoveryRequest.model_validate_json(await request.read())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise web.HTTPBadRequest(text=f"Not a discovery request: {first['msg']}.") from error
        service = self._services.get(asked.node.cluster)
        if service is None:
            return web.Response(status=304)
        service.learn(asked.version_info)
        self._tell(service, asked)
        router = self._polled(service, asked)
        service.heard.set()
        if router.obeys == service.current:
            return web.Response(status=304)
        return web.json_response(_offer(service, router))

    def _tell(self, service: Published, asked: DiscoveryRequest) -> None:
        """
        Log that a router refuses the weights it was offered, which it then does at every poll.
        """
        before, cluster = service.routers.get(asked.node.id), asked.node.cluster
        untaken = self._untaken.setdefault(cluster, Recurring(_logger, cluster, self._clock))
        if before and before.offered and before.offered != asked.version_info:
            untaken.fails(f"router {asked.node.id} did not take the weights that it was offered")
        else:
            untaken.recovers()

    def _polled(self, service: Published, asked: DiscoveryRequest) -> Polled:
        now_s = self._clock()
        service.routers.pop(asked.node.id, None)
        fresh = {
            name: router
            for name, router in service.routers.items()
            if now_s - router.seen_s <= self._forget_after_s
        }
        newest = list(fresh.items())[-(_MOST_ROUTERS - 1) :]
        service.routers = {**dict(newest), asked.node.id: Polled(now_s, asked.version_info)}
        return service.routers[asked.node.id]


def _asked(backend: Backend, floors: Mapping[str, float]) -> Backend:
    return replace(backend, accuracy_floor=floors.get(backend.target.variant, 0.0))


def _offer(service: Published, router: Polled) -> Json:
    router.offered = service.current
    return {
        "version_info": service.current,
        "type_url": TYPE_URL,
        "resources": resources(service.versions[service.current]),
    }
