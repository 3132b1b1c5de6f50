"""
The record of a borrowed Deployment (`deploymentRef`), kept in its annotation.

Naming a Deployment is consent, so its replicas and its container's CPU and devices are taken over
once with a forced apply, and the earlier values are recorded. From then on nothing is forced: an
owner who writes these fields again wins, and the service reports a Conflict. After it is given back
the Deployment is as before, and the operator owns none of its fields, because server-side apply
deletes a field when its only owner drops it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from infadapter_operator.domain.names import ADOPTED_ANNOTATION, SERVICE_LABEL
from infadapter_operator.domain.ports import Conflict
from infadapter_operator.kube.client import Json
from infadapter_operator.kube.objects import Owner, Server, Workload
from infadapter_operator.kube.read import annotation, is_device
from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_solver.problem import CPU, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """Who borrows a Deployment, and its earlier values: the content of the annotation."""

    service: str
    uid: str
    variant: str
    container: str
    port: int
    replicas: int
    resources: Mapping[str, Mapping[str, str]]  # those of requests and limits that are changed

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


def inherited(before: Adoption, owner: Owner, workload: Workload, deployment: Json) -> Adoption:
    """
    Return the adoption with the values from before an earlier borrower, if it concerns the same
    container.
    """
    now = first_adoption(owner, workload, deployment)
    if now.container != before.container:
        return now
    return replace(now, replicas=before.replicas, resources=before.resources)


def written_resources(deployment: Json, container: str) -> Json:
    """
    Return the resources of the template that the operator may change, verbatim: any other spelling
    would roll the pods.
    """
    written = _container(deployment["spec"]["template"]["spec"], container).get("resources") or {}
    return {
        side: {k: str(v) for k, v in written[side].items() if k == CPU or is_device(k)}
        for side in ("requests", "limits")
        if written.get(side)
    }


def adopted_body(
    deployment: Json, adoption: Adoption, resources: Mapping[str, Any], pods: int
) -> Json:
    """Return the fields that the operator owns while the Deployment is borrowed."""
    metadata = {
        "labels": {SERVICE_LABEL: adoption.service},
        "annotations": {ADOPTED_ANNOTATION: json.dumps(asdict(adoption), sort_keys=True)},
    }
    return sized_body(deployment, adoption.container, resources, pods, metadata)


def both_sides(amounts: Resources) -> Json:
    """Requests equal to limits."""
    quantities = amounts_as_quantities(amounts)
    return {"requests": quantities, "limits": dict(quantities)}


def sized_body(
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
