"""
The objects that the operator applies, as plain data: pure, and tested without a cluster.

A body holds every field that is ours and none that is not: what a body lacks, server-side apply
gives up. `replicas` is therefore always there.
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

DEFAULT_PORT = 8080  # of a variant that names none

_LEAVE_SLOWLY = {"preStop": {"sleep": {"seconds": 5}}}
"""A pod that goes for a reason not ours (a roll, a drained node) answers until the router knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The InferenceService: what it owns goes with it."""

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
    """How the pods of one variant are made: from a template, or by a Deployment that exists."""

    variant: str
    allocations: tuple[Allocation, ...] = ()  # that its pods may have
    template: Mapping[str, Any] | None = None
    deployment: str | None = None
    container: str | None = None  # of a Deployment that exists, may be left open
    port: int | None = None

    def server_of(self, pod_spec: Mapping[str, Any]) -> Server:
        """By default the only container and its first port."""
        containers = pod_spec["containers"]
        named = (c for c in containers if c["name"] == self.container)
        container = next(named, containers[0])
        ports = container.get("ports") or [{}]
        port = self.port or ports[0].get("containerPort", DEFAULT_PORT)
        return Server(container["name"], int(port))

    def fits(self, pod_spec: Mapping[str, Any]) -> bool:
        """Whether it is clear which container answers requests."""
        names = [container["name"] for container in pod_spec["containers"]]
        return len(names) == 1 if self.container is None else self.container in names

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(allocation.kind for allocation in self.allocations) | {CPU}

    def batch_size_of(self, resources: Resources) -> int:
        """For pods that do not say it themselves."""
        same = (a.batch_size for a in self.allocations if a.resources == resources)
        return next(same, 1)

    @property
    def digest(self) -> str:
        """Of what the user wrote: when it changes, the pods roll."""
        text = json.dumps([self.template, self.container, self.port], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def build_deployment(
    owner: Owner, workload: Workload, target: Target, size: PodSize, pods: int, *, roll: str = ""
) -> Json:
    """A target's Deployment. A new pod is Ready before an old one goes. Another `roll` rolls it."""
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
    """The user's template with our labels and this size. Memory stays as it was written."""
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
    """Every server of the protocol answers this, and a pod without a probe is Ready too soon."""
    return {
        "httpGet": {"path": READY_PATH, "port": port},
        "periodSeconds": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 2,
    }


def container_resources(
    written: Mapping[str, Any], amounts: Resources, kinds: frozenset[str]
) -> Json:
    """CPU and devices as planned, requests equal to limits; everything else as it was written."""
    ours = amounts_as_quantities(amounts)
    planned = {CPU, *kinds, *ours}
    sides = {
        side: {k: v for k, v in (written.get(side) or {}).items() if k not in planned} | ours
        for side in ("requests", "limits")
    }
    return {**written, **sides}


def build_target_service(owner: Owner, target: Target, port: int, *, gated: bool) -> Json:
    """A target's own Service. `gated`: it sends to those pods only that are to have traffic."""
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
