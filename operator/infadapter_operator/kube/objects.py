"""
The objects that the operator applies, as plain data. Pure, tested without a cluster.

A body contains every field that the operator owns and no other: server-side apply gives up fields
that a body lacks. `replicas` is therefore always present.
"""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from infadapter_operator.domain.deployment import MIN_READY_S
from infadapter_operator.domain.names import (
    API_VERSION,
    BATCH_ANNOTATION,
    KIND,
    KIND_ANNOTATION,
    ROLL_ANNOTATION,
    SERVER_ANNOTATION,
    TEMPLATE_ANNOTATION,
    TRAFFIC_LABEL,
    selector_of,
    target_labels,
    target_name,
)
from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_profiles.wire import READY_PATH
from infadapter_solver.problem import CPU, Allocation, PodSize, Resources, Target

Json = dict[str, Any]

DEFAULT_PORT = 8080  # for a variant that names no port

_LEAVE_SLOWLY = {"preStop": {"sleep": {"seconds": 5}}}
"""
A pod that is removed by others (a rolling update, a drained node) keeps answering until the router
knows.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The InferenceService, with which the objects that it owns are deleted."""

    namespace: str
    name: str
    uid: str

    @property
    def reference(self) -> Json:
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
        }


class Server(NamedTuple):
    """The container of a pod that answers requests, and its port."""

    container: str
    port: int

    def __str__(self) -> str:
        return f"{self.container}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How the pods of one variant are created: from a template, or by an existing Deployment."""

    variant: str
    allocations: tuple[Allocation, ...] = ()  # sizes that its pods may have
    template: Mapping[str, Any] | None = None
    deployment: str | None = None
    container: str | None = None  # optional for an existing Deployment
    port: int | None = None

    def server_of(self, pod_spec: Mapping[str, Any]) -> Server:
        """
        Return the container that serves, and its port: by default the only container and its first
        port.
        """
        containers = pod_spec["containers"]
        named = (c for c in containers if c["name"] == self.container)
        container = next(named, containers[0])
        ports = container.get("ports") or [{}]
        port = self.port or ports[0].get("containerPort", DEFAULT_PORT)
        return Server(container["name"], int(port))

    def fits(self, pod_spec: Mapping[str, Any]) -> bool:
        """Whether it is unambiguous which container serves."""
        names = [container["name"] for container in pod_spec["containers"]]
        return len(names) == 1 if self.container is None else self.container in names

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(allocation.kind for allocation in self.allocations) | {CPU}

    def batch_size_of(self, resources: Resources) -> int:
        """Return the batch size of pods that do not declare it."""
        same = (a.batch_size for a in self.allocations if a.resources == resources)
        return next(same, 1)

    @property
    def digest(self) -> str:
        """Digest of the user's template. When it changes, the pods are rolled."""
        text = json.dumps([self.template, self.container, self.port], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def build_deployment(
    owner: Owner, workload: Workload, target: Target, size: PodSize, pods: int, *, roll: str = ""
) -> Json:
    """
    Return a target's Deployment. In a rolling update a new pod is Ready before an old one is
    removed. Another value of `roll` triggers one.
    """
    template = pod_template(owner.name, workload, target, size)
    if roll:
        template["metadata"]["annotations"][ROLL_ANNOTATION] = roll
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": target_name(owner.name, target),
            "namespace": owner.namespace,
            "labels": target_labels(owner.name, target),
            "annotations": {KIND_ANNOTATION: target.kind, TEMPLATE_ANNOTATION: workload.digest},
            "ownerReferences": [owner.reference],
        },
        "spec": {
            "replicas": pods,
            "revisionHistoryLimit": 2,
            "minReadySeconds": MIN_READY_S,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "selector": {"matchLabels": selector_of(owner.name, target)},
            "template": template,
        },
    }


def pod_template(service: str, workload: Workload, target: Target, size: PodSize) -> Json:
    """
    Return the user's template with the operator's labels and this size. Memory is left as written.
    """
    template: Json = copy.deepcopy(dict(workload.template or {}))
    server = workload.server_of(template["spec"])
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **target_labels(service, target)}
    annotations = {
        **(metadata.get("annotations") or {}),
        KIND_ANNOTATION: target.kind,
        BATCH_ANNOTATION: str(size.batch_size),
        SERVER_ANNOTATION: str(server),
    }
    containers = [
        _sized(container, server.port, workload, size)
        if container["name"] == server.container
        else container
        for container in template["spec"]["containers"]
    ]
    spec = {**template["spec"], "containers": containers}
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}


def _sized(container: Json, port: int, workload: Workload, size: PodSize) -> Json:
    return {
        "readinessProbe": _protocol_probe(port),
        "lifecycle": _LEAVE_SLOWLY,
        **container,
        "resources": container_resources(
            container.get("resources") or {}, size.resources, workload.kinds
        ),
    }


def _protocol_probe(port: int) -> Json:
    """
    Return a readiness probe that every server of the protocol answers. Without one a pod is Ready
    too soon.
    """
    return {
        "httpGet": {"path": READY_PATH, "port": port},
        "periodSeconds": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 2,
    }


def container_resources(
    written: Mapping[str, Any], amounts: Resources, kinds: frozenset[str]
) -> Json:
    """
    Return CPU and devices as planned, requests equal to limits, and everything else as written.
    """
    ours = amounts_as_quantities(amounts)
    planned = {CPU, *kinds, *ours}
    sides = {
        side: {k: v for k, v in (written.get(side) or {}).items() if k not in planned} | ours
        for side in ("requests", "limits")
    }
    return {**written, **sides}


def build_target_service(owner: Owner, target: Target, port: int, *, gated: bool) -> Json:
    """
    Return a target's own Service. With `gated` it selects only pods that shall receive traffic.
    """
    gate = {TRAFFIC_LABEL: "on"} if gated else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": target_name(owner.name, target),
            "namespace": owner.namespace,
            "labels": target_labels(owner.name, target),
            "ownerReferences": [owner.reference],
        },
        "spec": {
            "selector": {**selector_of(owner.name, target), **gate},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": port}],
        },
    }
