"""
Find the Deployments of a service: its own by label, borrowed ones by name.

A borrowed Deployment that left the spec counts until it is given back.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from infadapter_operator.domain.names import ADOPTED_ANNOTATION, SERVICE_LABEL
from infadapter_operator.domain.ports import Conflict
from infadapter_operator.kube.adoption import adoption_of
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.objects import Owner, Server, Workload
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.read import (
    annotation,
    container_amounts,
    kind_of,
    own_server,
    own_target,
)
from infadapter_operator.kube.running import Running
from infadapter_solver.problem import Target

_BEFORE = "/before"


async def running_for(
    api: KubeApi, owner: Owner, workloads: Mapping[str, Workload]
) -> tuple[Running, ...]:
    selector = f"{SERVICE_LABEL}={owner.name}"
    labelled, pods = await asyncio.gather(
        api.items(deployments(owner.namespace), selector),
        api.items(core(owner.namespace, "pods"), selector),
    )
    own = [
        _own(deployment, target, workloads, pods)
        for deployment in labelled
        if (target := own_target(deployment)) and belongs_to(deployment, owner)
    ]
    borrowed = await asyncio.gather(
        *(
            _named(api, owner, workload, workload.deployment, labelled)
            for workload in workloads.values()
            if workload.deployment
        )
    )
    named = {workload.deployment for workload in workloads.values()}
    left = await asyncio.gather(
        *(
            _left(api, owner, deployment, workloads)
            for deployment in labelled
            if annotation(deployment, ADOPTED_ANNOTATION)
            and deployment["metadata"]["name"] not in named
        )
    )
    return (*own, *(one for one in (*borrowed, *left) if one))


def belongs_to(made: Mapping[str, Any], owner: Owner) -> bool:
    references = made["metadata"].get("ownerReferences") or ()
    return any(reference.get("uid") == owner.uid for reference in references)


def refuse_stranger(there: Mapping[str, Any], owner: Owner) -> None:
    """
    Raise Conflict if the object belongs to somebody else. Two names may coincide ("a" + "b-c" is
    "a-b" + "c"); the first one stays.
    """
    if not belongs_to(there, owner):
        kind, name = there.get("kind", "an object"), there["metadata"]["name"]
        raise Conflict(f"{kind} {name} exists and is not this service's; rename one of them")


def _own(
    deployment: Json, target: Target, workloads: Mapping[str, Workload], pods: Iterable[Json]
) -> Running:
    workload = workloads.get(target.variant)
    template = deployment["spec"]["template"]
    current = workload if workload and workload.template is not None else None
    return Running(
        target=target if current or workload is None else _left_over(target),
        deployment=deployment,
        server=own_server(template) or Workload(variant=target.variant).server_of(template["spec"]),
        pods=tuple(pod for pod in pods if own_target(pod) == target and own_server(pod)),
        workload=current,
    )


def _left_over(target: Target) -> Target:
    """
    Return a target that no variant can have, for pods of a variant that now uses another source.
    """
    return target._replace(variant=f"{target.variant}{_BEFORE}")


def is_left_over(target: Target) -> bool:
    return target.variant.endswith(_BEFORE)


async def _named(
    api: KubeApi, owner: Owner, workload: Workload, name: str, labelled: Iterable[Json]
) -> Running | None:
    known = (d for d in labelled if d["metadata"]["name"] == name)
    deployment = next(known, None) or await api.get(deployments(owner.namespace, name))
    if deployment is None or borrowed_kind(deployment, workload) is None:
        return None
    server = workload.server_of(deployment["spec"]["template"]["spec"])
    return await _borrowed(api, deployment, workload.variant, server, workload)


async def _left(
    api: KubeApi, owner: Owner, deployment: Json, workloads: Mapping[str, Workload]
) -> Running | None:
    adoption = adoption_of(deployment)
    if adoption is None or adoption.uid != owner.uid:
        return None
    left = await _borrowed(api, deployment, adoption.variant, adoption.server, None)
    return (
        replace(left, target=_left_over(left.target)) if left.target.variant in workloads else left
    )


async def _borrowed(
    api: KubeApi, deployment: Json, variant: str, server: Server, workload: Workload | None
) -> Running:
    amounts = container_amounts(deployment["spec"]["template"]["spec"], server.container)
    pods = await pods_of(api, deployment)
    return Running(
        target=Target(variant, kind_of(amounts)),
        deployment=deployment,
        server=server,
        pods=tuple(pods),
        workload=workload,
        borrowed=True,
    )


def borrowed_kind(deployment: Json, workload: Workload) -> str | None:
    """
    Return the resource kind of a borrowed Deployment's pods, which its template defines. None if it
    is ambiguous which container is meant.
    """
    spec = deployment["spec"]["template"]["spec"]
    if not workload.fits(spec):
        return None
    return kind_of(container_amounts(spec, workload.server_of(spec).container))


async def pods_of(api: KubeApi, deployment: Json) -> list[Json]:
    """
    Return the pods by the Deployment's own selector, as pods of others lack the operator's labels.
    """
    namespace = deployment["metadata"]["namespace"]
    selector = selector_text(deployment["spec"]["selector"])
    return await api.items(core(namespace, "pods"), selector) if selector else []


def selector_text(selector: Mapping[str, Any]) -> str:
    """Return the selector in the syntax of a list request."""
    labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    return ",".join((*(f"{k}={v}" for k, v in labels.items()), *map(_expression, expressions)))


def _expression(asked: Mapping[str, Any]) -> str:
    key, values = asked["key"], ",".join(asked.get("values") or ())
    forms: dict[str, str] = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
    }
    return forms.get(str(asked["operator"]), f"!{key}")
