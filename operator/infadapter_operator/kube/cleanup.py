"""
Changes outside the plan: roll pods of a changed template, unless the rollout does so once there is
room, and remove what left the spec.
"""

from infadapter_operator.kube.adopt_deployments import hand_back
from infadapter_operator.kube.observe import belongs_to
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.read import template_size, usual_size
from infadapter_operator.kube.running import Running
from infadapter_operator.kube.write_deployments import Writer


async def clean_up(writer: Writer, running: Running) -> None:
    """
    Clean up one Deployment; writes nothing if there is nothing to do. Raises what a step raises.
    """
    if running.target in writer.written:
        return  # changed in this cycle: the observation is out of date
    if running.workload is None and not running.pods and not running.replicas:
        await remove_left(writer, running, 0)
    elif running.workload and not running.borrowed and not running.is_current:
        size = usual_size(running.seen_pods()) or template_size(
            running.deployment, running.server.container
        )
        await writer.have(running.workload, running.target, size, running.replicas)


async def remove_left(writer: Writer, running: Running, remaining: int) -> None:
    """
    Scale down or delete a Deployment that left the spec. A borrowed one is given back as a whole
    once none of its pods is needed.
    """
    path = deployments(writer.owner.namespace, running.name)
    if running.borrowed:
        if not remaining:
            await hand_back(writer.api, running.deployment, running.pods)
    elif remaining:
        await leave(writer, running, remaining)
    else:
        await writer.api.delete(path)
        await _delete_own(writer, core(writer.owner.namespace, "services", running.name))


async def leave(writer: Writer, running: Running, remaining: int) -> None:
    """Set the replica count only. Applying the template as well would roll the pods."""
    operation = {"op": "replace", "path": "/spec/replicas", "value": remaining}
    await writer.api.operate(deployments(writer.owner.namespace, running.name), [operation])
    writer.written.add(running.target)


async def _delete_own(writer: Writer, path: str) -> None:
    there = await writer.api.get(path)
    if there is not None and belongs_to(there, writer.owner):
        await writer.api.delete(path)
