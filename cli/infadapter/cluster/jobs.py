"""
The two Jobs as plain data: the clone of a pod, and the generator beside it. Pure.

Both are Jobs, because a Job ends at a deadline and is then removed by the cluster, whatever happens
to us. Neither has a label of the template, so that no Service, metric or controller selects its
pod.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infadapter.cluster.source import Source
from infadapter_operator.domain.names import GROUP
from infadapter_operator.kube.objects import pod_template
from infadapter_solver.problem import CPU, PodSize, Target

Json = dict[str, Any]

PROFILE_LABEL = f"{GROUP}/profile-job"
READ_AFTER_END_S = 120
GENERATOR = "profiler"
GENERATOR_RESOURCES = {
    "requests": {"cpu": "500m", "memory": "512Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}
"""
Resources of the generator. It reports by itself if they are too small, since it measures its own
lateness.
"""

_NOT_OURS = (f"{GROUP}/", "prometheus.io/", "kubectl.kubernetes.io/")
_OF_PODS_THAT_SERVE = {"priorityClassName", "priority", "preemptionPolicy", "nodeName"}
_OF_CONTAINERS_THAT_SERVE = {"lifecycle", "resizePolicy", "restartPolicy"}
_OF_THE_IMAGE = ("image", "imagePullPolicy", "env", "envFrom", "securityContext")
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def clone_job(source: Source, size: PodSize, name: str, *, deadline_s: float) -> Json:
    """
    Return a Job for one pod of the template at this size. It preempts nothing and is never
    restarted.
    """
    target = Target(source.workload.variant, CPU)
    made = pod_template(source.profile, source.workload, target, size)
    annotations = {
        key: value
        for key, value in made["metadata"]["annotations"].items()
        if not key.startswith(_NOT_OURS)
    }
    spec = {key: value for key, value in made["spec"].items() if key not in _OF_PODS_THAT_SERVE}
    spec["containers"] = [_without(each, _OF_CONTAINERS_THAT_SERVE) for each in spec["containers"]]
    if spec.get("initContainers"):  # a sidecar's restartPolicy says that it is one
        spec["initContainers"] = [
            _without(each, {"resizePolicy"}) for each in spec["initContainers"]
        ]
    spec["terminationGracePeriodSeconds"] = 1
    return _job(source, name, spec, annotations=annotations, deadline_s=deadline_s)


def _without(container: Mapping[str, Any], fields: set[str]) -> Json:
    """
    Remove fields: a pod that is never restarted must not have containers that a resize restarts.
    """
    return {key: value for key, value in container.items() if key not in fields}


def generator_job(
    source: Source,
    command: Sequence[str],
    name: str,
    *,
    clone: Mapping[str, Any],
    image: str | None,
    deadline_s: float,
) -> Json:
    """
    Return the profiler's Job, on another node than the clone if possible. It is owned by the clone.
    """
    container, pod = _with_own_image(source) if image is None else _with_image(image)
    container |= {
        "name": GENERATOR,
        "command": list(command),
        "resources": GENERATOR_RESOURCES,
        "volumeMounts": [*container.get("volumeMounts", ()), *_tmp(container)],
    }
    spec = {
        **pod,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "affinity": {"podAntiAffinity": _apart_from(clone["metadata"]["name"])},
        "containers": [container],
        "volumes": [*pod.get("volumes", ()), {"name": "profiler-tmp", "emptyDir": {}}],
    }
    made = _job(source, name, spec, annotations={}, deadline_s=deadline_s)
    made["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": clone["metadata"]["name"],
            "uid": clone["metadata"]["uid"],
        }
    ]
    return made


def _job(
    source: Source, name: str, spec: Json, *, annotations: Mapping[str, str], deadline_s: float
) -> Json:
    labels = {PROFILE_LABEL: name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": source.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": round(deadline_s),
            "ttlSecondsAfterFinished": READ_AFTER_END_S,
            "template": {
                "metadata": {"labels": labels, "annotations": dict(annotations)},
                "spec": {**spec, "restartPolicy": "Never"},
            },
        },
    }


def _with_own_image(source: Source) -> tuple[Json, Json]:
    """
    Return a container with the server's image and mounts, since its interpreter may be in a mount.
    """
    written, pod = source.container, source.pod_spec
    container = {key: written[key] for key in _OF_THE_IMAGE if key in written}
    container["volumeMounts"] = list(written.get("volumeMounts") or ())
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    kept = ("imagePullSecrets", "securityContext", "tolerations")
    spec = {key: pod[key] for key in kept if key in pod}
    spec["volumes"] = [v for v in pod.get("volumes") or () if v["name"] in mounted]
    return container, spec


def _with_image(image: str) -> tuple[Json, Json]:
    return {"image": image, "securityContext": _RESTRICTED}, {}


def _tmp(container: Mapping[str, Any]) -> list[Json]:
    paths = {mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", ())}
    return [] if "/tmp" in paths else [{"name": "profiler-tmp", "mountPath": "/tmp"}]


def _apart_from(job: str) -> Json:
    term = {
        "labelSelector": {"matchLabels": {PROFILE_LABEL: job}},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "podAffinityTerm": term}
        ]
    }
