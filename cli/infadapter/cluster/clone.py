"""The life cycle of a clone: created, Ready, gone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from infadapter.cluster import coming, lease
from infadapter.cluster.coming import Say
from infadapter.cluster.jobs import clone_job
from infadapter.cluster.source import Source
from infadapter_operator.domain.observed import Pod
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.read import pod_of
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.statuses import condition, moment, part, seconds
from infadapter_profiles.sizes import CPU, PodSize
from infadapter_solver.problem import Target

GONE_S = 30.0
"""Time in which a pod with the clone's grace period is gone, if its node responds, s."""


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
    say: Say,
) -> AsyncIterator[Json]:
    """Yield the clone's Job, which is deleted with everything it owns when the context is left."""
    body = clone_job(source, size, name, deadline_s=lease.LEASE_S)
    creating = asyncio.create_task(api.create(jobs(source.namespace), body))
    try:
        job = await asyncio.shield(creating)  # or a cancellation would leave it running
        async with lease.renewed(api, jobs(source.namespace, name)):
            yield job
    finally:
        with contextlib.suppress(ApiRefusal, PlatformUnavailable):
            await creating
        await _delete(api, source.namespace, name, say)


async def _delete(api: KubeApi, namespace: str, name: str, say: Say) -> None:
    try:
        await api.delete(jobs(namespace, name), propagationPolicy="Background")
    except (ApiRefusal, PlatformUnavailable) as error:
        say(
            f"The Job {name} could not be deleted ({error}). It ends by itself within "
            f"{lease.LEASE_S:.0f} s and is removed with its pods then."
        )


async def gone(api: KubeApi, namespace: str, name: str) -> None:
    """Wait until the pod of a deleted Job has released its resources, for at most GONE_S."""
    until_s = time.monotonic() + GONE_S
    while time.monotonic() < until_s:
        if await coming.pod_of_job(api, namespace, name) is None:
            return
        await asyncio.sleep(coming.POLL_S)


async def ready(
    api: KubeApi, source: Source, name: str, what: str, *, timeout_s: float, say: Say
) -> Json:
    """Return the clone's pod once it is Ready. Raises CannotProfile."""
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
    """
    Return the time from creation until Ready in whole seconds, which is the API server's
    resolution.
    """
    ready_s = moment(condition(part(pod, "status"), "Ready"), "lastTransitionTime")
    created_s = seconds(pod["metadata"]["creationTimestamp"])
    return None if ready_s is None else max(0.0, ready_s - created_s)


def as_pod(pod: Json, source: Source) -> Pod | None:
    return pod_of(pod, Target(source.workload.variant, CPU), source.server)
