"""Wait for the pod of a Job, or find out why it does not come."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from infadapter.cluster.jobs import PROFILE_LABEL
from infadapter.cluster.problems import NOT_MEASURED, CannotProfile
from infadapter_operator.domain.observed import Cause
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.messages import stable
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.statuses import is_true, part, parts, text
from infadapter_operator.kube.troubles import trouble_of

Say = Callable[[str], None]

POLL_S = 0.5
SETTLED_S = 10.0
"""Time in which a fault may disappear by itself, s: a registry retry, a mount that follows."""
LOG_BYTES = 4 * 1024 * 1024
_MAY_COME = (Cause.NO_NODE,)
_WORDS = {
    Cause.NO_NODE: "No node has room for {what}",
    Cause.REFUSED: "The API server makes no pod for {what}",
    Cause.IMAGE: "The image of {what} can't be pulled",
    Cause.CONFIG: "{What} can't be started",
    Cause.CRASH: "{What} crashes",
    Cause.NODE_LOST: "The node of {what} does not answer",
}


async def pod_of_job(api: KubeApi, namespace: str, job: str) -> Json | None:
    pods = await api.items(core(namespace, "pods"), f"{PROFILE_LABEL}={job}")
    return pods[0] if pods else None


async def until(
    api: KubeApi,
    namespace: str,
    job: str,
    *,
    what: str,
    come: Callable[[Mapping[str, Any]], bool],
    timeout_s: float,
    say: Say,
) -> Json:
    """
    Return the Job's pod once `come` holds for its status. Raises CannotProfile with the reason.
    """
    ends_s, began_s, told = time.monotonic() + timeout_s, time.monotonic(), ""
    while True:
        pod = await pod_of_job(api, namespace, job)
        if pod is not None and come(part(pod, "status")):
            return pod
        cause, why = await _why_not(api, namespace, job, pod, what)
        if why != told:
            told, began_s = why, time.monotonic()
            if why:
                say(f"Waiting: {why}")
        now_s = time.monotonic()
        if cause is Cause.CRASH or now_s > ends_s:
            raise CannotProfile(f"{why or _nothing(what, timeout_s)}.", NOT_MEASURED)
        if why and cause not in _MAY_COME and now_s - began_s >= SETTLED_S:
            raise CannotProfile(f"{why}.", NOT_MEASURED)
        await asyncio.sleep(POLL_S)


def is_ready(status: Mapping[str, Any]) -> bool:
    return is_true(status, "Ready")


def has_begun(status: Mapping[str, Any]) -> bool:
    return text(status, "phase") in ("Running", "Succeeded", "Failed")


def ended(pod: Mapping[str, Any]) -> str | None:
    """Return how a finished pod ended, or None; it is not restarted."""
    status = part(pod, "status")
    if text(status, "phase") not in ("Failed", "Succeeded"):
        return None
    if text(status, "reason"):
        return stable(f"{text(status, 'reason')}: {text(status, 'message')}".rstrip(": "))
    for container in parts(status, "containerStatuses"):
        over = part(part(container, "state"), "terminated")
        if over:
            reason, said = text(over, "reason"), text(over, "message")
            code = f"container {container.get('name')} ended with status {over.get('exitCode')}"
            return stable(": ".join(filter(None, (code, reason, said))))
    return "its pod has ended"


async def log(api: KubeApi, namespace: str, pod: str, container: str, **query: str) -> str:
    query = {"container": container, "limitBytes": str(LOG_BYTES), **query}
    return await api.text(core(namespace, "pods", pod, "log"), **query)


async def _why_not(
    api: KubeApi, namespace: str, job: str, pod: Json | None, what: str
) -> tuple[Cause | None, str]:
    """Return cause and sentence, without its end; an empty sentence if nothing is known."""
    if pod is None:
        said = await _refusal(api, namespace, job)
        return (Cause.REFUSED, _sentence(Cause.REFUSED, what, said)) if said else (None, "")
    if how := ended(pod):
        return Cause.CRASH, _sentence(Cause.CRASH, what, how + await _last_words(api, pod))
    trouble = trouble_of(pod)
    if trouble is None:
        return None, ""
    return trouble.cause, _sentence(trouble.cause, what, trouble.message)


async def _last_words(api: KubeApi, pod: Json) -> str:
    """Return the last lines that an ended pod's first container logged, if any."""
    container, metadata = pod["spec"]["containers"][0]["name"], pod["metadata"]
    try:
        said = await log(api, metadata["namespace"], metadata["name"], container, tailLines="1")
    except ApiRefusal:  # it never began
        return ""
    return f", and said {stable(said)!r}" if said.strip() else ""


async def _refusal(api: KubeApi, namespace: str, job: str) -> str:
    """Return why a Job's pods are refused, for example by a quota; only its events say so."""
    selector = f"involvedObject.kind=Job,involvedObject.name={job}"
    query = {"fieldSelector": selector}
    events = (await api.request("GET", core(namespace, "events"), query=query)).get("items", [])
    said = [text(event, "message") for event in events if event.get("reason") == "FailedCreate"]
    return stable(said[-1].removeprefix("Error creating: ")) if said else ""


def _sentence(cause: Cause, what: str, said: str) -> str:
    words = _WORDS.get(cause, "{What} does not come")
    told = words.format(what=what, What=f"{what[:1].upper()}{what[1:]}")
    return f"{told}: {said.rstrip('.')}"


def _nothing(what: str, timeout_s: float) -> str:
    return (
        f"{what[:1].upper()}{what[1:]} was not Ready within {timeout_s:g} s; "
        "--start-timeout gives it longer"
    )
