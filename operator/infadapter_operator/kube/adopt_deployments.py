"""
Borrow a Deployment (`deploymentRef`) and give it back.

It is borrowed once, with a forced apply. After it is given back the operator owns none of its
fields, because server-side apply deletes a field when its only owner drops it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from infadapter_operator.domain.names import (
    ADOPTED_ANNOTATION,
    GROUP,
    KIND_LABEL,
    SERVICE_LABEL,
    SERVICES,
    TRAFFIC_LABEL,
    VARIANT_LABEL,
    VERSION,
)
from infadapter_operator.domain.ports import Conflict, StepRefused
from infadapter_operator.kube.adoption import (
    Adoption,
    adopted_body,
    adoption_of,
    first_adoption,
    inherited,
    sized_body,
    written_resources,
)
from infadapter_operator.kube.client import STRATEGIC, Json, KubeApi
from infadapter_operator.kube.managed_fields import sized_fields, strike_others, strike_ours
from infadapter_operator.kube.objects import Owner, Workload
from infadapter_operator.kube.paths import core, custom, deployments
from infadapter_operator.kube.read import container_amounts
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_solver.problem import CPU

_ATTEMPTS = 5


async def adopt(api: KubeApi, owner: Owner, workload: Workload, deployment: Json) -> Adoption:
    """
    Take ownership of replicas and resources at their current values, so that nothing rolls. Raises
    Conflict.
    """
    adoption = adoption_of(deployment)
    if adoption is not None and adoption.uid == owner.uid:
        return adoption
    if adoption is None:
        adoption = first_adoption(owner, workload, deployment)
        names = sorted({name for side in adoption.resources.values() for name in side})
        fields = sized_fields(adoption.container, names)
        # an unchanged value would be owned jointly with its writers, and each later change conflict
        await _edit_owners(api, _path(deployment), lambda entries: strike_others(entries, fields))
    else:
        await _refuse_while_borrowed(api, adoption, deployment)
        adoption = inherited(adoption, owner, workload, deployment)
    resources = written_resources(deployment, adoption.container)
    body = adopted_body(deployment, adoption, resources, deployment["spec"].get("replicas", 1))
    await api.apply(_path(deployment), body, force=True)
    return adoption


async def _refuse_while_borrowed(api: KubeApi, adoption: Adoption, deployment: Json) -> None:
    """
    Raise Conflict if the service that borrowed the Deployment still exists. One that was deleted
    without giving it back never will.
    """
    namespace = deployment["metadata"]["namespace"]
    there = await api.get(custom(GROUP, VERSION, namespace, SERVICES, adoption.service))
    if there is not None and there["metadata"]["uid"] == adoption.uid:
        raise Conflict(
            f"Deployment {deployment['metadata']['name']} is borrowed by the InferenceService"
            f" {adoption.service}: take the variant out of one of the two"
        )


async def hand_back(api: KubeApi, deployment: Json, pods: Iterable[Json]) -> None:
    """Restore the Deployment and drop every ownership; pods that were resized in place follow."""
    adoption = adoption_of(deployment)
    if adoption is None:
        return
    try:
        body = sized_body(deployment, adoption.container, adoption.resources, adoption.replicas, {})
        await api.apply(_path(deployment), body)
    except ApiRefusal as refusal:
        if not refusal.is_final:
            raise
        # The owner changed the values or what they depend on: leave the Deployment as it is.
        await _remove_marks(api, deployment)
    await _edit_owners(api, _path(deployment), strike_ours)
    for pod in pods:
        await _restore_pod(api, pod, adoption)


async def _remove_marks(api: KubeApi, deployment: Json) -> None:
    marks = {"labels": {SERVICE_LABEL: None}, "annotations": {ADOPTED_ANNOTATION: None}}
    await api.patch(_path(deployment), {"metadata": marks})


async def _edit_owners(
    api: KubeApi, path: str, operations_for: Callable[[list[Json]], list[Json]]
) -> None:
    """
    Edit `managedFields`, retrying on changes: controllers write to the object all the time, and the
    edit must apply to the version that was read.
    """
    for _ in range(_ATTEMPTS):
        metadata = (await api.get(path) or {}).get("metadata", {})
        operations = operations_for(metadata.get("managedFields") or [])
        if not operations:
            return
        version = metadata["resourceVersion"]
        unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
        try:
            await api.operate(path, [unchanged, *operations])
            return
        except ApiRefusal as refusal:
            if refusal.status not in (409, 422):
                raise
    raise StepRefused(f"{path} changes too often to take its fields over or give them back")


async def _restore_pod(api: KubeApi, pod: Json, adoption: Adoption) -> None:
    """Restore size and labels of a pod. If the pod refuses, its next restart restores them."""
    metadata = pod["metadata"]
    path = core(metadata["namespace"], "pods", metadata["name"])
    earlier = {side: {CPU: v[CPU]} for side, v in adoption.resources.items() if CPU in v}
    container = {"name": adoption.container, "resources": earlier}
    try:
        if earlier and _cpu(pod["spec"], adoption.container) != _earlier_cpu(adoption):
            await api.patch(f"{path}/resize", {"spec": {"containers": [container]}}, STRATEGIC)
        if SERVICE_LABEL in (metadata.get("labels") or {}):
            labels = dict.fromkeys((SERVICE_LABEL, VARIANT_LABEL, KIND_LABEL, TRAFFIC_LABEL))
            await api.patch(path, {"metadata": {"labels": labels}})
    except ApiRefusal:
        return


def _cpu(pod_spec: Mapping[str, Any], container: str) -> int:
    return container_amounts(pod_spec, container).get(CPU, 0)


def _earlier_cpu(adoption: Adoption) -> int:
    earlier = {"name": adoption.container, "resources": adoption.resources}
    return _cpu({"containers": [earlier]}, adoption.container)


def _path(deployment: Json) -> str:
    return deployments(deployment["metadata"]["namespace"], deployment["metadata"]["name"])
