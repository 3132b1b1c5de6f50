"""Adoption and restoration of existing Deployments, against an API server in memory."""

import copy
from dataclasses import replace

import pytest

from infadapter_operator.domain.names import ADOPTED_ANNOTATION, FINALIZER, SERVICE_LABEL
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import Conflict
from infadapter_operator.domain.steps import RemovePods, ResizePod, ScaleUp
from infadapter_operator.kube.adopt_deployments import adopt, hand_back
from infadapter_operator.kube.adoption import adoption_of, first_adoption
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.finalizer import finalizers_of, have_finalizer, let_go
from infadapter_operator.kube.observe import selector_text
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.paths import core, custom, deployments
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_solver.problem import Target
from tests.operator.kube.fakes import OWNER, FakeApi, Json, allocation, template, workload

MINE = deployments("vision", "mine")
SERVICE = custom("infadapter.io", "v1alpha1", "vision", "inferenceservices", "resnet")
R18 = Target("r18")
WRITTEN = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "300m"}}
BORROWED = workload(
    template=None, deployment="mine", allocations=(allocation(200, batch_size=4), allocation(400))
)


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    pods = template(resources=WRITTEN)
    pods["metadata"] = {"labels": {"app": "mine"}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "mine"}}, "template": pods}
    api.put(MINE, {"spec": spec})
    return api


def a_cluster(api: FakeApi, **changes: object) -> KubeCluster:
    given: Json = {"workloads": {"r18": BORROWED}, **changes}
    return KubeCluster(api=api, owner=OWNER, other_autoscalers=OtherAutoscalers(api), **given)


async def look(cluster: KubeCluster) -> Observed:
    cluster.api.settle()  # type: ignore[attr-defined]
    return await cluster.observe(0.0)


async def test_to_look_takes_nothing(api: FakeApi) -> None:
    observed = await look(a_cluster(api))
    assert [(p.target, p.address.endswith(":9000")) for p in observed.pods] == [(R18, True)]
    assert api.writes == []


async def test_the_batch_size_is_that_of_the_profiles_same_size(api: FakeApi) -> None:
    cluster = a_cluster(api)
    (pod,) = (await look(cluster)).pods
    assert pod.size.batch_size == 1
    await cluster.take(ResizePod(pod=pod.name, target=R18, size=allocation(200).size))
    assert [p.size.batch_size for p in (await look(cluster)).pods] == [4]


