"""The steps on Deployments and pods, against an API server in memory."""

from typing import Any

import pytest

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import (
    Conflict,
    PlatformUnavailable,
    QuotaExceeded,
    ResizeInfeasible,
    StepRefused,
)
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_solver.problem import Target
from tests.operator.kube.fakes import OWNER, FakeApi, Json, allocation, template, workload

R18 = Target("r18")
ONE, TWO = allocation(1000), allocation(2000, 20.0)
DEPLOYMENT = deployments("vision", "resnet-r18")


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def a_cluster(api: FakeApi, *workloads: Any, **changes: Any) -> KubeCluster:
    given = workloads or (workload(),)
    return KubeCluster(
        api=api,
        owner=OWNER,
        workloads={w.variant: w for w in given},
        other_autoscalers=OtherAutoscalers(api, refresh_s=0.0),
        **changes,
    )


async def look(cluster: KubeCluster) -> Observed:
    cluster.api.settle()  # type: ignore[attr-defined]
    return await cluster.observe(0.0)


async def scaled(cluster: KubeCluster, pods: int, size: Any = ONE) -> Observed:
    await cluster.take(ScaleUp(target=R18, size=size.size, pods=pods))
    return await look(cluster)


def template_of(api: FakeApi) -> Json:
    found: Json = api.objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]
    return found


async def test_pods_start_at_the_planned_size(api: FakeApi) -> None:
    cluster = a_cluster(api)
    assert await look(cluster) == Observed()
    observed = await scaled(cluster, 2, TWO)
    assert [pod.resources for pod in observed.pods] == [{"cpu": 2000}, {"cpu": 2000}]
    assert all(pod.ready and pod.target == R18 for pod in observed.pods)
    assert observed.desired_pods == {R18: 2}
    assert observed.templates[R18].resources == {"cpu": 2000}
    assert core("vision", "services", "resnet-r18") in api.objects


async def test_the_template_stays_while_pods_run(api: FakeApi) -> None:
    cluster = a_cluster(api)
    before = await scaled(cluster, 1, ONE)
    after = await scaled(cluster, 2, TWO)
    assert {pod.name for pod in before.pods} <= {pod.name for pod in after.pods}
    assert [pod.resources for pod in after.pods] == [{"cpu": 1000}] * 2


async def test_the_template_follows_when_nothing_runs(api: FakeApi) -> None:
    cluster = a_cluster(api)
    observed = await scaled(cluster, 1, ONE)
    await cluster.take(RemovePods(target=R18, pods=(observed.pods[0].name,), remaining=0))
    assert (await look(cluster)).pods == ()
    observed = await scaled(cluster, 1, TWO)
    assert [pod.resources for pod in observed.pods] == [{"cpu": 2000}]


async def test_asking_again_for_pods_that_are_on_their_way_writes_nothing(api: FakeApi) -> None:
    cluster = a_cluster(api)
    await scaled(cluster, 2)
    api.writes.clear()
    await scaled(cluster, 2)
    assert api.writes == []


async def test_a_resize_touches_the_pod_alone(api: FakeApi) -> None:
    cluster = a_cluster(api)
    observed = await scaled(cluster, 1, ONE)
    before = template_of(api)
    await cluster.take(ResizePod(pod=observed.pods[0].name, target=R18, size=TWO.size))
    after = await look(cluster)
    assert [(p.name, p.resources) for p in after.pods] == [(observed.pods[0].name, {"cpu": 2000})]
    assert template_of(api) == before


async def test_replacing_rolls_to_the_new_size(api: FakeApi) -> None:
    cluster = a_cluster(api)
    before = await scaled(cluster, 2, ONE)
    await cluster.take(ReplacePods(target=R18, size=TWO.size, pods=2))
    after = await look(cluster)
    assert not {p.name for p in before.pods} & {p.name for p in after.pods}
    assert [p.resources for p in after.pods] == [{"cpu": 2000}] * 2


async def test_exactly_the_named_pods_go(api: FakeApi) -> None:
    cluster = a_cluster(api)
    before = await scaled(cluster, 3)
    gone = before.pods[2].name
    await cluster.take(RemovePods(target=R18, pods=(gone,), remaining=2))
    after = await look(cluster)
    assert {p.name for p in before.pods} - {p.name for p in after.pods} == {gone}


async def test_a_changed_template_rolls_at_the_size_in_force_and_only_once(api: FakeApi) -> None:
    cluster = a_cluster(api)
    observed = await scaled(cluster, 1, ONE)
    await cluster.take(ResizePod(pod=observed.pods[0].name, target=R18, size=TWO.size))
    await look(cluster)
    cluster.workloads = {"r18": workload(template=template(image="example/server:2"))}
    await look(cluster)
    await cluster.clean_up()
    observed = await look(cluster)
    assert [p.resources for p in observed.pods] == [{"cpu": 2000}]
    assert template_of(api)["image"] == "example/server:2"
    api.writes.clear()
    await cluster.clean_up()
    assert api.writes == []


async def test_a_changed_template_that_waits_for_room_rolls_with_the_step_that_replaces_its_pods(
    api: FakeApi,
) -> None:
    """Until then pods may be removed, and no new pod is created."""
    cluster = a_cluster(api)
    before = await scaled(cluster, 3)
    cluster.workloads = {"r18": workload(template=template(image="example/server:2"))}
    seen = await look(cluster)
    assert all(pod.outdated for pod in seen.pods)
    assert not seen.rolling
    await cluster.clean_up(frozenset({R18}))
    gone = before.pods[0].name
    await cluster.take(RemovePods(target=R18, pods=(gone,), remaining=2))
    await cluster.clean_up()  # the pods are no longer as observed
    seen = await look(cluster)
    assert {p.name for p in before.pods} - {p.name for p in seen.pods} == {gone}
    await cluster.take(ReplacePods(target=R18, size=ONE.size, pods=2))
    seen = await look(cluster)
    assert not {p.name for p in before.pods} & {p.name for p in seen.pods}
    assert template_of(api)["image"] == "example/server:2"
    assert not any(pod.outdated for pod in seen.pods)


