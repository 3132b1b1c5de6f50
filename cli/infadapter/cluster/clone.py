"""The life of a clone: made, Ready, resized, gone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from infadapter.cluster import coming
from infadapter.cluster.coming import Say
from infadapter.cluster.jobs import clone_job
from infadapter.cluster.source import Source
from infadapter_operator.domain.observed import Pod, Resize
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.client import STRATEGIC, ApiRefusal, Json, KubeApi, core
from infadapter_operator.kube.objects import container_resources
from infadapter_operator.kube.read import pod_of
from infadapter_operator.kube.statuses import condition, moment, part, seconds
from infadapter_profiles.sizes import CPU, PodSize
from infadapter_solver.problem import Target

_REFUSED = (Resize.REFUSED, Resize.FAILING)
RESIZE_S = 20.0
"""In force within a tenth of a second where the node has room; a pod that ends may make it yet."""


def jobs(namespace: str, name: str = "") -> str:
    root = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    return f"{root}/{name}" if name else root


@asynccontextmanager
async def cloned(
    api: KubeApi,
    source: Source,
    size: PodSize,
    name: str,
    *,
    deadline_s: float,
    say: Say,
) -> AsyncIterator[Json]:
    """The clone's Job, which is deleted with all that it owns when this is left, however it is."""
    body = clone_job(source, size, name, deadline_s=deadline_s)
    creating = asyncio.create_task(api.create(jobs(source.namespace), body))
    try:
        yield await asyncio.shield(creating)  # or a cancellation would leave it running
    finally:
        with contextlib.suppress(ApiRefusal, PlatformUnavailable):
            await creating
        await _delete(api, source.namespace, name, deadline_s, say)


async def _delete(api: KubeApi, namespace: str, name: str, deadline_s: float, say: Say) -> None:
    try:
        await api.delete(jobs(namespace, name), propagationPolicy="Background")
    except (ApiRefusal, PlatformUnavailable) as error:
        say(
            f"The Job {name} could not be deleted ({error}). It ends by itself within "
            f"{deadline_s:.0f} s and is removed with its pods then."
        )


async def ready(
    api: KubeApi, source: Source, name: str, what: str, *, timeout_s: float, say: Say
) -> Json:
    """The clone's pod once it is Ready. Raises CannotProfile."""
    return await coming.until(
        api,
        source.namespace,
        name,
        what=what,
        come=coming.is_ready,
        timeout_s=timeout_s,
        say=say,
    )


def load_s(pod: Mapping[str, Any]) -> float | None:
    """From its creation until it was Ready, in whole seconds: the API server keeps no others."""
    ready_s = moment(condition(part(pod, "status"), "Ready"), "lastTransitionTime")
    created_s = seconds(pod["metadata"]["creationTimestamp"])
    return None if ready_s is None else max(0.0, ready_s - created_s)


def as_pod(pod: Json, source: Source) -> Pod | None:
    return pod_of(pod, Target(source.workload.variant, CPU), source.server)


async def resized(api: KubeApi, source: Source, pod: Json, size: PodSize) -> str | None:
    """Give the pod this size without a restart; else say why it can't be, and make another."""
    server, namespace = source.server, source.namespace
    path = core(namespace, "pods", pod["metadata"]["name"])
    wanted = container_resources({}, size.resources, frozenset({CPU}))
    body = {"spec": {"containers": [{"name": server.container, "resources": wanted}]}}
    try:
        await api.patch(f"{path}/resize", body, STRATEGIC)
    except ApiRefusal as refusal:  # beyond the node, a quota, a kubelet that resizes nothing
        return refusal.message
    until_s = time.monotonic() + RESIZE_S
    while time.monotonic() < until_s:
        live = await api.get(path)
        seen = as_pod(live, source) if live else None
        if seen is None:
            return "it is gone"
        if seen.resize in _REFUSED:
            return f"the resize is {seen.resize}"
        if seen.ready and seen.resize is Resize.NONE and seen.size.resources == size.resources:
            return None
        await asyncio.sleep(coming.POLL_S)
    return f"the resize is not in force after {RESIZE_S:g} s"
