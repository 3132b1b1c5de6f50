"""The objects of the bundled router, and its weights at a real xDS endpoint."""

import json
from collections.abc import AsyncIterator

import pytest

from infadapter_operator.domain.ports import Conflict, PlatformUnavailable
from infadapter_operator.domain.steps import Backend, SetWeights
from infadapter_operator.envoy.endpoints import recall
from infadapter_operator.envoy.xds import XdsServer
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.routers.envoy import EnvoyRouter
from infadapter_operator.kube.routers.objects import (
    BOOTSTRAP_FILE,
    LAST_GOOD_FILE,
    build_config,
    build_router,
    service_key,
)
from infadapter_operator.settings import RouterSettings, Settings
from infadapter_solver.problem import Target
from tests.operator.kube.fakes import OWNER, FakeApi, Json, poll

CONFIG = core("vision", "configmaps", "resnet-router")
ROUTER = deployments("vision", "resnet-router")
FRONT = core("vision", "services", "resnet")


def weights(**by_pod: int) -> SetWeights:
    return SetWeights(
        backends=tuple(
            Backend(pod=pod, target=Target("r18"), address=f"10.0.0.{i}:80", weight=weight)
            for i, (pod, weight) in enumerate(sorted(by_pod.items()), 1)
        )
    )


def a_router(api: FakeApi, xds: XdsServer) -> EnvoyRouter:
    return EnvoyRouter(api=api, owner=OWNER, xds=xds, settings=Settings(), slo_s=0.75)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def xds() -> AsyncIterator[XdsServer]:
    server = XdsServer(heard_within_s=0.0)
    yield server
    await server.stop()


def remembered(api: FakeApi) -> set[str]:
    text = api.objects[CONFIG]["data"][LAST_GOOD_FILE]
    return {backend.pod for backend in recall(json.loads(text))}


def envoy(deployment: Json) -> Json:
    container: Json = deployment["spec"]["template"]["spec"]["containers"][0]
    return container


