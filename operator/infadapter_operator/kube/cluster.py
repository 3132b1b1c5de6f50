"""
The Cluster of `bodies` on Kubernetes: one service's Deployments, their pods, the steps on them.

A Deployment's template changes only while none of its pods runs. After that sizes change pod by
pod, in place, and the template stays, so that nothing rolls by accident. What a step needs to
know is what the last look saw; nothing else is remembered.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infadapter_operator.api.quantities import cpu_quantity
from infadapter_operator.bodies import BodyUnavailable, Conflict, ResizeInfeasible, StepRefused
from infadapter_operator.kube.adopt import (
    adopt,
    adopted_body,
    both_sides,
    hand_back,
    written_resources,
)
from infadapter_operator.kube.api_server import (
    STRATEGIC,
    ApiRefusal,
    Json,
    KubeApi,
    core,
    deployments,
)
from infadapter_operator.kube.objects import (
    Owner,
    Size,
    Workload,
    build_deployment,
    build_target_service,
)
from infadapter_operator.kube.observe import (
    Running,
    belongs_to,
    borrowed_kind,
    observed,
    refuse_stranger,
    running_for,
)
from infadapter_operator.kube.read import (
    annotation,
    condition,
    runs_pods,
    template_size,
    usual_size,
)
from infadapter_operator.kube.scalers import Scalers
from infadapter_operator.names import (
    DELETION_COST,
    ROLL_ANNOTATION,
    TEMPLATE_ANNOTATION,
    target_name,
)
from infadapter_operator.observed import Observed
from infadapter_operator.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_solver.problem import Allocation, Target

GOES_FIRST = "-1000"


def nobody_else(deployment: str) -> bool:
    return False


@dataclass(slots=True, kw_only=True)
class KubeCluster:
    """
    `claimed` tells whether an older service names this Deployment too; `gated` whether traffic
    comes through Services, which then send to marked pods alone.
    """

    api: KubeApi
    owner: Owner
    workloads: Mapping[str, Workload]
    scalers: Scalers
    claimed: Callable[[str], bool] = nobody_else
    gated: bool = False
    _running: dict[Target, Running] = field(default_factory=dict)
    _written: set[Target] = field(default_factory=set)  # since it was observed

    async def observe(self, now_s: float) -> Observed:
        """Raises BodyUnavailable."""
        try:
            scaled = await self.scalers.of(self.owner.namespace)
            running = await running_for(self.api, self.owner, self.workloads)
        except (ApiRefusal, Conflict) as refusal:
            raise BodyUnavailable(str(refusal)) from None
        self._running, self._written = {one.target: one for one in running}, set()
        taken = (one for one in running if self._is_anothers(one, scaled))
        return observed(running, frozenset(one.target for one in taken))

    def _is_anothers(self, running: Running, scaled: Mapping[str, str]) -> bool:
        """What left the spec is given back, whoever has come for it."""
        if running.workload is None:
            return False
        return running.name in scaled or (running.borrowed and self.claimed(running.name))

    @property
    def running(self) -> Mapping[Target, Running]:
        """As last observed."""
        return self._running

    async def borrowed_kinds(self) -> Mapping[str, str | None]:
        """
        The kind of pods of each Deployment that a variant names, by variant; None where it, or the
        container that is meant, is not there. Raises ApiRefusal or BodyUnavailable.
        """
        kinds: dict[str, str | None] = {}
        for workload in self.workloads.values():
            if workload.deployment:
                path = deployments(self.owner.namespace, workload.deployment)
                there = await self.api.get(path)
                kinds[workload.variant] = borrowed_kind(there, workload) if there else None
        return kinds

    def refused_pods(self) -> list[StepRefused]:
        """What keeps Deployments from making their pods, as last observed: a quota, a policy."""
        failures = (
            condition(running.deployment.get("status") or {}, "ReplicaFailure")
            for running in self._running.values()
        )
        messages = {
            re.sub(
                '^pods "[^"]*" is ', "pods are ", str(failure.get("message", ""))
            )  # a new one each
            for failure in failures
            if failure.get("status") == "True"
        }
        return [ApiRefusal(403, "", message).as_step_refused() for message in sorted(messages)]

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        """Raises StepRefused or BodyUnavailable."""
        try:
            match step:
                case ScaleUp():
                    await self._scale_up(step)
                case ReplacePods():
                    await self._replace(step)
                case ResizePod():
                    await self._resize(step.pod, step.target, step.allocation)
                case RemovePods():
                    await self._remove(step)
        except ApiRefusal as refusal:
            raise refusal.as_step_refused() from None

    async def tidy(self) -> None:
        """
        What no plan asks for: pods of a template that the user changed roll, and what left the
        spec and has no pods goes. Writes nothing when there is nothing of the kind.
        """
        try:
            for running in tuple(self._running.values()):
                await self._tidy(running)
        except ApiRefusal as refusal:
            raise refusal.as_step_refused() from None

    # --- steps ---------------------------------------------------------------------------------

    async def _scale_up(self, step: ScaleUp) -> None:
        workload = self._workload(step.target)
        running = self._running.get(step.target)
        if running is None or not runs_pods(running.deployment):
            size = Size.of(step.allocation)
        elif running.replicas == step.pods and self._is_current(running):
            return  # its pods are on their way
        else:
            size = template_size(running.deployment, running.server.container)
        await self._have(workload, step.target, size, step.pods)

    async def _replace(self, step: ReplacePods) -> None:
        """Where pods were resized away from a template that is right, only a mark rolls them."""
        size, running = Size.of(step.allocation), self._seen(step.target)
        same = template_size(running.deployment, running.server.container) == size
        roll = str(running.deployment["metadata"].get("generation", 0)) if same else ""
        await self._have(self._workload(step.target), step.target, size, step.pods, roll)

    async def _resize(self, pod: str, target: Target, allocation: Allocation) -> None:
        running = self._seen(target)
        batches = {p.batch_size for p in running.seen_pods() if p.name == pod}
        if not running.borrowed and batches != {allocation.batch_size}:
            raise ResizeInfeasible(f"pod {pod} needs a restart to take batches of another size")
        if running.borrowed:
            await adopt(self.api, self.owner, self._workload(target), running.deployment)
        cpu = cpu_quantity(allocation.cpu_millicores)
        resources = {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}}
        container = {"name": running.server.container, "resources": resources}
        path = core(self.owner.namespace, "pods", pod, "resize")
        try:
            await self.api.patch(path, {"spec": {"containers": [container]}}, STRATEGIC)
        except ApiRefusal as refusal:
            if refusal.status == 422 or refusal.is_beyond_node:
                raise ResizeInfeasible(f"pod {pod}: {refusal}") from None
            raise

    async def _remove(self, step: RemovePods) -> None:
        running = self._seen(step.target)
        if running.workload is None:
            await self._remove_left(running, step.remaining)
            return
        for pod in running.pods:
            if pod["metadata"]["name"] in step.pods and annotation(pod, DELETION_COST) is None:
                await self._send_first(pod["metadata"]["name"])
        size = template_size(running.deployment, running.server.container)
        await self._have(running.workload, step.target, size, step.remaining)

    async def _send_first(self, pod: str) -> None:
        path = core(self.owner.namespace, "pods", pod)
        try:
            await self.api.patch(path, {"metadata": {"annotations": {DELETION_COST: GOES_FIRST}}})
        except ApiRefusal as refusal:
            if refusal.status != 404:
                raise

    async def _have(
        self, workload: Workload, target: Target, size: Size, pods: int, roll: str = ""
    ) -> None:
        """The Deployment of the target, with this template and so many pods."""
        running = self._running.get(target)
        if workload.deployment:
            await self._have_borrowed(workload, running, size, pods)
        else:
            await self._have_own(workload, target, size, pods, roll)
        self._written.add(target)

    async def _have_own(
        self, workload: Workload, target: Target, size: Size, pods: int, roll: str
    ) -> None:
        """With its Service, which comes with the first pods; neither is anybody else's."""
        name = target_name(self.owner.name, target)
        path = deployments(self.owner.namespace, name)
        service = core(self.owner.namespace, "services", name)
        running = self._running.get(target)
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
        self, workload: Workload, running: Running | None, size: Size, pods: int
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

    # --- what left, and what changed -------------------------------------------------------------

    async def _tidy(self, running: Running) -> None:
        if running.target in self._written:
            return  # it is not as it was observed
        if running.workload is None and not running.pods and not running.replicas:
            await self._remove_left(running, 0)
        elif running.workload and not running.borrowed and not self._is_current(running):
            size = usual_size(running.seen_pods()) or template_size(
                running.deployment, running.server.container
            )
            await self._have(running.workload, running.target, size, running.replicas)

    def _is_current(self, running: Running) -> bool:
        return (
            running.workload is None
            or running.borrowed
            or annotation(running.deployment, TEMPLATE_ANNOTATION) == running.workload.digest
        )

    async def _remove_left(self, running: Running, remaining: int) -> None:
        """A Deployment that is borrowed goes back as a whole, when none of its pods is needed."""
        path = deployments(self.owner.namespace, running.name)
        if running.borrowed:
            if not remaining:
                await hand_back(self.api, running.deployment, running.pods)
        elif remaining:
            operation = {"op": "replace", "path": "/spec/replicas", "value": remaining}
            await self.api.operate(path, [operation])
        else:
            await self.api.delete(path)
            await self._delete_own(core(self.owner.namespace, "services", running.name))

    async def _delete_own(self, path: str) -> None:
        there = await self.api.get(path)
        if there is not None and belongs_to(there, self.owner):
            await self.api.delete(path)

    def _workload(self, target: Target) -> Workload:
        workload = self.workloads.get(target.variant)
        if workload is None:
            raise StepRefused(f"variant {target.variant} is no longer in the spec")
        return workload

    def _seen(self, target: Target) -> Running:
        if target not in self._running:
            raise StepRefused(f"nothing runs of variant {target.variant} on {target.kind}")
        return self._running[target]


def _rolled_at(deployment: Json) -> str:
    return annotation(deployment["spec"]["template"], ROLL_ANNOTATION) or ""
