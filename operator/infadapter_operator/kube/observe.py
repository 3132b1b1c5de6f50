"""
What runs for one service: its own Deployments, found by label, and those it borrows, found by name.
One that it borrowed and that left the spec still counts until it is handed back.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from infadapter_operator.bodies import Conflict
from infadapter_operator.kube.adopt import adoption_of
from infadapter_operator.kube.api_server import Json, KubeApi, core, deployments
from infadapter_operator.kube.objects import Owner, Server, Workload
from infadapter_operator.kube.read import (
    annotation,
    container_amounts,
    kind_of,
    own_server,
    own_target,
    pod_of,
    runs_pods,
    template_size,
)
from infadapter_operator.kube.templates import digest_of, newest_hash, template_hash
from infadapter_operator.kube.troubles import refusal_of
from infadapter_operator.names import ADOPTED_ANNOTATION, SERVICE_LABEL, TEMPLATE_ANNOTATION
from infadapter_operator.observed import Observed, Pod, Trouble
from infadapter_solver.problem import Allocation, Target

_BEFORE = "/before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A Deployment of the service, with its pods, as the API server has them."""

    target: Target
    deployment: Json
    server: Server
    pods: tuple[Json, ...] = ()
    workload: Workload | None = None  # None: the variant left the spec
    borrowed: bool = False

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    @property
    def replicas(self) -> int:
        return int(self.deployment["spec"].get("replicas", 1))

    @property
    def template(self) -> Allocation:
        """At what size a further pod comes up; what it serves there is for others to say."""
        size = template_size(self.deployment, self.server.container)
        batch_size = size.batch_size
        if self.borrowed and self.workload:
            batch_size = self.workload.batch_size_of(size.resources)
        return Allocation(resources=size.resources, capacity_rps=0.0, batch_size=batch_size)

    @property
    def is_current(self) -> bool:
        """Its pods come of the template in the spec, where they come of one."""
        return (
            self.workload is None
            or self.borrowed
            or annotation(self.deployment, TEMPLATE_ANNOTATION) == self.workload.digest
        )

    @property
    def digest(self) -> str | None:
        """Of what further pods come of, their size aside; None: none are to come."""
        if self.workload is None:
            return None
        return digest_of(self.deployment) if self.borrowed else self.workload.digest

    @property
    def refusal(self) -> Trouble | None:
        """Of the template that is there: one that is about to be changed may be let in."""
        return refusal_of(self.deployment) if self.is_current else None

    @property
    def is_rolling(self) -> bool:
        """Pods of an earlier template are there still, or the change has yet to begin."""
        status = self.deployment.get("status") or {}
        return not self._is_noticed or bool(
            status.get("updatedReplicas", 0) < status.get("replicas", 0)
        )

    @property
    def _is_noticed(self) -> bool:
        """By the Deployment's controller, as it is now."""
        metadata, status = self.deployment["metadata"], self.deployment.get("status") or {}
        return bool(status.get("observedGeneration", 0) >= metadata.get("generation", 0))

    def seen_pods(self) -> tuple[Pod, ...]:
        seen = ((p, pod_of(p, self.target, own_server(p) or self.server)) for p in self.pods)
        return tuple(
            self._with_batch(replace(pod, outdated=self._is_outdated(made)))
            for made, pod in seen
            if pod
        )

    def _with_batch(self, pod: Pod) -> Pod:
        if not self.borrowed or self.workload is None:
            return pod
        return replace(pod, batch_size=self.workload.batch_size_of(pod.wanted))

    def _is_outdated(self, pod: Json) -> bool:
        """Also while it is not known: what an old pod suffers from may be mended already."""
        if not self.is_current or not self._is_noticed:
            return True
        newest, own = newest_hash(self.deployment), template_hash(pod)
        return self.is_rolling and bool(newest and own) and newest != own


def observed(running: Iterable[Running], untouchable: frozenset[Target]) -> Observed:
    there = tuple(running)
    return Observed(
        pods=tuple(pod for one in there for pod in one.seen_pods()),
        desired_pods={one.target: one.replicas for one in there},
        untouchable=untouchable,
        rolling=frozenset(one.target for one in there if one.is_rolling),
        templates={one.target: one.template for one in there if runs_pods(one.deployment)},
        refusals={one.target: refusal for one in there if (refusal := one.refusal)},
        digests={one.target: digest for one in there if (digest := one.digest)},
    )


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
    """Two names may meet: "a" + "b-c" is "a-b" + "c". The first to come stays. Raises Conflict."""
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
    """Of a variant that now has its pods from elsewhere: no name that a variant can have."""
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
    A Deployment that exists has pods of one kind: its template says which. None if it does not
    say which container is meant.
    """
    spec = deployment["spec"]["template"]["spec"]
    if not workload.fits(spec):
        return None
    return kind_of(container_amounts(spec, workload.server_of(spec).container))


async def pods_of(api: KubeApi, deployment: Json) -> list[Json]:
    """By the Deployment's own selector: the pods of others do not bear our labels."""
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    namespace = deployment["metadata"]["namespace"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return await api.items(core(namespace, "pods"), selector) if selector else []