async def test_everything_is_made_once(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    assert {CONFIG, ROUTER, FRONT} <= set(api.objects)
    api.writes.clear()
    await router.ensure()
    await a_router(api, xds).ensure()
    assert api.writes == []


async def test_weights_are_in_force_when_the_router_says_so(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.set_weights(weights(a=700, b=300))
    assert (await router.view()).obeys == {}
    await poll(xds)
    assert (await router.view()).obeys == {"a": 700, "b": 300}


async def test_other_weights_write_nothing_and_other_pods_do(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.set_weights(weights(a=700, b=300))
    api.writes.clear()
    await router.set_weights(weights(a=500, b=500))
    assert api.writes == []
    await router.set_weights(weights(a=500, b=0))
    assert remembered(api) == {"a"}


async def test_a_write_of_the_pods_that_failed_is_made_up_for(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.set_weights(weights(a=700, b=300))
    api.refuse = lambda m, p: (
        PlatformUnavailable("timeout") if (m, p) == ("PATCH", CONFIG) else None
    )
    with pytest.raises(PlatformUnavailable):
        await router.set_weights(weights(c=1000))
    api.refuse = lambda method, path: None
    await router.ensure()
    assert remembered(api) == {"c"}


async def test_a_configmap_that_somebody_deleted_comes_back(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.set_weights(weights(a=700, b=300))
    del api.objects[CONFIG]
    await router.ensure()
    assert remembered(api) == {"a", "b"}


async def test_nothing_ready_keeps_the_last_good(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.set_weights(weights(a=1))
    await router.set_weights(SetWeights(backends=()))
    assert remembered(api) == {"a"}


async def test_a_restarted_operator_goes_on_where_it_was(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.set_weights(weights(a=700, b=300))
    fresh = XdsServer(heard_within_s=0.0)
    again = a_router(api, fresh)
    api.writes.clear()
    await again.ensure()
    assert (await again.view()).obeys == {"a": 700, "b": 300}
    assert api.writes == []


ENDLESS = """{"backends": [{"pod": "a", "variant": "v", "kind": "cpu", "address": "10.0.0.1:80",
    "weight": 1e999}]}"""


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"backends": [{}]}', "null", ENDLESS, "[" * 200_000], ids=range(6)
)
async def test_a_broken_memory_is_no_memory(api: FakeApi, xds: XdsServer, text: str) -> None:
    await a_router(api, xds).ensure()
    api.objects[CONFIG]["data"][LAST_GOOD_FILE] = text
    again = a_router(api, XdsServer(heard_within_s=0.0))
    await again.ensure()
    assert (await again.view()).obeys == {}
    assert remembered(api) == set()


async def test_another_slo_rolls_the_router(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    before = api.objects[ROUTER]["spec"]["template"]
    await router.set_weights(weights(a=1))
    assert api.objects[ROUTER]["spec"]["template"] == before, "pods that change roll nothing"
    router.slo_s = 0.3
    await router.ensure()
    assert api.objects[ROUTER]["spec"]["template"] != before
    assert '"timeout": "5.000s"' in api.objects[CONFIG]["data"][BOOTSTRAP_FILE]
    assert remembered(api) == {"a"}


@pytest.mark.parametrize("path", [CONFIG, ROUTER, FRONT])
async def test_what_is_somebody_elses_is_left_alone(
    api: FakeApi, xds: XdsServer, path: str
) -> None:
    api.put(path, {"spec": {"theirs": True}})
    with pytest.raises(Conflict, match="resnet"):
        await a_router(api, xds).ensure()
    await a_router(api, xds).remove()
    assert "resourceVersion" in api.objects[path]["metadata"]
    assert api.objects[path]["spec"] == {"theirs": True}


async def test_it_goes_when_traffic_comes_another_way(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.remove()
    assert not {CONFIG, ROUTER, FRONT} & set(api.objects)
    assert not xds.published(service_key(OWNER))


def test_settings_are_joined_to_what_the_router_needs() -> None:
    own = RouterSettings(
        image="mine:1",
        command=("/opt/envoy",),
        pod={"volumes": [{"name": "host"}], "nodeSelector": {"a": "b"}},
        container={"volumeMounts": [{"name": "host"}], "securityContext": {}},
    )
    made = build_router(OWNER, Settings(router=own), 0.75)
    pod = made["spec"]["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"]] == ["start", "host"]
    assert [mount["name"] for mount in envoy(made)["volumeMounts"]] == ["start", "host"]
    assert (envoy(made)["image"], envoy(made)["command"]) == ("mine:1", ["/opt/envoy"])
    assert envoy(made)["securityContext"] == {}
    assert pod["nodeSelector"] == {"a": "b"}


def test_by_default_the_router_can_do_nothing_but_route() -> None:
    made = build_router(OWNER, Settings(), 0.75)
    pod = made["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert envoy(made)["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_router_on_a_starved_node_keeps_its_traffic_for_ten_probes() -> None:
    made = build_router(OWNER, Settings(), 0.75)
    probe = envoy(made)["readinessProbe"]
    assert (probe["failureThreshold"], probe["periodSeconds"]) == (10, 1)


async def test_another_floor_is_told_and_kept_and_rolls_no_router(
    api: FakeApi, xds: XdsServer
) -> None:
    router = a_router(api, xds)
    await router.ensure()
    await router.set_weights(weights(a=700, b=300))
    await poll(xds)
    rolled = api.objects[ROUTER]
    router.floors = {"r18": 0.7}
    await router.ensure()
    assert api.objects[ROUTER] == rolled
    kept = json.loads(api.objects[CONFIG]["data"][LAST_GOOD_FILE])
    assert [backend.accuracy_floor for backend in recall(kept)] == [0.7, 0.7]
    await poll(xds)
    assert (await router.view()).obeys == {"a": 700, "b": 300}
    await router.set_weights(weights(a=600, b=400))
    assert {b["floor"] for b in xds.last_good(service_key(OWNER))["backends"]} == {0.7}
    api.writes.clear()
    await router.ensure()
    assert api.writes == []


async def test_routers_that_were_made_more_stay_so_when_they_roll(
    api: FakeApi, xds: XdsServer
) -> None:
    router = a_router(api, xds)
    await router.ensure()
    api.objects[ROUTER]["spec"]["replicas"] = 3
    router.slo_s = 0.5
    await router.ensure()
    assert api.objects[ROUTER]["spec"]["replicas"] == 3


def addresses(start: Json) -> set[str]:
    listeners = start["static_resources"]["listeners"]
    found = (one["address"]["socket_address"] for one in listeners if "address" in one)
    return {str(address["address"]) for address in found}


def test_routers_listen_in_the_family_of_their_cluster() -> None:
    for host in ("0.0.0.0", "::"):
        config = build_config(OWNER, Settings(listen_host=host), 0.75, {"backends": []})
        assert addresses(json.loads(config["data"][BOOTSTRAP_FILE])) == {host}


# --- a router that is not Ready -----------------------------------------------------------------


async def test_a_router_that_can_not_be_pulled_is_told_and_what_to_do(
    api: FakeApi, xds: XdsServer
) -> None:
    """
    Routers run in the services' namespaces, which may lack the pull secret. Regression: the only
    message was that no load is counted.
    """
    router = a_router(api, xds)
    await router.ensure()
    api.waits = lambda pod: "ImagePullBackOff"
    api.settle()
    told = await router.trouble()
    assert told is not None
    assert (told.type, told.status, told.reason) == ("Serving", "False", "ImageUnavailable")
    assert "Deployment resnet-router: as the kubelet says" in told.message
    assert "pull secrets" in told.message


async def test_a_router_that_a_quota_refuses_is_told(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    await router.ensure()
    failure = {"type": "ReplicaFailure", "status": "True", "message": "must specify limits.cpu"}
    api.objects[ROUTER]["status"] = {"conditions": [failure]}
    told = await router.trouble()
    assert told is not None
    assert told.reason == "PodsRefused"
    assert "must specify limits.cpu" in told.message


async def test_a_router_that_serves_or_begins_is_no_trouble(api: FakeApi, xds: XdsServer) -> None:
    router = a_router(api, xds)
    assert await router.trouble() is None
    await router.ensure()
    assert await router.trouble() is None
    api.waits = lambda pod: "ImagePullBackOff"  # for a changed template; the old pod serves on
    api.settle()
    api.objects[ROUTER]["status"]["availableReplicas"] = 1
    await router.set_weights(weights(a=700))
    await poll(xds)
    assert await router.trouble() is None


async def test_a_router_that_never_asks_is_told_with_where_it_looks(
    api: FakeApi, xds: XdsServer
) -> None:
    """E.g. if the operator is in another namespace. Regression: no condition gave the reason."""
    router = a_router(api, xds)
    await router.ensure()
    api.objects[ROUTER]["status"] = {"availableReplicas": 1}
    told = await router.trouble()
    assert told is not None
    assert (told.type, told.status, told.reason) == ("Serving", "Unknown", "RouterSilent")
    assert "infadapter.infadapter-system.svc:18000 (INFADAPTER_XDS_HOST)" in told.message
