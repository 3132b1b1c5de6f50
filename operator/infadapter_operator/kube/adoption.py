"""
Deployments that a service only borrows (`deploymentRef`).

Naming one is consent, so its replicas and its container's CPU and devices are taken once with
force; what they were goes into an annotation. From then on nothing is forced: an owner who writes
them again gets what he wrote, and the service a Conflict. Given back, it is as it was, and no field
of it is ours: a field that only we own would vanish with our claim to it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from infadapter_operator.domain.names import (
    ADOPTED_ANNOTATION,
    KIND_LABEL,
    SERVICE_LABEL,
    TRAFFIC_LABEL,
    VARIANT_LABEL,
)
from infadapter_operator.domain.ports import Conflict, StepRefused
from infadapter_operator.kube.client import (
    STRATEGIC,
    ApiRefusal,
    Json,
    KubeApi,
    core,
    deployments,
)
from infadapter_operator.kube.managed_fields import sized_fields, strike_others, strike_ours
from infadapter_operator.kube.objects import Owner, Server, Workload
from infadapter_operator.kube.read import annotation, container_amounts, is_device
from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_solver.problem import CPU, Resources

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """Who borrows a Deployment, and what it was before: the annotation's content."""

    service: str
    uid: str
    variant: str
    container: str
    port: int
    replicas: int
    resources: Mapping[str, Mapping[str, str]]  # "requests", "limits": only what is ours to change

    @property
    def server(self) -> Server:
        return Server(self.container, self.port)


_ADOPTION = TypeAdapter(Adoption)


def adoption_of(deployment: Mapping[str, Any]) -> Adoption | None:
    text = annotation(deployment, ADOPTED_ANNOTATION)
    if text is None:
        return None
    try:
        return _ADOPTION.validate_json(text)
    except ValueError:
        raise Conflict(
            f"the annotation {ADOPTED_ANNOTATION} of Deployment"
            f" {deployment['metadata']['name']} can't be read; remove it"
        ) from None


def first_adoption(owner: Owner, workload: Workload, deployment: Json) -> Adoption:
    spec = deployment["spec"]
    server = workload.server_of(spec["template"]["spec"])
    return Adoption(
        service=owner.name,
        uid=owner.uid,
        variant=workload.variant,
        container=server.container,
        port=server.port,
        replicas=spec.get("replicas", 1),
        resources=written_resources(deployment, server.container),
    )


def written_resources(deployment: Json, container: str) -> Json:
    """Of its template, what is ours to change, to the letter: other values would roll its pods."""
    written = _container(deployment["spec"]["template"]["spec"], container).get("resources") or {}
    return {
        side: {k: str(v) for k, v in written[side].items() if k == CPU or is_device(k)}
        for side in ("requests", "limits")
        if written.get(side)
    }


def adopted_body(
    deployment: Json, adoption: Adoption, resources: Mapping[str, Any], pods: int
) -> Json:
    """What we own of it while it is borrowed."""
    metadata = {
        "labels": {SERVICE_LABEL: adoption.service},
        "annotations": {ADOPTED_ANNOTATION: json.dumps(asdict(adoption), sort_keys=True)},
    }
    return _body(deployment, adoption.container, resources, pods, metadata)


def both_sides(amounts: Resources) -> Json:
    """Requests equal to limits."""
    quantities = amounts_as_quantities(amounts)
    return {"requests": quantities, "limits": dict(quantities)}


async def adopt(api: KubeApi, owner: Owner, workload: Workload, deployment: Json) -> Adoption:
    """Take what is ours to change, at the values it has: nothing rolls. Raises Conflict."""
    adoption = adoption_of(deployment)
    if adoption is None:
        adoption = first_adoption(owner, workload, deployment)
        names = sorted({name for side in adoption.resources.values() for name in side})
        fields = sized_fields(adoption.container, names)
        # values that stay as they are would be shared with their writers: every change a conflict
        await _edit_owners(api, _path(deployment), lambda entries: strike_others(entries, fields))
        body = adopted_body(deployment, adoption, adoption.resources, adoption.replicas)
        await api.apply(_path(deployment), body, force=True)
    elif adoption.uid != owner.uid:
        raise Conflict(
            f"Deployment {deployment['metadata']['name']} is borrowed by the InferenceService"
            f" {adoption.service}"
        )
    return adoption


async def hand_back(api: KubeApi, deployment: Json, pods: Iterable[Json]) -> None:
    """Put back what it was and give up every claim; its pods, resized in place, follow."""
    adoption = adoption_of(deployment)
    if adoption is None:
        return
    try:
        body = _body(deployment, adoption.container, adoption.resources, adoption.replicas, {})
        await api.apply(_path(deployment), body)
    except ApiRefusal as refusal:
        if not refusal.is_final:
            raise
        # The owner wrote the values himself, or changed what they fit: it is his as it stands.
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
    """Controllers write to the object all the time; what is edited must be what was read."""
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
    """As far as the pod allows: what it refuses, its next restart brings."""
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


def _body(
    deployment: Json, container: str, resources: Mapping[str, Any], pods: int, metadata: Json
) -> Json:
    sized: Json = {"name": container}
    if resources:
        sized["resources"] = resources
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": deployment["metadata"]["name"], **metadata},
        "spec": {"replicas": pods, "template": {"spec": {"containers": [sized]}}},
    }


def _container(pod_spec: Mapping[str, Any], name: str) -> Json:
    found: Json = next(c for c in pod_spec["containers"] if c["name"] == name)
    return found


def _path(deployment: Json) -> str:
    return deployments(deployment["metadata"]["namespace"], deployment["metadata"]["name"])
