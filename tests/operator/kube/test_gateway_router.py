"""The HTTPRoute, against an API server in memory and a gateway that the tests imitate."""

from typing import Any

import pytest

from infadapter_operator.domain.names import TRAFFIC_LABEL
from infadapter_operator.domain.observed import RouterView
from infadapter_operator.domain.ports import Conflict
from infadapter_operator.domain.steps import Backend, ScaleUp, SetWeights
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.routers.gateway import OBEYED_WITHIN_S, GatewayRouter
from infadapter_operator.kube.routers.http_route import (
    build_route,
    covers,
    in_force,
    route_path,
    target_weights,
    was_accepted,
)
from infadapter_solver.problem import Target
from tests.operator.kube.fakes import OWNER, FakeApi, Json, allocation, workload

R18, R34 = Target("r18"), Target("r34")
ROUTE = route_path(OWNER)
TRAFFIC = {"parentRefs": [{"name": "gate"}], "hostnames": ["example.com"]}


def accept(api: FakeApi, generation: int | None = None, status: str = "True") -> None:
    live = api.objects[ROUTE]
    reached = live["metadata"]["generation"] if generation is None else generation
    conditions = [
        {"type": kind, "status": status, "observedGeneration": reached}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parent = {"name": "gate", "group": "gateway.networking.k8s.io", "kind": "Gateway"}
    live["status"] = {"parents": [{"parentRef": parent, "conditions": conditions}]}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def router(api: FakeApi) -> GatewayRouter:
    """The router of two variants with two running pods each."""
    cluster = KubeCluster(
        api=api,
        owner=OWNER,
        workloads={name: workload(name) for name in ("r18", "r34")},
        other_autoscalers=OtherAutoscalers(api),
        gated=True,
    )
    for target in (R18, R34):
        await cluster.take(ScaleUp(target=target, size=allocation(1000).size, pods=2))
    await look(cluster)
    return GatewayRouter(api=api, owner=OWNER, cluster=cluster, traffic=TRAFFIC)


async def look(cluster: KubeCluster) -> None:
    cluster.api.settle()  # type: ignore[attr-defined]
    await cluster.observe(0.0)


def names(router: GatewayRouter, target: Target) -> list[str]:
    return [pod["metadata"]["name"] for pod in router.cluster.running[target].pods]


async def send(router: GatewayRouter, weights: dict[str, int]) -> None:
    targets = {name: target for target in (R18, R34) for name in names(router, target)}
    backends = (
        Backend(pod=pod, target=targets[pod], address="10.0.0.1:9000", weight=weight)
        for pod, weight in weights.items()
    )
    await router.set_weights(SetWeights(backends=tuple(backends)))
    await look(router.cluster)


def marked(api: FakeApi) -> set[str]:
    return {
        pod["metadata"]["name"]
        for pod in api.pods()
        if pod["metadata"]["labels"].get(TRAFFIC_LABEL) == "on"
    }


async def test_nothing_is_in_force_before_a_gateway_takes_the_route(
    api: FakeApi, router: GatewayRouter
) -> None:
    assert (await router.view()).obeys == {}
    weights = dict.fromkeys(names(router, R18), 500)
    await send(router, weights)
    assert (await router.view()).obeys == {}
    accept(api)
    assert (await router.view()).obeys == weights


async def test_the_route_names_services_with_their_pods_weights(
    api: FakeApi, router: GatewayRouter
) -> None:
    first, second = names(router, R18)
    await send(router, {first: 300, second: 200, names(router, R34)[0]: 500})
    spec = api.objects[ROUTE]["spec"]
    (rule,) = spec["rules"]
    assert [(b["name"], b["weight"]) for b in rule["backendRefs"]] == [
        ("resnet-r18", 500),
        ("resnet-r34", 500),
    ]
    assert rule["matches"][0]["path"]["value"] == "/v2/models/resnet"
    assert (spec["parentRefs"], spec["hostnames"]) == (TRAFFIC["parentRefs"], ["example.com"])
    assert marked(api) == {first, second, names(router, R34)[0]}


async def test_a_pod_without_weight_is_taken_out_of_its_service(
    api: FakeApi, router: GatewayRouter
) -> None:
    first, second = names(router, R18)
    await send(router, {first: 500, second: 500})
    accept(api)
    await send(router, {first: 1000})
    assert marked(api) == {first}


async def test_a_whole_target_goes_by_the_route_so_that_nothing_meets_an_empty_service(
    api: FakeApi, router: GatewayRouter
) -> None:
    old, new = names(router, R18)[0], names(router, R34)[0]
    await send(router, {old: 1000})
    accept(api)
    await send(router, {new: 1000})
    assert marked(api) == {old, new}
    assert set((await router.view()).obeys) == {old, new}, (
        "the gateway may still send to the old one"
    )
    accept(api)
    assert (await router.view()).obeys == {new: 1000}


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def may_send_to(router: GatewayRouter) -> set[str]:
    view = await router.view()
    return {*view.obeys, *view.may_obey}


async def test_what_was_asked_for_is_told_and_may_be_obeyed_from_then_on(
    api: FakeApi, router: GatewayRouter
) -> None:
    assert await router.view() == RouterView()
    first, second = names(router, R18)
    await send(router, {first: 700, second: 300})
    view = await router.view()
    assert (view.obeys, view.sent) == ({}, {first: 700, second: 300})
    assert view.may_obey == {first, second}


async def test_a_route_that_was_replaced_unconfirmed_may_be_obeyed_for_a_while_and_then_no_more(
    api: FakeApi, router: GatewayRouter
) -> None:
    clock = router.clock = Clock()
    old, new = names(router, R18)[0], names(router, R34)[0]
    await send(router, {old: 1000})
    clock.now_s += 1.0
    await send(router, {new: 1000})
    accept(api)
    view = await router.view()
    assert view.obeys == {new: 1000}, "this generation, and no earlier one"
    assert view.in_between == ({old: 1000},), "which is not of both"
    clock.now_s += OBEYED_WITHIN_S - 0.1
    assert await may_send_to(router) == {old, new}
    clock.now_s += 0.2
    assert await may_send_to(router) == {new}


async def test_each_replacement_is_waited_for_from_its_own_time_on(
    api: FakeApi, router: GatewayRouter
) -> None:
    clock = router.clock = Clock()
    first, second = names(router, R18)
    third = names(router, R34)[0]
    for pod in (first, second, third):
        await send(router, {pod: 1000})
        clock.now_s += 10.0
    accept(api)
    assert await may_send_to(router) == {second, third}
    clock.now_s += OBEYED_WITHIN_S - 10.0
    assert await may_send_to(router) == {third}


async def test_a_route_that_was_confirmed_is_not_waited_for(
    api: FakeApi, router: GatewayRouter
) -> None:
    router.clock = Clock()
    old, new = names(router, R18)[0], names(router, R34)[0]
    await send(router, {old: 1000})
    accept(api)
    await send(router, {new: 1000})
    accept(api)
    assert await may_send_to(router) == {new}


async def test_a_route_that_is_sent_again_is_not_replaced(
    api: FakeApi, router: GatewayRouter
) -> None:
    router.clock = Clock()
    first, second = names(router, R18)
    for _ in range(2):
        await send(router, {first: 700, second: 300})
    accept(api)
    await send(router, {second: 1000})
    accept(api)
    assert await may_send_to(router) == {second}


async def test_weights_within_a_target_are_as_asked(api: FakeApi, router: GatewayRouter) -> None:
    first, second = names(router, R18)
    await send(router, {first: 700, second: 300})
    accept(api)
    assert (await router.view()).obeys == {first: 700, second: 300}


async def test_the_same_weights_again_write_nothing(api: FakeApi, router: GatewayRouter) -> None:
    weights = dict.fromkeys(names(router, R18), 500)
    await send(router, weights)
    accept(api)
    api.writes.clear()
    await send(router, weights)
    await router.ensure()
    assert api.writes == []


async def test_no_backend_leaves_the_route_as_it_was(api: FakeApi, router: GatewayRouter) -> None:
    await send(router, {names(router, R18)[0]: 1000})
    api.writes.clear()
    await send(router, {})
    assert api.writes == []


async def test_new_hostnames_reach_the_route(api: FakeApi, router: GatewayRouter) -> None:
    await send(router, {names(router, R18)[0]: 1000})
    router.traffic = {**TRAFFIC, "hostnames": ["other.example.com"]}
    await router.ensure()
    assert api.objects[ROUTE]["spec"]["hostnames"] == ["other.example.com"]
    assert api.objects[ROUTE]["spec"]["rules"][0]["backendRefs"][0]["weight"] == 1000


async def test_a_route_of_somebody_else_is_left_alone(api: FakeApi, router: GatewayRouter) -> None:
    api.put(ROUTE, {"spec": {"rules": []}})
    with pytest.raises(Conflict, match="resnet"):
        await send(router, {names(router, R18)[0]: 1000})
    await router.remove()
    assert ROUTE in api.objects


async def test_the_service_is_gated(api: FakeApi, router: GatewayRouter) -> None:
    await send(router, {names(router, R18)[0]: 1000})
    selector = api.objects[core("vision", "services", "resnet-r18")]["spec"]["selector"]
    assert selector[TRAFFIC_LABEL] == "on"


@pytest.mark.parametrize(
    ("live", "ours", "same"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([{"name": "x", "weight": 1}], [{"name": "x"}], True),
        ([{"name": "x"}, {"name": "y"}], [{"name": "x"}], False),
        ("x", "y", False),
        (None, {"a": 1}, False),
    ],
)
def test_what_the_server_filled_in_is_no_difference(live: Any, ours: Any, same: bool) -> None:
    assert covers(live, ours) is same


def a_route(**weights: int) -> Json:
    built = build_route(OWNER, TRAFFIC, {Target(name): w for name, w in weights.items()}, {})
    return {**built, "metadata": {**built["metadata"], "generation": 8}}


def test_an_older_generation_is_not_in_force() -> None:
    api = FakeApi()
    api.objects[ROUTE] = a_route(r18=1)
    for generation, status, force in ((7, "True", False), (8, "True", True), (8, "False", False)):
        accept(api, generation, status)
        assert in_force(api.objects[ROUTE]) is force
    assert not was_accepted(api.objects[ROUTE])


def test_weights_are_read_back_by_target() -> None:
    assert target_weights(a_route(r18=3, r34=7), OWNER, [R18]) == {R18: 3}


def asked(api: FakeApi) -> Any:
    """Return the route's filters, which add headers to requests."""
    (rule,) = api.objects[ROUTE]["spec"]["rules"]
    return rule.get("filters")


async def test_a_floor_is_added_to_requests_and_taken_back(
    api: FakeApi, router: GatewayRouter
) -> None:
    await send(router, {names(router, R18)[0]: 1000})
    assert asked(api) is None
    router.floors = {"r18": 0.7}
    await router.ensure()
    assert asked(api) == [
        {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {
                "add": [{"name": "infadapter-accuracy-floor", "value": "0.70000"}]
            },
        }
    ]
    api.writes.clear()
    await router.ensure()
    assert api.writes == []
    router.floors = {}
    await router.ensure()
    assert asked(api) is None


async def test_no_floor_is_asked_while_a_variant_below_it_still_answers(
    api: FakeApi, router: GatewayRouter
) -> None:
    """A variant below the floor would answer no request any more."""
    old, new = names(router, R18)[0], names(router, R34)[0]
    router.floors = {"r34": 0.7}
    await send(router, {old: 500, new: 500})
    assert asked(api) is None
    await send(router, {new: 1000})
    assert asked(api) is not None


# --- routes that no gateway uses -----------------------------------------------------------------


async def test_a_route_that_no_gateway_takes_up_is_told_after_a_while(
    api: FakeApi, router: GatewayRouter
) -> None:
    """If no Gateway has the name, or no controller its class, the route never gets a status."""
    router.clock = clock = Clock()
    assert await router.trouble() is None, "there is none"
    await send(router, dict.fromkeys(names(router, R18), 500))
    assert await router.trouble() is None
    clock.now_s += OBEYED_WITHIN_S
    told = await router.trouble()
    assert told is not None
    assert (told.type, told.status, told.reason) == ("Serving", "False", "RouteNotAccepted")
    assert "HTTPRoute resnet" in told.message
    assert "is there one of that name, and its class?" in told.message
    accept(api)
    assert await router.trouble() is None


async def test_a_route_that_is_refused_is_told_in_the_words_of_the_gateway(
    api: FakeApi, router: GatewayRouter
) -> None:
    await send(router, dict.fromkeys(names(router, R18), 500))
    refused = {
        "type": "Accepted",
        "status": "False",
        "reason": "NotAllowedByListeners",
        "message": "no listener takes routes of this namespace",
    }
    api.objects[ROUTE]["status"] = {"parents": [{"conditions": [refused]}]}
    told = await router.trouble()
    assert told is not None
    assert told.message.endswith(
        "NotAllowedByListeners: no listener takes routes of this namespace"
    )
