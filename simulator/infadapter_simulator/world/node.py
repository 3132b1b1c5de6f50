"""The node that all pods share: its room, and the outcome of starts and resizes on it."""

from collections.abc import Iterable
from dataclasses import dataclass

from infadapter_operator.domain.observed import Cause, Resize, Trouble
from infadapter_simulator.world.faults import Faults, spell_of
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_solver import CPU, PodSize

EVICTED_S = 300.0
"""Seconds for which pods on an unreachable node are tolerated."""


@dataclass(frozen=True, slots=True)
class Node:
    """Without faults it has room for everything, and every pod that starts becomes Ready."""

    faults: Faults

    def has_room(
        self, pods: Iterable[SimulatedPod], pod: SimulatedPod, size: PodSize | None = None
    ) -> bool:
        """Whether the pod fits, at its size or the given one, beside what the others hold."""
        if self.faults.node_millicores is None:
            return True
        others = sum(other.held.get(CPU, 0) for other in pods if other is not pod)
        wanted = (size or pod.size).cpu_millicores
        return others + wanted <= self.faults.node_millicores

    def takes(self, pods: Iterable[SimulatedPod], pod: SimulatedPod, now_s: float) -> bool:
        """Whether an unscheduled pod finds a node."""
        fits_none = spell_of(self.faults.unschedulable, pod.target.variant, now_s)
        return fits_none is None and self.has_room(pods, pod)

    def keeps_from_ready(self, pod: SimulatedPod, now_s: float) -> Trouble | None:
        """Return the trouble that keeps the pod from becoming Ready, since it was first met."""
        spell = spell_of(self.faults.never_ready, pod.target.variant, now_s)
        if spell is None:
            return None
        since_s = pod.trouble.since_s if pod.trouble else now_s
        return Trouble(cause=spell.cause, message=spell.message, since_s=since_s)

    def resize_of(self, pods: Iterable[SimulatedPod], pod: SimulatedPod, now_s: float) -> Resize:
        """Return the kubelet's answer to the requested size."""
        most = self.faults.node_millicores
        if pod.size == pod.wanted:
            return Resize.NONE
        if pod.wanted.cpu_millicores <= pod.size.cpu_millicores:
            return Resize.IN_PROGRESS
        if spell := spell_of(self.faults.stuck_resizes, pod.target.variant, now_s):
            return spell.resize
        if most is None:
            return Resize.IN_PROGRESS
        if pod.wanted.cpu_millicores > most:
            return Resize.REFUSED
        return Resize.IN_PROGRESS if self.has_room(pods, pod, pod.wanted) else Resize.DEFERRED

    def is_lost_with(self, pod: SimulatedPod, now_s: float) -> bool:
        """Whether the pod's node is lost at this time."""
        variant = pod.target.variant
        return any(s.variant == variant and s.from_s == now_s for s in self.faults.lost_nodes)

    def silence(self, now_s: float) -> Trouble:
        """Return the trouble reported for pods of an unreachable node."""
        words = "Node is not ready: it has stopped posting its status."
        return Trouble(cause=Cause.NODE_LOST, message=words, since_s=now_s)

    def is_silent(self, pod: SimulatedPod, now_s: float) -> bool:
        """Whether it is unknown if the pod has stopped."""
        return pod.is_lost and now_s < pod.unready_since_s + EVICTED_S
