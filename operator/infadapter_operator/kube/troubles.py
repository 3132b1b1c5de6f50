"""
Derive from a pod's status why it does not become Ready, or was lost. Pure.

A pod that merely runs and is not Ready has no trouble yet; how long that may take is decided by
planning.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from infadapter_operator.domain.observed import Cause, Trouble
from infadapter_operator.kube.messages import of_image, of_scheduler, stable
from infadapter_operator.kube.statuses import (
    condition,
    count,
    is_false,
    is_true,
    moment,
    part,
    parts,
    seconds,
    text,
)

Json = Mapping[str, Any]

_IMAGE = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_NEVER_RAN = {"StartError", "ContainerCannotRun"}  # the runtime can't run the command
_AGAIN_AND_AGAIN = 2  # restarts; a single one may be chance
_PLAIN = {"", "Error", "Completed"}  # reasons that add nothing to the exit code


def trouble_of(pod: Json) -> Trouble | None:
    status = part(pod, "status")
    if _is_on_a_lost_node(pod, status):
        said = text(status, "message") or "its node does not answer"
        return _trouble(pod, Cause.NODE_LOST, stable(said, _name(pod)))
    if is_true(status, "Ready") or "deletionTimestamp" in pod["metadata"]:
        return None
    scheduled = condition(status, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        words = of_scheduler(text(scheduled, "message")) or "no node has room for it"
        return _trouble(pod, Cause.NO_NODE, words, since_s=moment(scheduled, "lastTransitionTime"))
    return next(_of_containers(pod, status), None)


def refusal_of(deployment: Json) -> Trouble | None:
    """Return why a Deployment cannot create pods: a quota, a policy, a webhook."""
    failure = condition(part(deployment, "status"), "ReplicaFailure")
    if failure.get("status") != "True":
        return None
    words = stable(text(failure, "message")) or "no pods can be created"
    since_s = moment(failure, "lastTransitionTime")
    return _trouble(deployment, Cause.REFUSED, words, since_s=since_s)


def _is_on_a_lost_node(pod: Json, status: Json) -> bool:
    """
    Whether the node controller marked the pod because the kubelet no longer answers. A kubelet
    never reports a pod as not Ready while its containers are Ready and its gates open.
    """
    if text(status, "reason") == "NodeLost" or text(status, "phase") == "Unknown":
        return True
    gates = (text(g, "conditionType") for g in parts(part(pod, "spec"), "readinessGates"))
    passes = is_true(status, "ContainersReady") and all(is_true(status, gate) for gate in gates)
    return passes and is_false(status, "Ready")


def _of_containers(pod: Json, status: Json) -> Iterator[Trouble]:
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in parts(status, field):
            yield from _of_container(pod, container, starts=field.startswith("init"))


def _of_container(pod: Json, container: Json, *, starts: bool) -> Iterator[Trouble]:
    """Yield the trouble of a container; `starts` for init containers, which are meant to end."""
    state, last = part(container, "state"), part(part(container, "lastState"), "terminated")
    waiting, ended = part(state, "waiting"), part(state, "terminated")
    reason, said = text(waiting, "reason"), text(waiting, "message")
    if reason in _IMAGE:
        words = of_image(said, _name(pod)) or f"image {text(container, 'image')}: {reason}"
        yield _trouble(pod, Cause.IMAGE, words)
    elif reason.endswith("Error") or reason.startswith("Failed"):
        yield _trouble(pod, Cause.CONFIG, stable(said, _name(pod)) or reason)
    elif reason == "CrashLoopBackOff":
        yield _crash(pod, container, last)
    elif ended and count(container, "restartCount") and not (starts and _is_well(ended)):
        yield _crash(pod, container, ended)
    elif last and count(container, "restartCount") >= _AGAIN_AND_AGAIN and _runs_again(pod, state):
        yield _crash(pod, container, last)


def _runs_again(pod: Json, state: Json) -> bool:
    """
    Whether the container runs again after a crash and has not been Ready since. Otherwise a crash
    loop would be reported only while the container is down.
    """
    began_s = moment(part(state, "running"), "startedAt")
    unready_s = moment(condition(part(pod, "status"), "Ready"), "lastTransitionTime")
    return began_s is not None and unready_s is not None and unready_s <= began_s


def _is_well(ended: Json) -> bool:
    return ended.get("exitCode") == 0


def _crash(pod: Json, container: Json, ended: Json) -> Trouble:
    name, reason = text(container, "name"), text(ended, "reason")
    since_s = moment(ended, "finishedAt")
    if reason in _NEVER_RAN:
        words = stable(text(ended, "message"), _name(pod)) or f"container {name}: {reason}"
        return _trouble(pod, Cause.CONFIG, words, or_s=since_s)
    code = f" with exit code {ended['exitCode']}" if "exitCode" in ended else " again and again"
    why = "" if reason in _PLAIN else f" ({reason})"
    return _trouble(pod, Cause.CRASH, stable(f"container {name} ends{code}{why}"), or_s=since_s)


def _trouble(
    made: Json,
    cause: Cause,
    message: str,
    *,
    since_s: float | None = None,
    or_s: float | None = None,
) -> Trouble:
    """
    Return the trouble, by default since the pod is not Ready: times of a container start over with
    each attempt.
    """
    ready = condition(part(made, "status"), "Ready")
    unready_s = moment(ready, "lastTransitionTime") if ready.get("status") == "False" else None
    known = (s for s in (since_s, unready_s, or_s) if s is not None)
    created_s = seconds(made["metadata"]["creationTimestamp"])
    return Trouble(cause=cause, message=message, since_s=next(known, created_s))


def _name(pod: Json) -> str:
    return str(pod["metadata"].get("name", ""))
