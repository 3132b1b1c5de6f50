"""
Resize a clone in place to its next size; if that fails, a sentence says why, and a new clone is
made.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from infadapter.cluster import coming
from infadapter.cluster.clone import as_pod
from infadapter.cluster.source import Source
from infadapter_operator.domain.observed import Resize
from infadapter_operator.kube.client import STRATEGIC, Json, KubeApi
from infadapter_operator.kube.messages import stable
from infadapter_operator.kube.objects import container_resources
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.statuses import condition, count, part, parts, text
from infadapter_profiles.quantities import InvalidQuantity, cpu_millicores
from infadapter_profiles.sizes import CPU, PodSize

RESIZE_S = 20.0
"""
Patience with a resize, s. It is in force within 0.1 s if the node has room. A deferred one may
succeed when a pod has ended, and a kubelet that reports an error retries.
"""


async def resized(api: KubeApi, source: Source, pod: Json, size: PodSize) -> str | None:
    """Resize the pod without a restart; return the reason if that is impossible."""
    if _starts_anew(source):
        return "its resizePolicy restarts the server when its CPU changes"
    path = core(source.namespace, "pods", pod["metadata"]["name"])
    wanted = container_resources({}, {CPU: size.resources[CPU]}, frozenset({CPU}))
    body = {"spec": {"containers": [{"name": source.server.container, "resources": wanted}]}}
    try:
        await api.patch(f"{path}/resize", body, STRATEGIC)
    except ApiRefusal as refusal:  # beyond the node, a quota, a cluster that resizes nothing
        return refusal.message
    return await _until_in_force(api, path, source, size)


def _starts_anew(source: Source) -> bool:
    """Whether the server reads its size at start, and so needs a new pod for each size."""
    policies = parts(source.container, "resizePolicy")
    return any(
        policy.get("resourceName") == CPU and policy.get("restartPolicy") == "RestartContainer"
        for policy in policies
    )


async def _until_in_force(api: KubeApi, path: str, source: Source, size: PodSize) -> str | None:
    until_s = time.monotonic() + RESIZE_S
    while True:
        live = await api.get(path)
        seen = live and as_pod(live, source)
        if not live or not seen or seen.leaving:
            return "it is gone"
        if seen.ready and seen.resize is Resize.NONE and in_force(live, source, size):
            return None
        if seen.resize is Resize.REFUSED:
            return f"its node can't: {_said(live)}"
        if time.monotonic() >= until_s:
            return f"it is not in force after {RESIZE_S:g} s: {_said(live) or _state(seen.ready)}"
        await asyncio.sleep(coming.POLL_S)


def in_force(live: Json, source: Source, size: PodSize) -> bool:
    """
    Whether the kubelet reports this spec as in force. Requests change before the container's
    limits.
    """
    status, generation = part(live, "status"), count(live["metadata"], "generation")
    if "observedGeneration" in status and count(status, "observedGeneration") < generation:
        return False
    named = source.server.container
    statuses = (s for s in parts(status, "containerStatuses") if s.get("name") == named)
    limits = part(part(next(statuses, {}), "resources"), "limits")
    return _cpu(limits) == size.resources[CPU]


def _cpu(amounts: Mapping[str, Any]) -> int | None:
    try:
        return cpu_millicores(text(amounts, CPU))
    except InvalidQuantity:
        return None


def _said(live: Json) -> str:
    """Return the kubelet's own message."""
    status = part(live, "status")
    for kind in ("PodResizePending", "PodResizeInProgress"):
        told = condition(status, kind)
        if told.get("status") == "True":
            words = (text(told, "reason"), text(told, "message"))
            return stable(": ".join(filter(None, words)))
    return ""


def _state(ready: bool) -> str:
    return "the kubelet shows the old size" if ready else "the clone is not Ready"
