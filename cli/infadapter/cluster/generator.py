"""The load generator's Job: its command, its output, and its result."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from infadapter.cluster import coming
from infadapter.cluster.clone import gone, jobs
from infadapter.cluster.coming import Say
from infadapter.cluster.jobs import GENERATOR, generator_job
from infadapter.cluster.problems import NOT_MEASURED, CannotProfile
from infadapter.cluster.source import Source
from infadapter.profile_options import Asked
from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.statuses import part, parts
from infadapter_profiles.document import MalformedProfile, ProfileDocument, read_document
from infadapter_profiles.quantities import cpu_quantity
from infadapter_profiles.sizes import CPU, Resources
from infadapter_profiles.wire import MODELS_PATH

LOOK_S = 1.0
_DOCUMENT = '{"apiVersion": '


def command(
    asked: Asked,
    source: Source,
    address: str,
    resources: Resources,
    known: dict[str, float],
    points: str | None,
) -> list[str]:
    """Return the `infadapter profile` command for the pod; `known` are accuracy and load time."""
    percentile, slos_ms = asked.percentile, asked.slos_ms
    if not slos_ms and source.objective is not None:
        slos_ms = (source.objective.slo_ms,)
        percentile = percentile or source.objective.percentile
    devices = [f"{name}={amount}" for name, amount in resources.items() if name != CPU]
    options: list[tuple[str, Any]] = [
        ("--name", asked.name or source.profile),
        ("--cpu", cpu_quantity(resources[CPU])),
        *(("--resource", device) for device in devices),
        *(("--batch-size", size) for size in asked.batch_sizes),
        *(("--slo-ms", slo_ms) for slo_ms in slos_ms),
        ("--percentile", percentile),
        ("--epsilon", asked.epsilon),
        ("--points", points),
        ("--accuracy", known.get("accuracy")),
        ("--load-seconds", known.get("load_s")),
        ("--seconds", asked.seconds),
        ("--shape", ",".join(map(str, asked.shape)) if asked.shape else None),
        ("--seed", asked.seed),
        ("--output", "-"),
    ]
    url = f"http://{address}{MODELS_PATH}/{asked.model or source.model}/infer"
    words = [str(w) for name, value in options if value is not None for w in (name, value)]
    return ["infadapter", "profile", url, *words, *(["--force"] if asked.force else [])]


async def generate(
    api: KubeApi,
    source: Source,
    words: Sequence[str],
    *,
    clone: Json,
    clone_pod: Json,
    number: int,
    image: str | None,
    start_timeout_s: float,
    deadline_s: float,
    say: Say,
) -> ProfileDocument:
    """
    Return the profile that the profiler printed; its other lines are shown as they come. Raises
    CannotProfile.
    """
    name = f"{clone['metadata']['name']}-{number}"
    body = generator_job(source, words, name, clone=clone, image=image, deadline_s=deadline_s)
    await api.create(jobs(source.namespace), body)
    pod = await coming.until(
        api,
        source.namespace,
        name,
        what="the profiler",
        come=coming.has_begun,
        timeout_s=start_timeout_s,
        say=say,
    )
    if pod["spec"].get("nodeName") == clone_pod["spec"].get("nodeName"):
        say("The profiler runs on the clone's node, on CPU of its own.")
    told = await _followed(api, source, name, clone["metadata"]["name"], say)
    await _make_room(api, source.namespace, name)
    try:
        return read_document(json.loads(told))
    except (ValueError, MalformedProfile) as error:
        raise CannotProfile(f"The profiler wrote no profile: {error}.", NOT_MEASURED) from error


async def _make_room(api: KubeApi, namespace: str, name: str) -> None:
    """Delete a finished pod, since a node may retry a deferred resize only when a pod has gone."""
    with contextlib.suppress(ApiRefusal, PlatformUnavailable):  # then it goes with the clone
        await api.delete(jobs(namespace, name), propagationPolicy="Background")
        await gone(api, namespace, name)


async def _followed(api: KubeApi, source: Source, name: str, clone: str, say: Say) -> str:
    """Return the line with the profile once the profiler has succeeded."""
    said = 0
    while True:
        pod = await coming.pod_of_job(api, source.namespace, name)
        if pod is None:
            raise CannotProfile("Somebody deleted the profiler's Job.", NOT_MEASURED)
        over = coming.ended(pod)
        lines = await _lines(api, pod, whole=over is not None)
        for line in lines[said:]:
            if not line.startswith(_DOCUMENT):
                say(line)
        said = len(lines)
        if _code(pod) == 0:
            return next((line for line in reversed(lines) if line.startswith(_DOCUMENT)), "")
        await _check(api, source, clone)
        if over is not None:
            raise _failed(pod, over)
        await asyncio.sleep(LOOK_S)


async def _lines(api: KubeApi, pod: Json, *, whole: bool) -> list[str]:
    metadata = pod["metadata"]
    text = await coming.log(api, metadata["namespace"], metadata["name"], GENERATOR)
    lines = text.splitlines()
    return lines if whole or text.endswith("\n") else lines[:-1]


async def _check(api: KubeApi, source: Source, clone: str) -> None:
    """Raise an error if the clone is gone, since error responses would be measured instead."""
    pod = await coming.pod_of_job(api, source.namespace, clone)
    over = "somebody deleted it" if pod is None else coming.ended(pod)
    if over is not None:
        raise CannotProfile(f"The clone was lost while it was measured: {over}.", NOT_MEASURED)


def _failed(pod: Json, over: str) -> CannotProfile:
    """Return the error with the profiler's own exit status, if it has one."""
    code = _code(pod) or NOT_MEASURED
    status = code if 0 < code <= NOT_MEASURED else NOT_MEASURED
    return CannotProfile(f"The profiler failed: {over}.", status)


def _code(pod: Json) -> int | None:
    statuses = parts(part(pod, "status"), "containerStatuses")
    ends = (part(part(status, "state"), "terminated") for status in statuses)
    return next((end.get("exitCode") for end in ends if end), None)
