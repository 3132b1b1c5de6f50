"""Parse pods and Deployments from the API server's JSON into domain values. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from infadapter_operator.domain.names import (
    BATCH_ANNOTATION,
    KIND_ANNOTATION,
    SERVER_ANNOTATION,
    VARIANT_LABEL,
)
from infadapter_operator.domain.observed import Pod, Resize
from infadapter_operator.kube.objects import Json, Server
from infadapter_operator.kube.statuses import (
    condition,
    is_false,
    is_true,
    moment,
    part,
    parts,
    seconds,
    text,
)
from infadapter_operator.kube.troubles import trouble_of
from infadapter_operator.planning.capacity import largest, plus, total
from infadapter_profiles.document import MOST_BATCH_SIZE
from infadapter_profiles.quantities import InvalidQuantity, parse_amounts
from infadapter_solver.problem import CPU, PodSize, Resources, Target

MOST_PORT = 65_535


def own_target(labelled: Mapping[str, Any]) -> Target | None:
    """Return the target of an own Deployment or pod; None for the router's."""
    metadata = labelled["metadata"]
    variant = (metadata.get("labels") or {}).get(VARIANT_LABEL)
    kind = (metadata.get("annotations") or {}).get(KIND_ANNOTATION, CPU)
    return Target(variant, kind) if variant else None


def annotation(labelled: Mapping[str, Any], key: str) -> str | None:
    value = ((labelled.get("metadata") or {}).get("annotations") or {}).get(key)
    return None if value is None else str(value)


def own_server(pod: Mapping[str, Any]) -> Server | None:
    """
    Return the serving container as recorded at the pod's creation. The spec may say something else
    by now.
    """
    container, _, port = (annotation(pod, SERVER_ANNOTATION) or "").rpartition(":")
    number = _whole(port, MOST_PORT)
    return Server(container, number) if container and number else None


def pod_of(pod: Json, target: Target, server: Server) -> Pod | None:
    """Return the pod; None if it has finished (Succeeded, Failed)."""
    status = part(pod, "status")
    if status.get("phase") in ("Succeeded", "Failed"):
        return None
    wanted = container_amounts(pod["spec"], server.container)
    resize, resize_since_s = _resize(pod)
    in_force = _in_force(status, server.container) or wanted
    if resize is Resize.NONE and in_force != wanted:
        resize = Resize.IN_PROGRESS
    leaving = "deletionTimestamp" in pod["metadata"]
    batch_size = _batch_size(pod)
    return Pod(
        name=pod["metadata"]["name"],
        target=target,
        size=PodSize(resources=in_force, batch_size=batch_size),
        wanted=PodSize(resources=wanted, batch_size=batch_size),
        ready=is_true(status, "Ready") and not leaving,
        created_at_s=seconds(pod["metadata"]["creationTimestamp"]),
        address=_address(text(status, "podIP"), server.port),
        leaving=leaving,
        unschedulable_since_s=_unschedulable_since(pod),
        resize=resize,
        resize_since_s=resize_since_s,
        trouble=trouble_of(pod),
        unready_since_s=_unready_since(status),
    )


def container_amounts(pod_spec: Mapping[str, Any], container: str) -> Resources:
    return _amounts(_named(pod_spec["containers"], container).get("resources") or {})


def requests_beside(pod_spec: Mapping[str, Any], container: str) -> Resources:
    """
    Return what a pod requests besides this container: other containers, the overhead, and what an
    init container requests beyond everything that runs later.
    """
    first = list(parts(pod_spec, "initContainers"))
    stay = [one for one in first if text(one, "restartPolicy") == "Always"]
    others = [one for one in parts(pod_spec, "containers") if one.get("name") != container]
    amounts = [_amounts(part(one, "resources")) for one in (*others, *stay)]
    beside = total([*amounts, _amounts({"requests": part(pod_spec, "overhead")})])
    server = container_amounts(pod_spec, container)
    for one in first:
        beside = largest(beside, plus(_amounts(part(one, "resources")), server, -1))
    return beside


def template_size(deployment: Mapping[str, Any], container: str) -> PodSize:
    """Return the size of a new pod of the Deployment."""
    template = deployment["spec"]["template"]
    return PodSize(
        resources=container_amounts(template["spec"], container), batch_size=_batch_size(template)
    )


def usual_size(pods: Iterable[Pod]) -> PodSize | None:
    """Return the requested size of most of the pods."""
    most = Counter(pod.wanted for pod in pods).most_common(1)
    return most[0][0] if most else None


def kind_of(amounts: Resources) -> str:
    return next((name for name in sorted(amounts) if name != CPU), CPU)


def runs_pods(deployment: Mapping[str, Any]) -> bool:
    """Whether the Deployment has pods, so that a change of its template would roll them."""
    wanted = deployment["spec"].get("replicas", 1)
    return bool(wanted or (deployment.get("status") or {}).get("replicas"))


def _batch_size(labelled: Mapping[str, Any]) -> int:
    return _whole(annotation(labelled, BATCH_ANNOTATION) or "", MOST_BATCH_SIZE) or 1


def _whole(text: str, most: int) -> int:
    """
    Return the number, or 0 for anything that the operator would not have written: whoever may edit
    a pod can annotate it.
    """
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    return int(text) if plain and int(text) <= most else 0


def _named(listed: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    nothing: Json = {}
    return next((entry for entry in listed if entry.get("name") == name), nothing)


def _amounts(resources: Mapping[str, Any]) -> Resources:
    """Return CPU and devices. A container without requests gets its limits as requests."""
    both = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return parse_amounts({k: v for k, v in both.items() if k == CPU or is_device(k)})


def is_device(resource: str) -> bool:
    return "/" in resource and not resource.startswith("hugepages-")


def _in_force(status: Mapping[str, Any], container: str) -> Resources:
    statuses = parts(status, "containerStatuses")
    resources = part(_named(statuses, container), "resources")
    sides = {side: part(resources, side) for side in ("limits", "requests")}
    try:
        return _amounts(sides)
    except InvalidQuantity:
        return {}


def _address(host: str, port: int) -> str:
    if not host:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unschedulable_since(pod: Json) -> float | None:
    scheduled = condition(part(pod, "status"), "PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    return _since(pod, scheduled)


def _unready_since(status: Mapping[str, Any]) -> float | None:
    return (
        moment(condition(status, "Ready"), "lastTransitionTime")
        if is_false(status, "Ready")
        else None
    )


def _resize(pod: Json) -> tuple[Resize, float | None]:
    status = part(pod, "status")
    pending = condition(status, "PodResizePending")
    if pending.get("status") == "True":
        refused = pending.get("reason") == "Infeasible"
        return (Resize.REFUSED if refused else Resize.DEFERRED), _since(pod, pending)
    under_way = condition(status, "PodResizeInProgress")
    if under_way.get("status") == "True":
        fails = under_way.get("reason") == "Error"
        return (Resize.FAILING if fails else Resize.IN_PROGRESS), _since(pod, under_way)
    return Resize.NONE, None


def _since(pod: Json, told: Mapping[str, Any]) -> float:
    since_s = moment(told, "lastTransitionTime")
    return seconds(pod["metadata"]["creationTimestamp"]) if since_s is None else since_s
