"""Traffic through the Gateway API: an HTTPRoute with the plan's weights and a fake gateway."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from infadapter_operator.domain.names import TRAFFIC_LABEL, target_name
from infadapter_solver.problem import Target
from tests.e2e.figures import Figures
from tests.e2e.kube import Kube, Refused, wait_for
from tests.e2e.live import EVEN_S, Live, variant_of
from tests.e2e.services import Rung, service, variant

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Json = dict[str, Any]
NAME = "routed"
BUDGET_M, SURGE_M = 400, 300
"""
Small, because there is no load and other tests use the node at the same time. A pod that found no
room on it would be retried beside the plan as long as there is surge for it.
"""

PARENT = {"name": "front", "group": "gateway.networking.k8s.io", "kind": "Gateway"}


class Gateway(threading.Thread):
    """A fake gateway, which confirms each generation of the route unless `slow`."""

    def __init__(self, kube: Kube) -> None:
        super().__init__(daemon=True)
        self.kube, self.slow, self.ends = kube, False, threading.Event()

    def run(self) -> None:
        while not self.ends.wait(0.3):
            route = None if self.slow else self.kube.find("httproutes", NAME)
            if route and not self._confirmed(route):
                self._confirm(route)

    def _confirmed(self, route: Json) -> bool:
        parents = (route.get("status") or {}).get("parents") or [{}]
        conditions = parents[0].get("conditions") or [{}]
        return bool(conditions[0].get("observedGeneration") == route["metadata"]["generation"])

    def _confirm(self, route: Json) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [
            {
                "type": kind,
                "status": "True",
                "reason": kind,
                "message": "",
                "lastTransitionTime": now,
                "observedGeneration": route["metadata"]["generation"],
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parent = {"parentRef": PARENT, "controllerName": "e2e/gateway", "conditions": conditions}
        try:
            self.kube.patch("httproutes", NAME, {"status": {"parents": [parent]}}, "status")
        except Refused:
            return  # the route has changed or is gone


@pytest.fixture
def gateway(kube: Kube, schemas: None) -> Iterator[Gateway]:
    gateway = Gateway(kube)
    gateway.start()
    yield gateway
    gateway.ends.set()
    gateway.join()


def demand(rps: float) -> Json:
    """Return `spec.demand` with a constant load, because the fake gateway counts no requests."""
    return {"query": f"vector({rps:.1f})"}


def backends(kube: Kube) -> dict[str, int]:
    """Return the route's weights by Service."""
    route = kube.find("httproutes", NAME) or {"spec": {}}
    [rule] = route["spec"].get("rules") or [{}]
    return {ref["name"]: ref["weight"] for ref in rule.get("backendRefs", ())}


def service_of(planned: Json) -> str:
    return target_name(NAME, Target(planned["variant"], planned.get("kind", "cpu")))


def test_the_route_carries_the_plans_weights(
    kube: Kube,
    gateway: Gateway,
    rungs: dict[str, Rung],
    deleted: list[Live],
    figures: Figures,
) -> None:
    small, large = rungs["glyph-1"], rungs["glyph-4"]
    low_rps = 0.5 * large.capacity_rps(BUDGET_M)
    high_rps = 0.7 * small.capacity_rps(BUDGET_M)
    document = service(
        NAME,
        [variant(rung.variant, NAME) for rung in (small, large)],
        traffic={"parentRefs": [{"name": PARENT["name"]}]},
        demand=demand(low_rps),
        budget={"cpu": f"{BUDGET_M}m"},
    )
    document["spec"]["scaling"]["maxSurge"] = {"cpu": f"{SURGE_M}m"}
    kube.create("inferenceservices", document)
    live = Live(kube, NAME)
    try:
        live.wait_for_condition("Serving", "True", 120)
        live.settle(EVEN_S)
        assert_weights_match(live, low_rps, figures)
        assert kube.find("configmaps", f"{NAME}-router") is None, "a bundled router beside a route"

        gateway.slow = True
        old = {p["metadata"]["uid"] for p in live.pods() if variant_of(p) == large.variant}
        generation = kube.get("httproutes", NAME)["metadata"]["generation"]
        kube.patch("inferenceservices", NAME, {"spec": {"demand": demand(high_rps)}})
        wait_for(
            "the route has changed",
            lambda: kube.get("httproutes", NAME)["metadata"]["generation"] > generation,
            90,
        )
        time.sleep(8)
        there = {p["metadata"]["uid"] for p in live.pods() if variant_of(p) == large.variant}
        assert old <= there, "pods went before the gateway had confirmed that it spares them"

        gateway.slow = False
        live.settle(EVEN_S)
        assert_weights_match(live, high_rps, figures)
    finally:
        kube.delete("inferenceservices", NAME)
        deleted.append(live)


def assert_weights_match(live: Live, rps: float, figures: Figures) -> None:
    """Assert that backends are the plan's targets, weighted by planned rate, with their pods."""
    plan, weights = live.plan, backends(live.kube)
    planned = {service_of(p): float(p["servedRps"]) for p in plan["allocations"]}
    figures.note("HTTPRoute: plan, weights", [plan["summary"], weights])
    assert set(weights) == {name for name, served in planned.items() if served > 0}
    total, served = sum(weights.values()), sum(planned.values())
    for name, weight in weights.items():
        assert weight / total == pytest.approx(planned[name] / served, abs=0.05)
    for pod in live.pods():
        assert pod["metadata"]["labels"].get(TRAFFIC_LABEL) == "on"
    for name in weights:
        wanted = next(p["pods"] for p in plan["allocations"] if service_of(p) == name)
        assert live.ready_behind(name) == wanted