async def test_the_first_step_keeps_what_was(api: FakeApi) -> None:
    cluster = a_cluster(api)
    await look(cluster)
    await cluster.take(ScaleUp(target=R18, size=allocation(200).size, pods=3))
    adoption = adoption_of(api.objects[MINE])
    assert adoption is not None
    assert (adoption.replicas, adoption.uid) == (1, OWNER.uid)
    assert adoption.resources == {"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}}
    assert api.objects[MINE]["spec"]["replicas"] == 3
    container = api.objects[MINE]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == WRITTEN, "other values would roll the pods"


async def test_it_goes_back_to_what_it_was_with_its_pods(api: FakeApi) -> None:
    cluster = a_cluster(api)
    before = copy.deepcopy(api.objects[MINE]["spec"])
    (pod,) = (await look(cluster)).pods
    await cluster.take(ResizePod(pod=pod.name, target=R18, size=allocation(400).size))
    await look(cluster)
    await cluster.take(ScaleUp(target=R18, size=allocation(400).size, pods=2))
    await look(cluster)
    await hand_back(api, api.objects[MINE], api.pods())
    assert api.objects[MINE]["spec"] == before
    kept = api.objects[core("vision", "pods", pod.name)]
    assert kept["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "100m"


async def test_what_its_owner_wrote_since_stays(api: FakeApi) -> None:
    cluster = a_cluster(api)
    await look(cluster)
    await cluster.take(ScaleUp(target=R18, size=allocation(200).size, pods=2))
    api.objects[MINE]["spec"]["replicas"] = 7
    conflict = ApiRefusal(409, "Conflict", "conflict with kubectl", ("FieldManagerConflict",))
    spoken: list[str] = []

    def refuse(method: str, path: str) -> Exception | None:
        first = method == "PATCH" and path == MINE and not spoken
        spoken.extend(["once"] if first else [])
        return conflict if first else None

    api.refuse = refuse
    await hand_back(api, api.objects[MINE], ())
    assert api.objects[MINE]["spec"]["replicas"] == 7
    assert ADOPTED_ANNOTATION not in api.objects[MINE]["metadata"]["annotations"]
    assert SERVICE_LABEL not in api.objects[MINE]["metadata"]["labels"]


@pytest.mark.parametrize(
    ("selector", "asked"),
    [
        ({"matchLabels": {"app": "mine", "tier": "web"}}, "app=mine,tier=web"),
        (
            {
                "matchLabels": {"app": "mine"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["web", "api"]},
                    {"key": "track", "operator": "NotIn", "values": ["canary"]},
                    {"key": "team", "operator": "Exists"},
                    {"key": "old", "operator": "DoesNotExist"},
                ],
            },
            "app=mine,tier in (web,api),track notin (canary),team,!old",
        ),
    ],
)
def test_pods_of_a_borrowed_deployment_are_asked_for_by_its_whole_selector(
    selector: Json, asked: str
) -> None:
    """Regression: no pods were found by a selector that has only expressions."""
    assert selector_text(selector) == asked


async def test_two_services_do_not_share_one(api: FakeApi) -> None:
    await adopt(api, OWNER, BORROWED, api.objects[MINE])
    adopted = first_adoption(OWNER, BORROWED, api.objects[MINE])
    api.objects[MINE]["metadata"]["annotations"][ADOPTED_ANNOTATION] = api.objects[MINE][
        "metadata"
    ]["annotations"][ADOPTED_ANNOTATION].replace("uid-1", "uid-2")
    assert adopted.uid == "uid-1"
    api.put(SERVICE, {"metadata": {"uid": "uid-2"}})
    with pytest.raises(Conflict, match="take the variant out of one of the two"):
        await adopt(api, OWNER, BORROWED, api.objects[MINE])


@pytest.mark.parametrize("there", [None, "uid-1", "uid-3"])
async def test_what_a_service_that_has_gone_borrowed_is_taken_over_with_what_it_was(
    api: FakeApi, there: str | None
) -> None:
    """
    The old service's finalizer was removed by hand while no operator ran, or the service was
    restored from a backup under another uid. Regression: the Deployment stayed in Conflict with a
    service of the same name for ever.
    """
    before = copy.deepcopy(api.objects[MINE]["spec"])
    old = replace(OWNER, uid="uid-2")
    gone = KubeCluster(
        api=api, owner=old, other_autoscalers=OtherAutoscalers(api), workloads={"r18": BORROWED}
    )
    await look(gone)
    await gone.take(ScaleUp(target=R18, size=allocation(200).size, pods=3))
    if there:
        api.put(SERVICE, {"metadata": {"uid": there}})
    adoption = await adopt(api, OWNER, BORROWED, copy.deepcopy(api.objects[MINE]))
    assert adoption == adoption_of(api.objects[MINE])
    assert (adoption.uid, adoption.replicas) == (OWNER.uid, 1)
    assert api.objects[MINE]["spec"]["replicas"] == 3, "nothing is lost on the way"
    await hand_back(api, api.objects[MINE], ())
    assert api.objects[MINE]["spec"] == before


async def test_the_older_claim_makes_it_untouchable(api: FakeApi) -> None:
    cluster = a_cluster(api, claimed=lambda name: "other" if name == "mine" else None)
    assert (await look(cluster)).untouchable == {R18}
    assert "Deployment mine is sized by InferenceService other" in cluster.taken[0]


async def test_an_annotation_that_cannot_be_read_is_a_conflict(api: FakeApi) -> None:
    api.objects[MINE]["metadata"]["annotations"] = {ADOPTED_ANNOTATION: "{"}
    with pytest.raises(Conflict, match="remove it"):
        await adopt(api, OWNER, BORROWED, api.objects[MINE])


async def test_a_variant_that_leaves_the_spec_is_handed_back_when_its_pods_may_go(
    api: FakeApi,
) -> None:
    cluster = a_cluster(api)
    await look(cluster)
    await cluster.take(ScaleUp(target=R18, size=allocation(200).size, pods=2))
    cluster.workloads = {}
    observed = await look(cluster)
    assert len(observed.pods) == 2, "it serves until others do"
    names = tuple(pod.name for pod in observed.pods)
    await cluster.take(RemovePods(target=R18, pods=names, remaining=0))
    assert api.objects[MINE]["spec"]["replicas"] == 1
    assert (await look(cluster)) == Observed()


async def test_a_service_has_a_finalizer_before_it_borrows_and_none_after(api: FakeApi) -> None:
    path = "/apis/infadapter.io/v1alpha1/namespaces/vision/inferenceservices/resnet"
    document = api.put(path, {"metadata": {"uid": OWNER.uid, "finalizers": ["other"]}})
    cluster = a_cluster(api)
    document = await have_finalizer(cluster, document)
    assert finalizers_of(document) == ["other", FINALIZER]
    assert await have_finalizer(cluster, document) == document
    await look(cluster)
    await cluster.take(ScaleUp(target=R18, size=allocation(200).size, pods=2))
    await let_go(cluster, document)
    assert finalizers_of(api.objects[path]) == ["other"]
    assert api.objects[MINE]["spec"]["replicas"] == 1


async def test_a_deployment_that_is_not_there_has_no_kind(api: FakeApi) -> None:
    cluster = a_cluster(api)
    assert await cluster.borrowed_kinds() == {"r18": "cpu"}
    del api.objects[MINE]
    assert await cluster.borrowed_kinds() == {"r18": None}


async def test_which_of_several_containers_is_meant_must_be_said(api: FakeApi) -> None:
    containers = api.objects[MINE]["spec"]["template"]["spec"]["containers"]
    containers.insert(0, {"name": "sidecar", "image": "x"})
    assert await a_cluster(api).borrowed_kinds() == {"r18": None}
    assert await look(a_cluster(api)) == Observed()
    named = {"r18": workload(template=None, deployment="mine", container="server")}
    assert await a_cluster(api, workloads=named).borrowed_kinds() == {"r18": "cpu"}


async def test_a_variant_may_turn_from_borrowed_to_owned_and_back(api: FakeApi) -> None:
    cluster = a_cluster(api)
    await look(cluster)
    await cluster.take(ScaleUp(target=R18, size=allocation(200).size, pods=2))
    cluster.workloads = {"r18": workload()}
    before = await look(cluster)
    (left,) = before.desired_pods
    assert left != R18
    await cluster.take(ScaleUp(target=R18, size=allocation(1000).size, pods=1))
    during = await look(cluster)
    assert during.desired_pods == {left: 2, R18: 1}
    names = tuple(pod.name for pod in during.of(left))
    await cluster.take(RemovePods(target=left, pods=names, remaining=0))
    assert set((await look(cluster)).desired_pods) == {R18}
    assert api.objects[MINE]["spec"]["replicas"] == 1
    cluster.workloads = {"r18": BORROWED}
    after = await look(cluster)
    assert set(after.desired_pods) == {R18, left}
    assert [pod.name.startswith("mine-") for pod in after.of(R18)] == [True]
