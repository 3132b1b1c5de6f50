"""
Write a service's Deployments: its own completely, with their Services; of borrowed ones only the
fields that the operator may change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infadapter_operator.domain.names import ROLL_ANNOTATION, target_name
from infadapter_operator.domain.ports import StepRefused
from infadapter_operator.kube.adopt_deployments import adopt
from infadapter_operator.kube.adoption import adopted_body, both_sides, written_resources
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.objects import (
    Owner,
    Workload,
    build_deployment,
    build_target_service,
)
from infadapter_operator.kube.observe import refuse_stranger
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.read import annotation, template_size
from infadapter_operator.kube.running import Running
from infadapter_solver.problem import PodSize, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """
    Writes the Deployments of a service. `running` is what the last cycle observed; `written`
    collects the targets that have changed since.
    """

    api: KubeApi
    owner: Owner
    workloads: Mapping[str, Workload]
    gated: bool
    running: Mapping[Target, Running]
    written: set[Target]

    def workload(self, target: Target) -> Workload:
        """Return the workload of a target. Raises StepRefused if its variant left the spec."""
        workload = self.workloads.get(target.variant)
        if workload is None:
            raise StepRefused(f"variant {target.variant} is no longer in the spec")
        return workload

    def seen(self, target: Target) -> Running:
        """Return the observed Deployment of a target. Raises StepRefused if there is none."""
        if target not in self.running:
            raise StepRefused(f"nothing runs of variant {target.variant} on {target.kind}")
        return self.running[target]

    async def have(
        self, workload: Workload, target: Target, size: PodSize, pods: int, roll: str = ""
    ) -> None:
        """Ensure the target's Deployment with this template and number of pods."""
        if workload.deployment:
            await self._have_borrowed(workload, self.running.get(target), size, pods)
        else:
            await self._have_own(workload, target, size, pods, roll)
        self.written.add(target)

    async def _have_own(
        self, workload: Workload, target: Target, size: PodSize, pods: int, roll: str
    ) -> None:
        """
        Apply an own Deployment, and with its first pods its Service. Raises Conflict if either
        belongs to others.
        """
        name = target_name(self.owner.name, target)
        path = deployments(self.owner.namespace, name)
        service = core(self.owner.namespace, "services", name)
        running = self.running.get(target)
        roll = roll or (_rolled_at(running.deployment) if running else "")
        body = build_deployment(self.owner, workload, target, size, pods, roll=roll)
        is_new = running is None
        if is_new:
            await self._refuse_strangers(path)
            await self._refuse_strangers(service)
        await self.api.apply(path, body, force=True)
        if is_new:
            port = workload.server_of(body["spec"]["template"]["spec"]).port
            front = build_target_service(self.owner, target, port, gated=self.gated)
            await self.api.apply(service, front, force=True)

    async def _have_borrowed(
        self, workload: Workload, running: Running | None, size: PodSize, pods: int
    ) -> None:
        if running is None:
            raise StepRefused(
                f"variant {workload.variant}: Deployment {workload.deployment} does not exist,"
                " or asks for another kind of resource than planned"
            )
        adoption = await adopt(self.api, self.owner, workload, running.deployment)
        container = running.server.container
        kept = size == template_size(running.deployment, container)
        resources = (
            written_resources(running.deployment, container) if kept else both_sides(size.resources)
        )
        body = adopted_body(running.deployment, adoption, resources, pods)
        await self.api.apply(deployments(self.owner.namespace, running.name), body)

    async def _refuse_strangers(self, path: str) -> None:
        there = await self.api.get(path)
        if there is not None:
            refuse_stranger(there, self.owner)


def _rolled_at(deployment: Json) -> str:
    return annotation(deployment["spec"]["template"], ROLL_ANNOTATION) or ""
