"""
Carry out the loop's steps on Deployments and their pods.

A Deployment's template changes only while none of its pods runs, or to roll them. Otherwise pods
are resized in place and the template stays, so that nothing rolls by accident.
"""

from infadapter_operator.domain.names import DELETION_COST
from infadapter_operator.domain.ports import ResizeInfeasible
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_operator.kube.adopt_deployments import adopt
from infadapter_operator.kube.cleanup import leave, remove_left
from infadapter_operator.kube.client import STRATEGIC, KubeApi
from infadapter_operator.kube.paths import core
from infadapter_operator.kube.read import annotation, runs_pods, template_size
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.running import Running
from infadapter_operator.kube.write_deployments import Writer
from infadapter_profiles.quantities import cpu_quantity
from infadapter_solver.problem import PodSize

LOWEST_DELETION_COST = "-1000"


async def take_step(writer: Writer, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
    """Take the step. Raises StepRefused, ApiRefusal or PlatformUnavailable."""
    match step:
        case ScaleUp():
            await _scale_up(writer, step)
        case ReplacePods():
            await _replace(writer, step)
        case ResizePod():
            await _resize(writer, step)
        case RemovePods():
            await _remove(writer, step)


async def _scale_up(writer: Writer, step: ScaleUp) -> None:
    workload = writer.workload(step.target)
    running = writer.running.get(step.target)
    if running is None or not runs_pods(running.deployment):
        size = step.size
    elif running.replicas == step.pods and running.is_current:
        return  # the pods have been requested
    else:
        size = template_size(running.deployment, running.server.container)
    await writer.have(workload, step.target, size, step.pods)


async def _replace(writer: Writer, step: ReplacePods) -> None:
    """
    Roll the pods. If the template already has the new size, because pods were resized away from it,
    an annotation triggers the update.
    """
    size, running = step.size, writer.seen(step.target)
    same = template_size(running.deployment, running.server.container) == size
    roll = str(running.deployment["metadata"].get("generation", 0)) if same else ""
    await writer.have(writer.workload(step.target), step.target, size, step.pods, roll)


async def _resize(writer: Writer, step: ResizePod) -> None:
    running = writer.seen(step.target)
    if running.borrowed:
        workload = writer.workload(step.target)
        await adopt(writer.api, writer.owner, workload, running.deployment)
    else:
        _refuse_other_batches(running, step.pod, step.size)
    cpu = cpu_quantity(step.size.cpu_millicores)
    resources = {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}}
    container = {"name": running.server.container, "resources": resources}
    path = core(writer.owner.namespace, "pods", step.pod, "resize")
    try:
        await writer.api.patch(path, {"spec": {"containers": [container]}}, STRATEGIC)
    except ApiRefusal as refusal:
        if refusal.status == 422 or refusal.is_beyond_node:
            raise ResizeInfeasible(f"pod {step.pod}: {refusal}") from None
        raise


def _refuse_other_batches(running: Running, pod: str, size: PodSize) -> None:
    batches = {p.size.batch_size for p in running.seen_pods() if p.name == pod}
    if batches != {size.batch_size}:
        raise ResizeInfeasible(f"pod {pod} needs a restart to take batches of another size")


async def _remove(writer: Writer, step: RemovePods) -> None:
    running = writer.seen(step.target)
    if running.workload is None:
        await remove_left(writer, running, step.remaining)
        return
    for pod in running.pods:
        name = pod["metadata"]["name"]
        if name in step.pods and annotation(pod, DELETION_COST) is None:
            await _send_first(writer.api, core(writer.owner.namespace, "pods", name))
    if not running.is_current:
        await leave(writer, running, step.remaining)
        return
    size = template_size(running.deployment, running.server.container)
    await writer.have(running.workload, step.target, size, step.remaining)


async def _send_first(api: KubeApi, pod_path: str) -> None:
    """Mark a pod as the first to be removed; it is no error if it is gone already."""
    try:
        await api.patch(
            pod_path, {"metadata": {"annotations": {DELETION_COST: LOWEST_DELETION_COST}}}
        )
    except ApiRefusal as refusal:
        if refusal.status != 404:
            raise