async def test_a_variant_that_left_the_spec_goes_when_its_pods_may(api: FakeApi) -> None:
    cluster = a_cluster(api)
    await scaled(cluster, 2)
    cluster.workloads = {}
    observed = await look(cluster)
    assert len(observed.pods) == 2
    await cluster.clean_up()
    assert DEPLOYMENT in api.objects
    names = tuple(pod.name for pod in observed.pods)
    await cluster.take(RemovePods(target=R18, pods=names, remaining=0))
    assert DEPLOYMENT not in api.objects
    assert core("vision", "services", "resnet-r18") not in api.objects


async def test_a_deployment_of_somebody_else_is_left_alone(api: FakeApi) -> None:
    api.put(DEPLOYMENT, {"spec": {"replicas": 1, "template": template()}})
    cluster = a_cluster(api)
    with pytest.raises(Conflict, match="resnet-r18"):
        await scaled(cluster, 1)
    assert api.writes == []


@pytest.mark.parametrize(
    ("resource", "reference"),
    [
        ("/apis/autoscaling/v2/namespaces/vision/horizontalpodautoscalers", "scaleTargetRef"),
        ("/apis/keda.sh/v1alpha1/namespaces/vision/scaledobjects", "scaleTargetRef"),
        ("/apis/autoscaling.k8s.io/v1/namespaces/vision/verticalpodautoscalers", "targetRef"),
    ],
)
async def test_what_another_autoscaler_sizes_is_untouchable(
    api: FakeApi, resource: str, reference: str
) -> None:
    cluster = a_cluster(api)
    await scaled(cluster, 1)
    named = {"kind": "Deployment", "name": "resnet-r18"}
    api.put(f"{resource}/x", {"spec": {reference: named}})
    assert (await look(cluster)).untouchable == {R18}


async def test_an_autoscaler_that_only_recommends_is_no_conflict(api: FakeApi) -> None:
    cluster = a_cluster(api)
    await scaled(cluster, 1)
    path = "/apis/autoscaling.k8s.io/v1/namespaces/vision/verticalpodautoscalers/x"
    named = {"kind": "Deployment", "name": "resnet-r18"}
    api.put(path, {"spec": {"targetRef": named, "updatePolicy": {"updateMode": "Off"}}})
    assert (await look(cluster)).untouchable == frozenset()


def refusal(status: int, message: str, *causes: str) -> ApiRefusal:
    return ApiRefusal(status, "", message, causes)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(403, "node didn't have enough", "NodeCapacity"), ResizeInfeasible),
        (refusal(422, "Pod QOS Class may not change"), ResizeInfeasible),
        (refusal(403, 'exceeded quota: q, requested: cpu="3"'), QuotaExceeded),
        (refusal(403, "maximum cpu usage per Container is 800m"), QuotaExceeded),
        (refusal(403, 'cannot patch resource "pods/resize"'), StepRefused),
        (PlatformUnavailable("no answer"), PlatformUnavailable),
    ],
)
async def test_a_refused_resize_says_why(
    api: FakeApi, answer: Exception, error: type[Exception]
) -> None:
    cluster = a_cluster(api)
    observed = await scaled(cluster, 1)
    api.refuse = lambda method, path: answer if path.endswith("/resize") else None
    with pytest.raises(error) as raised:
        await cluster.take(ResizePod(pod=observed.pods[0].name, target=R18, size=TWO.size))
    assert type(raised.value) is error


async def test_a_field_that_is_anothers_is_a_conflict(api: FakeApi) -> None:
    cluster = a_cluster(api)
    conflict = refusal(409, "Apply failed with 1 conflict", "FieldManagerConflict")
    api.refuse = lambda method, path: conflict if method == "PATCH" else None
    with pytest.raises(Conflict):
        await scaled(cluster, 1)


async def test_what_cannot_be_observed_is_unavailable(api: FakeApi) -> None:
    api.refuse = lambda method, path: refusal(403, 'cannot list resource "pods"')
    with pytest.raises(PlatformUnavailable, match="pods"):
        await a_cluster(api).observe(0.0)


async def test_pods_of_another_service_are_not_seen(api: FakeApi) -> None:
    await scaled(a_cluster(api), 1)
    other = KubeCluster(
        api=api,
        owner=Owner(namespace="vision", name="other", uid="uid-2"),
        workloads={},
        other_autoscalers=OtherAutoscalers(api),
    )
    assert await other.observe(0.0) == Observed()


async def test_a_service_of_somebody_else_is_neither_taken_nor_deleted(api: FakeApi) -> None:
    front = core("vision", "services", "resnet-r18")
    api.put(front, {"kind": "Service", "spec": {"theirs": True}})
    cluster = a_cluster(api)
    await look(cluster)
    with pytest.raises(Conflict, match="resnet-r18 exists"):
        await cluster.take(ScaleUp(target=R18, size=ONE.size, pods=1))
    assert DEPLOYMENT not in api.objects, "it is not half made"
    del api.objects[front]
    await scaled(cluster, 1)
    api.put(front, {"kind": "Service", "spec": {"theirs": True}})
    cluster.workloads = {}
    gone = await look(cluster)
    pods = tuple(pod.name for pod in gone.pods)
    await cluster.take(RemovePods(target=R18, pods=pods, remaining=0))
    assert DEPLOYMENT not in api.objects
    assert front in api.objects
