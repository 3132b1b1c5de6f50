"""
A cluster in virtual time: pods that start, resize, drain and fail, a router, and their metrics.

The world executes operations and knows no policy. All policies, ours among them, use the same
operations: start, resize, remove, route.
"""

from collections.abc import Callable, Mapping

from infadapter_operator.domain.observed import Resize
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.events import EventKind, Events
from infadapter_simulator.world.kubelet import Kubelet
from infadapter_simulator.world.pods import Held, SimulatedPod
from infadapter_simulator.world.router import Router
from infadapter_simulator.world.scraped import Scrape
from infadapter_simulator.world.traffic import Traffic
from infadapter_solver import CPU, PodSize, Target


class World:
    """One run. Time 0 is the first arrival; everything before is history."""

    def __init__(
        self,
        scenario: Scenario,
        traffic: Traffic,
        scraped: Scrape,
        *,
        seconds: int = 0,  # for which requests arrive
        seed: int = 0,
    ) -> None:
        self.scenario = scenario
        self.seconds = seconds
        self.now_s = 0.0
        self.seed = seed
        self.traffic = traffic
        self.scraped = scraped
        self.plan_changes_s: list[float] | None = None  # told by a policy that makes plans
        self.controllers: list[Callable[[], None]] = []  # called whenever something has happened
        self._events = Events()
        self.router = Router(traffic, self._events, scenario.weights_lag_s)
        self._kubelet = Kubelet(scenario, traffic, self.router, self._events, seed)
        self.resources = self._kubelet.resources
        self._by_slot: list[SimulatedPod] = []
        for at_s in sorted(scenario.faults.times_s):
            self._events.put(at_s, EventKind.FAULT_CHANGED, None)

    # What can be seen

    @property
    def pods(self) -> list[SimulatedPod]:
        """All pods that are not gone, oldest first."""
        return list(self.resources.pods.values())

    @property
    def held(self) -> list[Held]:
        return self.resources.held

    @property
    def weights(self) -> Mapping[str, int]:
        """The weights in force, by pod name."""
        return dict(self.router.weights)

    def variant_of_slots(self) -> list[str]:
        return [pod.target.variant for pod in self._by_slot]

    def creations_s(self) -> list[float]:
        """Return when each pod was created, in order."""
        return [pod.created_at_s for pod in self._by_slot]

    # What can be done

    def start(
        self, variant: str, size: PodSize, *, kind: str = CPU, ready: bool = False
    ) -> SimulatedPod:
        """
        Create a pod. `ready` at once is only for pods that ran before the run. It is unschedulable
        while its node has no room.
        """
        slot = self.traffic.add(*self.resources.queue(variant, size), self.now_s)
        pod = SimulatedPod(
            slot=slot,
            name=f"{variant}-{slot}",
            target=Target(variant, kind),
            size=size,
            wanted=size,
            created_at_s=self.now_s,
            unready_since_s=self.now_s,
        )
        self._by_slot.append(pod)
        self._kubelet.add(pod, self.now_s, ready=ready)
        return pod

    def resize(self, pod: SimulatedPod, size: PodSize) -> None:
        """
        Resize in place; in force after the scenario's delay. A later request replaces an earlier
        one.
        """
        self._kubelet.resize(pod, size, self.now_s)

    def remove(self, pod: SimulatedPod) -> None:
        """
        Terminate a pod. It finishes its requests, and gets new ones as long as the router sends
        them.
        """
        self._kubelet.remove(pod, self.now_s)

    def fail(self, pod: SimulatedPod) -> None:
        """Let the pod's container exit; it is restarted."""
        self._kubelet.failed(pod, self.now_s)

    def lose_node_of(self, pod: SimulatedPod) -> None:
        """Let the pod's node stop responding."""
        self._kubelet.lose_node_of(pod, self.now_s)

    def vanish(self, pod: SimulatedPod) -> None:
        """Delete the pod at once with all its requests, as when its node is deleted."""
        self._kubelet.vanish(pod, self.now_s)
        self._settle()

    def route(self, weights: Mapping[str, int], *, at_once: bool = False) -> None:
        """
        Send weights by pod name. The router applies them after the scenario's delay, or `at_once`
        before the run.
        """
        self.router.send(weights, self.resources.pods, self.now_s, at_once=at_once)

    # Time

    def advance(self, until_s: float) -> None:
        """Let time pass, and handle all events until then."""
        while event := self._events.due(until_s):
            self._pass(event.at_s)
            self._happen(event.kind, event.pod)
        self._pass(until_s)

    def _pass(self, until_s: float) -> None:
        self.traffic.advance(until_s)
        self.now_s = max(self.now_s, until_s)

    def _happen(self, kind: EventKind, pod: SimulatedPod | None) -> None:
        if kind is EventKind.ROUTED:
            self.router.obey(self.resources.pods, self.now_s)
        elif kind is EventKind.FAULT_CHANGED:
            self._kubelet.apply_fault_changes(self.now_s)
        elif pod is None or pod.gone:
            return
        elif kind is EventKind.READY:
            self._kubelet.started(pod, self.now_s)
        elif kind is EventKind.RESIZED and pod.resize is Resize.IN_PROGRESS:
            self.resources.take_size(pod, self.now_s)
        elif kind is EventKind.DRAINED:
            self._kubelet.drained(pod, self.now_s)
        elif kind is EventKind.FAILED:
            self._kubelet.failed(pod, self.now_s)
        self._settle()

    def _settle(self) -> None:
        """Give free room to waiting pods, and run the controllers, after something has changed."""
        self._kubelet.use_room(self.now_s)
        for controller in self.controllers:
            controller()
