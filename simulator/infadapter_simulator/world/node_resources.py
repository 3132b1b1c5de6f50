"""What pods hold of their node: scheduling, and in-place resizes."""

from collections.abc import Mapping

from infadapter_operator.domain.observed import Resize
from infadapter_simulator.scenario import PodSpeed, Scenario, Server
from infadapter_simulator.world.events import EventKind, Events
from infadapter_simulator.world.node import Node
from infadapter_simulator.world.pods import Held, SimulatedPod, held_since
from infadapter_simulator.world.traffic import Traffic
from infadapter_solver import PodSize


class NodeResources:
    """The resources held. Every change is recorded, since what is held is paid for."""

    def __init__(self, scenario: Scenario, node: Node, traffic: Traffic, events: Events) -> None:
        self.pods: dict[str, SimulatedPod] = {}  # that are not gone, oldest first
        self.held: list[Held] = []
        # What a policy's own server lets wait in a pod of an allocation, for Server.PUBLISHED.
        self.queue_limits: Mapping[tuple[str, int], int] | None = None  # None: by the deadline
        self._scenario, self._node = scenario, node
        self._traffic, self._events = traffic, events

    def queue(self, variant: str, size: PodSize) -> tuple[PodSpeed, int | None]:
        """Return the speed of a pod of this size, and the limit of its queue."""
        speed = self._scenario.speed(variant, size)
        if self._scenario.server is Server.SAME or self.queue_limits is None:
            return speed, None
        return speed, self.queue_limits[variant, size.cpu_millicores]

    def hold(self, pod: SimulatedPod, now_s: float) -> None:
        """Record what the pod holds from now on."""
        self.held.append(held_since(now_s, pod, self._scenario.objective))

    def add(self, pod: SimulatedPod, now_s: float, *, placed: bool) -> None:
        """Add a pod. Without room it waits unscheduled, unless it is already placed."""
        if not (placed or self._node.takes(self.pods.values(), pod, now_s)):
            pod.unschedulable_since_s = now_s
        self.pods[pod.name] = pod
        self.hold(pod, now_s)

    def place(self, pod: SimulatedPod, now_s: float) -> bool:
        """Place an unscheduled pod if there is room now, and return whether there was."""
        if not self._node.takes(self.pods.values(), pod, now_s):
            return False
        pod.unschedulable_since_s = None
        self.hold(pod, now_s)
        return True

    def free(self, pod: SimulatedPod, now_s: float) -> None:
        """Remove a pod that is gone."""
        pod.ready, pod.gone = False, True
        del self.pods[pod.name]
        self.hold(pod, now_s)

    def resize(self, pod: SimulatedPod, size: PodSize, now_s: float) -> None:
        """Request a size; an unscheduled pod has it at once."""
        pod.wanted = size
        if pod.unschedulable_since_s is not None:
            self.take_size(pod, now_s)
        else:
            self.try_resize(pod, now_s)

    def try_resize(self, pod: SimulatedPod, now_s: float) -> None:
        state = self._node.resize_of(self.pods.values(), pod, now_s)
        if state is not pod.resize:
            pod.resize = state
            pod.resize_since_s = None if state is Resize.NONE else now_s
        elif state is Resize.DEFERRED:
            return  # it holds what it held
        self.hold(pod, now_s)
        if state is Resize.IN_PROGRESS:
            self._events.put(now_s + self._scenario.resize_delay_s, EventKind.RESIZED, pod)

    def take_size(self, pod: SimulatedPod, now_s: float) -> None:
        """Put the requested size in force."""
        pod.size, pod.resize, pod.resize_since_s = pod.wanted, Resize.NONE, None
        speed, limit = self.queue(pod.target.variant, pod.size)
        self._traffic.resize(pod.slot, speed, limit, now_s)
        self.hold(pod, now_s)
