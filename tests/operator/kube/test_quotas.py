"""CPU that ResourceQuotas leave a service's servers, according to their status."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from infadapter_operator.domain.names import TEMPLATE_ANNOTATION
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.domain.steps import ScaleUp
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.objects import Server, Workload
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.quotas import READ_EVERY_S
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.running import Running, observed
from infadapter_solver.problem import CPU, Target
from tests.operator.kube.bench import Bench, service
from tests.operator.kube.fakes import CREATED, OWNER, FakeApi, Json, allocation, template, workload

GPU = "nvidia.com/gpu"
LISTED = core("vision", "resourcequotas")


def a_quota(hard: Json, used: Json | None = None, **spec: Any) -> Json:
    """Return a quota. `used`: by other pods; None: the controller has not counted yet."""
    status = {} if used is None else {"hard": hard, "used": used}
    return {"spec": {"hard": hard, **spec}, "status": status}


def cluster(api: FakeApi, made: Workload) -> KubeCluster:
    return KubeCluster(
        api=api,
        owner=OWNER,
        workloads={"r18": made},
        other_autoscalers=OtherAutoscalers(api, refresh_s=1e9),
    )


async def left(*quotas: Json) -> dict[str, dict[str, int]]:
    api = FakeApi()
    for number, quota in enumerate(quotas):
        api.put(core("vision", "resourcequotas", f"q{number}"), quota)
    seen = await cluster(api, workload()).observe(0.0)
    return {name: dict(allowed) for name, allowed in seen.quotas.items()}


@pytest.mark.parametrize(
    ("hard", "used", "amounts"),
    [
        ({"cpu": "4"}, {"cpu": "1500m"}, {CPU: 2500}),
        (
            {"requests.cpu": "4", "limits.cpu": "3"},
            {"requests.cpu": 1, "limits.cpu": 1},
            {CPU: 2000},
        ),
        ({"limits.cpu": "900m"}, {"limits.cpu": "1"}, {CPU: -100}),
        ({f"requests.{GPU}": "4"}, {f"requests.{GPU}": "3"}, {GPU: 1}),
        (
            {"cpu": "4", "pods": "9", "memory": "1Gi"},
            {"cpu": 0, "pods": 9, "memory": 0},
            {CPU: 4000},
        ),
        ({"count/deployments.apps": "3"}, {"count/deployments.apps": "3"}, {}),
        ({"cpu": "4"}, {}, {}),
        ({"cpu": "4"}, None, {}),
        ({"cpu": "4E"}, {"cpu": "1"}, {}),
    ],
)
async def test_the_shortest_of_what_bounds_a_resource_is_what_is_left(
    hard: Json, used: Json | None, amounts: dict[str, int]
) -> None:
    assert await left(a_quota(hard, used)) == {"q0": amounts}


NOT_TERMINATING = {"scopeName": "NotTerminating", "operator": "Exists"}
IMPORTANT = {"scopeName": "PriorityClass", "operator": "In", "values": ["important"]}


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ({"scopes": ["NotTerminating", "NotBestEffort"]}, True),
        ({"scopes": ["Terminating"]}, False),
        ({"scopes": ["BestEffort"]}, False),
        ({"scopes": ["NotTerminating", "Terminating"]}, False),
        ({"scopeSelector": {"matchExpressions": [NOT_TERMINATING]}}, True),
        ({"scopeSelector": {"matchExpressions": [NOT_TERMINATING, IMPORTANT]}}, False),
    ],
)
async def test_only_a_quota_that_counts_all_pods_of_ours_is_known(
    spec: Json, *, counts: bool
) -> None:
    assert bool(await left(a_quota({"cpu": "4"}, {"cpu": "1"}, **spec))) is counts


async def test_all_quotas_of_the_namespace_are_told() -> None:
    wide, tight = (a_quota({"cpu": cores}, {"cpu": 0}) for cores in ("9", "4"))
    assert await left(wide, tight) == {"q0": {CPU: 9000}, "q1": {CPU: 4000}}


def running(beside_m: int = 0, *, quota: str = "5") -> tuple[FakeApi, KubeCluster]:
    """Return a cluster with a quota and a sidecar with this request in each pod."""
    api, made = FakeApi(), template()
    if beside_m:
        asked = {"requests": {"cpu": f"{beside_m}m"}}
        made["spec"]["containers"].append({"name": "beside", "resources": asked})
    api.put(core("vision", "resourcequotas", "team"), a_quota({"cpu": quota}))
    api.settle()
    return api, cluster(api, workload(template=made))


async def scaled(api: FakeApi, here: KubeCluster, pods: int) -> Observed:
    """Scale up, and return the observation after the next reading of quotas."""
    await here.observe(0.0)
    await here.take(ScaleUp(target=Target("r18"), size=allocation(1000).size, pods=pods))
    api.settle()
    return await here.observe(READ_EVERY_S)


async def test_what_our_own_pods_hold_is_ours_and_what_others_hold_is_not() -> None:
    api, here = running()
    asked = {"containers": [{"name": "c", "resources": {"requests": {"cpu": "700m"}}}]}
    api.put(core("vision", "pods", "other"), {"metadata": {"labels": {}}, "spec": asked})
    for pods in (1, 2):
        assert (await scaled(api, here, pods)).quotas == {"team": {CPU: 4300}}


@pytest.mark.parametrize(("pods", "allowed"), [(1, 2500), (2, 2500)])
async def test_what_is_left_is_shared_with_the_containers_that_pods_bring_along(
    pods: int, allowed: int
) -> None:
    """Sidecars request as much as servers, so half of the quota is for servers."""
    assert (await scaled(*running(1000), pods)).quotas == {"team": {CPU: allowed}}


async def test_a_pod_that_a_quota_refuses_is_told_and_none_is_made() -> None:
    api, here = running(quota="1500m")
    seen = await scaled(api, here, 2)
    assert len(seen.pods) == 1
    assert seen.refusals[Target("r18")].message == "exceeded quota: team"


async def test_quotas_are_read_now_and_then_and_what_was_known_is_kept_in_an_outage() -> None:
    api, here = running()
    assert (await here.observe(0.0)).quotas == {"team": {CPU: 5000}}
    api.put(core("vision", "resourcequotas", "team"), a_quota({"cpu": "4"}, {"cpu": "0"}))
    assert (await here.observe(READ_EVERY_S - 1)).quotas == {"team": {CPU: 5000}}
    assert (await here.observe(READ_EVERY_S)).quotas == {"team": {CPU: 4000}}
    api.refuse = lambda _, path: PlatformUnavailable("it is away") if path == LISTED else None
    assert (await here.observe(2 * READ_EVERY_S)).quotas == {"team": {CPU: 4000}}


async def test_where_quotas_may_not_be_listed_none_is_known_which_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api, here = running()
    forbidden = ApiRefusal(403, "Forbidden", "resourcequotas is forbidden")
    api.refuse = lambda _, path: forbidden if path == LISTED else None
    with caplog.at_level(logging.WARNING):
        for look in range(3):
            assert (await here.observe(look * READ_EVERY_S)).quotas == {}
    (line,) = caplog.messages
    assert line.startswith("vision/resnet: quotas of its namespace not known: resourcequotas is")


# --- a roll that a quota refuses -----------------------------------------------------------------

BY_CPU = (
    'pods "resnet-r18-5c8d-x" is forbidden: exceeded quota: team, requested: limits.cpu=1,'
    "requests.cpu=1, used: limits.cpu=2,requests.cpu=2, limited: limits.cpu=2,requests.cpu=2"
)
BY_MEMORY = (
    'pods "resnet-r18-5c8d-x" is forbidden: exceeded quota: team, requested: requests.cpu=1,'
    "requests.memory=1Gi, used: requests.cpu=2,requests.memory=2Gi, limited: requests.cpu=2"
)
BY_A_WEBHOOK = 'admission webhook "policy.example" denied the request'


def rolled(message: str, updated: int = 0) -> Running:
    """Return a Deployment that rolls, with `updated` of its two Ready pods of the new template."""
    failure = {"type": "ReplicaFailure", "status": "True", "message": message}
    made = workload()
    status = {
        "replicas": 2,
        "updatedReplicas": updated,
        "observedGeneration": 1,
        "conditions": [failure],
    }
    metadata: Json = {"name": "resnet-r18", "creationTimestamp": CREATED, "generation": 1}
    spec = {"replicas": 2, "template": template()}
    metadata["annotations"] = {TEMPLATE_ANNOTATION: made.digest}
    return Running(
        target=Target("r18"),
        deployment={"metadata": metadata, "spec": spec, "status": status},
        server=Server("server", 9000),
        pods=(a_pod("a"), a_pod("b")),
        workload=made,
    )


def a_pod(name: str, ready: str = "True", **metadata: str) -> Json:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
    metadata = {"name": name, "creationTimestamp": CREATED, **metadata}
    return {"metadata": metadata, **template(), "status": status}


@pytest.mark.parametrize("updated", [0, 1])
def test_a_roll_that_a_quota_keeps_out_has_yet_to_begin(updated: int) -> None:
    """All old pods still run and nothing counts as refused; the loop begins it with room."""
    seen = observed([rolled(BY_CPU, updated)], frozenset(), {"team": {CPU: 2000}})
    assert not seen.rolling
    assert not seen.refusals
    assert [pod.outdated for pod in seen.pods] == [True, True]


@pytest.mark.parametrize(
    ("message", "quotas"),
    [
        (BY_MEMORY, {"team": {CPU: 2000}}),
        (BY_A_WEBHOOK, {"team": {CPU: 2000}}),
        (BY_CPU, {"other": {CPU: 2000}}),
        (BY_CPU, {}),
    ],
)
def test_what_nobody_knows_to_have_room_again_is_refused(
    message: str, quotas: dict[str, dict[str, int]]
) -> None:
    seen = observed([rolled(message)], frozenset(), quotas)
    assert seen.rolling == seen.refusals.keys() == {Target("r18")}


@pytest.mark.parametrize("pod", [a_pod("b", "False"), a_pod("b", deletionTimestamp=CREATED)])
def test_a_roll_goes_on_while_a_pod_of_it_comes_or_leaves(pod: Json) -> None:
    roll = rolled(BY_CPU)
    moves = replace(roll, pods=(roll.pods[0], pod))
    seen = observed([moves], frozenset(), {"team": {CPU: 2000}})
    assert seen.rolling
    assert not seen.refusals, "what leaves makes its room"


# --- the loop of a service ----------------------------------------------------------------------

ROUTER_M = 250


async def bounded(millicores: int) -> Bench:
    """Return a bench with two serving pods and a router under a quota."""
    api = FakeApi()
    bench = Bench(service(budget={"cpu": "4"}), api)
    api.put(core("vision", "resourcequotas", "team"), a_quota({"cpu": f"{millicores}m"}))
    bench.load.rps = 35.0
    await bench.turns(20)
    return bench


async def test_under_a_quota_that_is_the_budget_a_plan_is_exchanged_and_nothing_is_refused() -> (
    None
):
    """By default surge equals the budget. Regression: the first start beyond was refused."""
    bench = await bounded(4000 + ROUTER_M)
    refused: list[Json] = []
    for rps in (5.0, 35.0, 12.0):
        bench.load.rps = rps
        for _ in range(40):
            await bench.turns(1)
            made = (o for path, o in bench.api.objects.items() if "/deployments/" in path)
            refused += [c for one in made for c in one["status"].get("conditions", ())]
    assert not refused
    assert bench.condition("VariantsAvailable")[0] == "True"
    assert bench.condition("Progressing") == ("False", "AsPlanned")
    assert bench.condition("CapacityAvailable") == ("True", "WithinQuota")
    told = "quota team leaves no surge, of cpu=4: pods are replaced within the budget"
    assert told in bench.told("CapacityAvailable")


async def test_what_a_quota_leaves_is_told_without_what_moves_and_not_again_and_again() -> None:
    bench = await bounded(6000 + ROUTER_M)
    assert bench.condition("CapacityAvailable") == ("True", "WithinQuota")
    told = bench.told("CapacityAvailable")
    assert "quota team leaves less surge than cpu=4: pods are replaced within that" in told
    for cores, reason in ((5, "WithinQuota"), (8.5, "WithinQuota"), (9, "Available")):
        hard = {"cpu": f"{1000 * cores + ROUTER_M:g}m"}
        bench.api.objects[core("vision", "resourcequotas", "team")]["spec"]["hard"] = hard
        bench.api.settle()
        await bench.turns(11)
        assert bench.condition("CapacityAvailable") == ("True", reason)
        assert reason == "Available" or bench.told("CapacityAvailable") == told
