"""
The life of a pod on its node: it starts, becomes Ready, fails, is lost with its node, terminates.
"""

import numpy as np

from infadapter_operator.domain.observed import STUCK, Resize
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.events import EventKind, Events
from infadapter_simulator.world.node import EVICTED_S, Node
from infadapter_simulator.world.node_resources import NodeResources
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.router import Router
from infadapter_simulator.world.traffic import Traffic
from infadapter_solver import PodSize


class Kubelet:
    """The kubelet. It is told the time, and schedules later changes as events."""

    def __init__(
        self, scenario: Scenario, traffic: Traffic, router: Router, events: Events, seed: int
    ) -> None:
        self._scenario, self._node = scenario, Node(scenario.faults)
        self.resources = NodeResources(scenario, self._node, traffic, events)
        self._traffic, self._router, self._events = traffic, router, events
        self._rng = np.random.default_rng([seed, 11])
        self._pods = self.resources.pods

    def add(self, pod: SimulatedPod, now_s: float, *, ready: bool) -> None:
        self.resources.add(pod, now_s, placed=ready)
        if ready:
            self._become_ready(pod, now_s)
        elif pod.unschedulable_since_s is None:
            self._begin_start(pod, now_s)

    def resize(self, pod: SimulatedPod, size: PodSize, now_s: float) -> None:
        if not pod.gone and pod.wanted != size:
            self.resources.resize(pod, size, now_s)
            self.use_room(now_s)

    def use_room(self, now_s: float) -> None:
        """Give free room to waiting pods, oldest first."""
        for pod in self._pods.values():
            if pod.resize is Resize.DEFERRED:
                self.resources.try_resize(pod, now_s)
            elif pod.unschedulable_since_s is not None and self.resources.place(pod, now_s):
                self._begin_start(pod, now_s)

    def started(self, pod: SimulatedPod, now_s: float) -> None:
        if pod.leaving or pod.is_lost:
            return
        if self._node.keeps_from_ready(pod, now_s):
            self._begin_start(pod, now_s)
        else:
            self._become_ready(pod, now_s)

    def failed(self, pod: SimulatedPod, now_s: float) -> None:
        """The container exits and is restarted; the router leaves it out at once."""
        if pod.leaving or pod.is_lost:
            return
        self._traffic.fail(pod.slot, now_s)
        pod.ready, pod.unready_since_s = False, now_s
        self._router.look(self._pods, now_s)
        self._begin_start(pod, now_s)

    def apply_fault_changes(self, now_s: float) -> None:
        """Faults have begun or ended."""
        for pod in self._pods.values():
            if self._node.is_lost_with(pod, now_s):
                self.lose_node_of(pod, now_s)
                continue
            if pod.resize in STUCK:
                self.resources.try_resize(pod, now_s)
            if pod.trouble and not pod.is_lost:
                self._begin_start(pod, now_s)

    def remove(self, pod: SimulatedPod, now_s: float) -> None:
        if pod.leaving or pod.gone:
            return
        pod.leaving = True
        self._router.balance(self._pods, now_s)
        self._events.put(now_s + self._scenario.drain_s, EventKind.DRAINED, pod)

    def drained(self, pod: SimulatedPod, now_s: float) -> None:
        """
        Terminate the pod once it has finished its requests and the router sends it nothing more.
        """
        if self._node.is_silent(pod, now_s):
            return
        busy_until_s = self._traffic.busy_until_s(pod.slot)
        if pod.ready and (pod.name in self._router.weights or busy_until_s > now_s):
            later_s = max(busy_until_s, now_s + self._scenario.drain_s)
            self._events.put(later_s, EventKind.DRAINED, pod)
        else:
            self.resources.free(pod, now_s)

    def vanish(self, pod: SimulatedPod, now_s: float) -> None:
        self._traffic.fail(pod.slot, now_s)
        self.resources.free(pod, now_s)
        self._router.look(self._pods, now_s)

    def lose_node_of(self, pod: SimulatedPod, now_s: float) -> None:
        """The pod's node is lost: it serves nothing and holds nothing, and is evicted later."""
        self._traffic.fail(pod.slot, now_s)
        pod.ready, pod.unready_since_s = False, now_s
        pod.trouble = self._node.silence(now_s)
        self.resources.hold(pod, now_s)
        self._router.look(self._pods, now_s)
        self._events.put(now_s + EVICTED_S, EventKind.DRAINED, pod)

    def _begin_start(self, pod: SimulatedPod, now_s: float) -> None:
        """Start again when the fault that prevents the start is over."""
        pod.trouble = self._node.keeps_from_ready(pod, now_s)
        if pod.trouble is None:
            start_s = self._scenario.start_s(pod.target.variant)
            self._events.put(now_s + start_s, EventKind.READY, pod)

    def _become_ready(self, pod: SimulatedPod, now_s: float) -> None:
        pod.ready, pod.ready_since_s = True, now_s
        if pod.name in self._router.weights:  # it failed, and the router has not forgotten it
            self._router.look(self._pods, now_s)
        self._router.balance(self._pods, now_s)
        self._events.put(now_s + self._scenario.min_ready_s, EventKind.AVAILABLE, pod)
        if rate := self._scenario.failures_per_pod_hour:
            self._events.put(now_s + self._rng.exponential(3600 / rate), EventKind.FAILED, pod)
