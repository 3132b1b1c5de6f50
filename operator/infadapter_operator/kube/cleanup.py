"""
What no plan asks for: pods of a template that the user changed roll, unless the loop waits for room
to roll them; what left the spec goes.
"""

from infadapter_operator.kube.adopt_deployments import hand_back
from infadapter_operator.kube.observe import belongs_to
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.read import template_size, usual_size
from infadapter_operator.kube.running import Running
from infadapter_operator.kube.write_deployments import Writer


async def clean_up(writer: Writer, running: Running) -> None:
    """Writes nothing where there is nothing of the kind. Raises what a step raises."""
    if running.target in writer.written:
        return  # it is not as it was observed
    if running.workload is None and not running.pods and not running.replicas:
        await remove_left(writer, running, 0)
    elif running.workload and not running.borrowed and not running.is_current:
        size = usual_size(running.seen_pods()) or template_size(
            running.deployment, running.server.container
        )
        await writer.have(running.workload, running.target, size, running.replicas)


async def remove_left(writer: Writer, running: Running, remaining: int) -> None:
    """A Deployment that is borrowed goes back as a whole, when none of its pods is needed."""
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
    """So many of its pods, and its template as it is: another one would roll them."""
    operation = {"op": "replace", "path": "/spec/replicas", "value": remaining}
    await writer.api.operate(deployments(writer.owner.namespace, running.name), [operation])
    writer.written.add(running.target)


async def _delete_own(writer: Writer, path: str) -> None:
    there = await writer.api.get(path)
    if there is not None and belongs_to(there, writer.owner):
        await writer.api.delete(path)
