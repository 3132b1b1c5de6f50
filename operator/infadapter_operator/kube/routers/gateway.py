"""
The `Router` port on the Gateway API: an HTTPRoute with weights for one Service per target.

A gateway has weights for Services, the loop for pods. So a label adds a pod to its target's Service
when it shall receive traffic and removes it before the pod goes; a target's weight is the sum over
its pods. A change is in force once the gateway reports so for exactly this generation.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from infadapter_operator.domain.names import TRAFFIC_LABEL, selector_of
from infadapter_operator.domain.observed import RouterView
from infadapter_operator.domain.steps import Backend, SetWeights, weights_of
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.objects import Owner, build_target_service
from infadapter_operator.kube.observe import belongs_to, is_left_over, refuse_stranger
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.routers.envoy import EnvoyRouter
from infadapter_operator.kube.routers.http_route import (
    MOST_WEIGHT,
    build_route,
    covers,
    in_force,
    not_accepted,
    refusals,
    route_path,
    says_the_same,
    target_weights,
    was_accepted,
)
from infadapter_operator.kube.running import Running
from infadapter_operator.reporting.condition import Condition, false
from infadapter_solver.problem import Target

OBEYED_WITHIN_S = 15.0
"""Seconds for which a route that was replaced before its confirmation may still take effect."""


@dataclass(slots=True, kw_only=True)
class GatewayRouter:
    """
    The route of one service. `traffic` is replaced when the spec changes. `before` is the bundled
    router, which has the traffic until the gateways obey a first route.
    """

    api: KubeApi
    owner: Owner
    cluster: KubeCluster
    traffic: Mapping[str, Any]
    floors: Mapping[str, float] = field(default_factory=dict)  # of accuracy, by variant
    before: EnvoyRouter | None = None
    clock: Callable[[], float] = time.monotonic
    _sent: dict[str, int] = field(default_factory=dict)
    _asked: dict[str, int] | None = None  # requested last, whether or not it was applied
    # With the time until which each may take effect.
    _replaced: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    _unheard_since_s: float | None = None  # since when no gateway has accepted the route

    async def view(self) -> RouterView:
        """
        Return the weights in force and those that may be.

        During a change every labelled pod may receive traffic, old and new ones; and for a while
        those of routes that were replaced before they were confirmed. Raises PlatformUnavailable.
        """
        earlier = await self.before.view() if self.before else RouterView()
        obeys = {**earlier.obeys, **await self._obeyed()}
        now_s = self.clock()
        self._replaced = [(until_s, asked) for until_s, asked in self._replaced if until_s > now_s]
        between = (*earlier.in_between, *(asked for _, asked in self._replaced))
        may = {*obeys, *(self._asked or {}), *earlier.may_obey, *chain.from_iterable(between)}
        mixed = _named_by_all((*between, obeys, obeys if self._asked is None else self._asked))
        return RouterView(
            obeys=obeys,
            sent=self._asked,
            may_obey=frozenset(may),
            in_between=(*between, mixed) if mixed else between,
        )

    async def _obeyed(self) -> Mapping[str, int]:
        route = await self._route()
        if route is None or not was_accepted(route):
            return {}
        running = self.cluster.running
        weights = target_weights(route, self.owner, running)
        settled = in_force(route)
        shares: dict[str, int] = {}
        for target, one in running.items():
            let_in = [pod["metadata"]["name"] for pod in one.pods if _is_let_in(pod)]
            weight = weights.get(target, 0 if settled else len(let_in))
            shares |= self._split(let_in, weight)
        return {pod: weight for pod, weight in shares.items() if weight > 0}

    def _split(self, pods: Sequence[str], weight: int) -> dict[str, int]:
        """
        Split a target's weight as requested if that adds up. A gateway itself treats its pods
        alike.
        """
        asked = {pod: self._sent.get(pod, 0) for pod in pods}
        if sum(asked.values()) == weight and all(asked.values()):
            return asked
        return {pod: weight // len(pods) for pod in pods}

    async def set_weights(self, step: SetWeights) -> None:
        """Write the route. Raises StepRefused or PlatformUnavailable."""
        asked = {backend.pod: backend.weight for backend in step.backends if backend.weight > 0}
        if self._asked not in (None, asked) and self._asked != await self._obeyed():
            until_s = self.clock() + OBEYED_WITHIN_S
            self._replaced.append((until_s, self._asked or {}))
        self._asked = asked
        if self.before:
            await self.before.set_weights(step)
        try:
            await self._send(step.backends)
        except ApiRefusal as refusal:
            raise refusal.as_step_refused() from None

    async def _send(self, backends: Sequence[Backend]) -> None:
        """Label new pods, write the route, and remove the label of old pods, in this order."""
        weights: dict[Target, int] = defaultdict(int)
        for backend in backends:
            if not is_left_over(backend.target):  # the current route still sends there
                weights[backend.target] += backend.weight
        wanted = {target: min(w, MOST_WEIGHT) for target, w in weights.items() if w > 0}
        if not wanted:
            return  # a route without backends answers 500; the Services' 503 is better
        serving = {backend.pod for backend in backends if backend.weight > 0}
        for target in wanted:
            await self._let_in(self.cluster.running[target], serving)
        await self._have_route(wanted)
        self._sent = weights_of(backends)
        for target in wanted:
            await self._take_out(self.cluster.running[target], serving)

    def _as_before(self, weights: Mapping[str, int]) -> list[Backend]:
        """Return the backends of the bundled router, for a first route that does the same."""
        return [
            Backend(pod=name, target=target, address="", weight=weights[name])
            for target, one in self.cluster.running.items()
            for name in (pod["metadata"]["name"] for pod in one.pods)
            if name in weights
        ]

    async def ensure(self) -> None:
        """Ensure parents and hostnames as in the spec, if a route or an earlier router exists."""
        try:
            route = await self._route()
            if route is not None:
                refuse_stranger(route, self.owner)
                await self._have_route(target_weights(route, self.owner, self.cluster.running))
            elif self.before:
                await self._send(self._as_before((await self.before.view()).obeys))
        except ApiRefusal as refusal:
            raise refusal.as_step_refused() from None

    async def is_obeyed(self) -> bool:
        """Whether a route exists and all its gateways obey it. Raises PlatformUnavailable."""
        route = await self._route()
        return route is not None and in_force(route)

    async def trouble(self) -> Condition | None:
        """Return why no gateway uses the route, once that has lasted. Raises like a read."""
        route = await self._route()
        if route is None or self.before or was_accepted(route):
            self._unheard_since_s = None
            return None
        if self._unheard_since_s is None:
            self._unheard_since_s = self.clock()
        words = refusals(route)
        if not words and self.clock() - self._unheard_since_s < OBEYED_WITHIN_S:
            return None
        return false("Serving", "RouteNotAccepted", not_accepted(self.owner.name, words))

    async def remove(self) -> None:
        route = await self._route()
        if route is not None and belongs_to(route, self.owner):
            await self.api.delete(route_path(self.owner))

    async def _route(self) -> Json | None:
        return await self.api.get(route_path(self.owner))

    async def _have_route(self, weights: Mapping[Target, int]) -> None:
        live = await self._route()
        wanted = build_route(self.owner, self.traffic, weights, self.floors)
        if live is not None:
            refuse_stranger(live, self.owner)
        if weights and not (live and says_the_same(live["spec"], wanted["spec"])):
            await self.api.apply(route_path(self.owner), wanted, force=True)

    async def _let_in(self, running: Running, serving: set[str]) -> None:
        await self._have_service(running)
        labels = {TRAFFIC_LABEL: "on"}
        if running.borrowed:
            labels |= selector_of(self.owner.name, running.target)
        for pod in running.pods:
            if pod["metadata"]["name"] in serving and not covers(_labels(pod), labels):
                await self._label(pod, labels)

    async def _take_out(self, running: Running, serving: set[str]) -> None:
        for pod in running.pods:
            if pod["metadata"]["name"] not in serving and _is_let_in(pod):
                await self._label(pod, {TRAFFIC_LABEL: None})

    async def _label(self, pod: Json, labels: Mapping[str, str | None]) -> None:
        path = core(self.owner.namespace, "pods", pod["metadata"]["name"])
        await self.api.patch(path, {"metadata": {"labels": labels}})

    async def _have_service(self, running: Running) -> None:
        wanted = build_target_service(self.owner, running.target, running.server.port, gated=True)
        path = core(self.owner.namespace, "services", wanted["metadata"]["name"])
        live = await self.api.get(path)
        if live is not None:
            refuse_stranger(live, self.owner)
        if not (live and covers(live["spec"], wanted["spec"])):
            await self.api.apply(path, wanted, force=True)


def _named_by_all(ways: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """
    Return the pods that all ways name: an earlier route with the current labels sends to these
    only.
    """
    return {
        pod: min(weights[pod] for weights in ways)
        for pod in ways[0]
        if all(weights.get(pod) for weights in ways)
    }


def _is_let_in(pod: Mapping[str, Any]) -> bool:
    return _labels(pod).get(TRAFFIC_LABEL) == "on"


def _labels(pod: Mapping[str, Any]) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}
