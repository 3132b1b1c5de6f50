"""The node that all pods share, where its size matters."""

from collections.abc import Iterable

from infadapter_operator.observed import Resize
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_solver import CPU, Allocation


def has_room(
    node_millicores: int | None, pods: Iterable[SimulatedPod], pod: SimulatedPod, size: Allocation
) -> bool:
    """For the pod at this size, beside what the others hold."""
    if node_millicores is None:
        return True
    others = sum(other.held.get(CPU, 0) for other in pods if other is not pod)
    return others + size.cpu_millicores <= node_millicores


def resize_on(
    node_millicores: int | None, pods: Iterable[SimulatedPod], pod: SimulatedPod
) -> Resize:
    """What the kubelet says to the size that the pod is asked to have."""
    more = pod.wanted.cpu_millicores > pod.allocation.cpu_millicores
    if node_millicores is None or not more:
        return Resize.IN_PROGRESS
    if pod.wanted.cpu_millicores > node_millicores:
        return Resize.REFUSED
    fits = has_room(node_millicores, pods, pod, pod.wanted)
    return Resize.IN_PROGRESS if fits else Resize.DEFERRED
