"""
A cluster in virtual time: pods that start, resize, drain and fail, a router, and what can be seen.

It does what it is told and knows nothing of why. Policies, ours among them, act on it through the
same few verbs: start, resize, remove, route.
"""

from collections.abc import Callable, Mapping

import numpy as np

from infadapter_operator.domain.observed import STUCK, Resize
from infadapter_simulator.scenario import PodSpeed, Scenario, Server
from infadapter_simulator.world.events import Events, What
from infadapter_simulator.world.node import EVICTED_S, Node
from infadapter_simulator.world.pods import Held, SimulatedPod, held_since
from infadapter_simulator.world.router import Router
from infadapter_simulator.world.scraped import Scrape
from infadapter_simulator.world.traffic import Traffic
from infadapter_solver import CPU, PodSize, Target


class World:
    """One run. Time begins at 0 with the first arrival; what was before is history."""

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
        self.node = Node(scenario.faults)
        self.seconds = seconds
        self.now_s = 0.0
        self.seed = seed
        self.traffic = traffic
        # What a policy's own server lets wait in a pod of an allocation, for Server.PUBLISHED.
        self.queue_limits: Mapping[tuple[str, int], int] | None = None  # None: by the deadline
        self.balances_evenly = False  # all Ready pods get the same, as behind a Kubernetes Service
        self.held: list[Held] = []
        self.router = Router(self.traffic)
        self.plan_changes_s: list[float] | None = None  # told by a policy that makes plans
        self._rng = np.random.default_rng([seed, 11])
        self._pods: dict[str, SimulatedPod] = {}
        self._by_slot: list[SimulatedPod] = []
        self._events = Events()
        self.scraped = scraped
        self.controllers: list[Callable[[], None]] = []  # called whenever something has happened
        for at_s in sorted(scenario.faults.times_s):
            self._events.put(at_s, What.TURNED, None)

    # What can be seen

    @property
    def pods(self) -> list[SimulatedPod]:
        """All that are not gone, oldest first."""
        return list(self._pods.values())

    @property
    def weights(self) -> Mapping[str, int]:
        """By pod name, what the router obeys."""
        return dict(self.router.weights)

    def variant_of_slots(self) -> list[str]:
        return [pod.target.variant for pod in self._by_slot]

    def creations_s(self) -> list[float]:
        """When each pod was made, the first one first."""
        return [pod.created_at_s for pod in self._by_slot]

    # What can be done

    def start(
        self, variant: str, size: PodSize, *, kind: str = CPU, ready: bool = False
    ) -> SimulatedPod:
        """
        A new pod; `ready` at once only for what ran before the run began. Where its node has no
        room for it, it waits for that.
        """
        slot = self.traffic.add(*self._queue(variant, size), self.now_s)
        pod = SimulatedPod(
            slot=slot,
            name=f"{variant}-{slot}",
            target=Target(variant, kind),
            size=size,
            wanted=size,
            created_at_s=self.now_s,
            unready_since_s=self.now_s,
        )
        if not (ready or self.node.takes(self.pods, pod, self.now_s)):
            pod.unschedulable_since_s = self.now_s
        self._by_slot.append(pod)
        self._pods[pod.name] = pod
        self._hold(pod)
        if ready:
            self._become_ready(pod)
        elif pod.unschedulable_since_s is None:
            self._begin_start(pod)
        return pod

    def resize(self, pod: SimulatedPod, size: PodSize) -> None:
        """In place; in force after the scenario's delay. A later order replaces an earlier one."""
        if pod.gone or pod.wanted == size:
            return
        pod.wanted = size
        if pod.unschedulable_since_s is not None:
            self._take_size(pod)
        else:
            self._try_resize(pod)
        self._use_room()

    def remove(self, pod: SimulatedPod) -> None:
        """It finishes what it has; new requests it gets as long as the router sends them."""
        if pod.leaving or pod.gone:
            return
        pod.leaving = True
        self._balance()
        self._events.put(self.now_s + self.scenario.drain_s, What.DRAINED, pod)

    def lose_node_of(self, pod: SimulatedPod) -> None:
        """It does not answer any more."""
        self.traffic.fail(pod.slot, self.now_s)
        pod.ready, pod.unready_since_s = False, self.now_s
        pod.trouble = self.node.silence(self.now_s)
        self._hold(pod)
        self.router.look(self._pods, self.now_s)
        self._events.put(self.now_s + EVICTED_S, What.DRAINED, pod)

    def vanish(self, pod: SimulatedPod) -> None:
        """Gone at once with all that it has, as when its node is deleted."""
        self.traffic.fail(pod.slot, self.now_s)
        self._end(pod)
        self.router.look(self._pods, self.now_s)
        self._settle()

    def route(self, weights: Mapping[str, int], *, at_once: bool = False) -> None:
        """By pod name. The router obeys after the scenario's delay; at the beginning at once."""
        self.router.send(weights)
        if at_once or self.now_s == 0.0:
            self.router.obey(self._pods, self.now_s)
        else:
            self._events.put(self.now_s + self.scenario.weights_lag_s, What.ROUTED, None)

    # Time

    def advance(self, until_s: float) -> None:
        """Let time pass, and all happen that is due until then."""
        while event := self._events.due(until_s):
            self._pass(event.at_s)
            self._happen(event.what, event.pod)
        self._pass(until_s)

    def _pass(self, until_s: float) -> None:
        self.traffic.advance(until_s)
        self.now_s = max(self.now_s, until_s)

    def _happen(self, what: What, pod: SimulatedPod | None) -> None:
        if what is What.ROUTED:
            self.router.obey(self._pods, self.now_s)
        elif what is What.TURNED:
            self._turned()
        elif pod is None or pod.gone:
            return
        elif what is What.READY:
            self._started(pod)
        elif what is What.RESIZED and pod.resize is Resize.IN_PROGRESS:
            self._take_size(pod)
        elif what is What.DRAINED:
            self._drained(pod)
        elif what is What.FAILED:
            self._failed(pod)
        self._settle()

    def _settle(self) -> None:
        """Something has happened."""
        self._use_room()
        for controller in self.controllers:
            controller()

    def _begin_start(self, pod: SimulatedPod) -> None:
        """Anew when what keeps it from coming is over."""
        pod.trouble = self.node.keeps_from_ready(pod, self.now_s)
        if pod.trouble is None:
            start_s = self.scenario.start_s(pod.target.variant)
            self._events.put(self.now_s + start_s, What.READY, pod)

    def _started(self, pod: SimulatedPod) -> None:
        if pod.leaving or pod.is_lost:
            return
        if self.node.keeps_from_ready(pod, self.now_s):
            self._begin_start(pod)
        else:
            self._become_ready(pod)

    def _become_ready(self, pod: SimulatedPod) -> None:
        pod.ready, pod.ready_since_s = True, self.now_s
        if pod.name in self.router.weights:
            self.router.look(
                self._pods, self.now_s
            )  # it failed, and the router has not forgotten it
        self._balance()
        self._events.put(self.now_s + self.scenario.min_ready_s, What.AVAILABLE, pod)
        if rate := self.scenario.failures_per_pod_hour:
            self._events.put(self.now_s + self._rng.exponential(3600 / rate), What.FAILED, pod)

    def _try_resize(self, pod: SimulatedPod) -> None:
        state = self.node.resize_of(self.pods, pod, self.now_s)
        if state is not pod.resize:
            pod.resize = state
            pod.resize_since_s = None if state is Resize.NONE else self.now_s
        elif state is Resize.DEFERRED:
            return  # it holds what it held
        self._hold(pod)
        if state is Resize.IN_PROGRESS:
            self._events.put(self.now_s + self.scenario.resize_delay_s, What.RESIZED, pod)

    def _take_size(self, pod: SimulatedPod) -> None:
        pod.size, pod.resize, pod.resize_since_s = pod.wanted, Resize.NONE, None
        speed, limit = self._queue(pod.target.variant, pod.size)
        self.traffic.resize(pod.slot, speed, limit, self.now_s)
        self._hold(pod)

    def _use_room(self) -> None:
        """The oldest first."""
        for pod in self.pods:
            if pod.resize is Resize.DEFERRED:
                self._try_resize(pod)
            elif pod.unschedulable_since_s is not None:
                self._try_to_place(pod)

    def _try_to_place(self, pod: SimulatedPod) -> None:
        if self.node.takes(self.pods, pod, self.now_s):
            pod.unschedulable_since_s = None
            self._hold(pod)
            self._begin_start(pod)

    def _turned(self) -> None:
        """Faults have begun or ended."""
        for pod in self.pods:
            if self.node.is_lost_with(pod, self.now_s):
                self.lose_node_of(pod)
            elif pod.resize in STUCK:
                self._try_resize(pod)
            elif pod.trouble and not pod.is_lost:
                self._begin_start(pod)

    def _drained(self, pod: SimulatedPod) -> None:
        if self.node.is_silent(pod, self.now_s):
            return
        busy_until_s = self.traffic.busy_until_s(pod.slot)
        if pod.ready and (pod.name in self.router.weights or busy_until_s > self.now_s):
            later_s = max(busy_until_s, self.now_s + self.scenario.drain_s)
            self._events.put(later_s, What.DRAINED, pod)
            return
        self._end(pod)

    def _end(self, pod: SimulatedPod) -> None:
        pod.ready, pod.gone = False, True
        del self._pods[pod.name]
        self._hold(pod)

    def _failed(self, pod: SimulatedPod) -> None:
        """The container ends and is started again; the router leaves it out at once."""
        if pod.leaving or pod.is_lost:
            return
        self.traffic.fail(pod.slot, self.now_s)
        pod.ready, pod.unready_since_s = False, self.now_s
        self.router.look(self._pods, self.now_s)
        self._begin_start(pod)

    def _balance(self) -> None:
        if self.balances_evenly:
            self.route({pod.name: 1 for pod in self.pods if pod.ready and not pod.leaving})

    def _queue(self, variant: str, size: PodSize) -> tuple[PodSpeed, int | None]:
        speed = self.scenario.speed(variant, size)
        if self.scenario.server is Server.SAME or self.queue_limits is None:
            return speed, None
        return speed, self.queue_limits[variant, size.cpu_millicores]

    def _hold(self, pod: SimulatedPod) -> None:
        self.held.append(held_since(self.now_s, pod, self.scenario.objective))
