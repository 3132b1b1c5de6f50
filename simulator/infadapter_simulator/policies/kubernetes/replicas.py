"""Common parts of autoscalers of equal pods: the Deployment that they scale, and its settings."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.queues import MOST_WAITING
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation

LONG_AGO_S = -7 * 86_400.0
"""Start time of the pods that run when the simulation begins, s."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings that a user of an autoscaler has to choose."""

    pod_cores: int
    target: float  # target utilisation of a pod, a fraction

    def __str__(self) -> str:
        return f"[{self.pod_cores}c,{self.target:.0%}]"


SETTINGS = tuple(Setting(*one) for one in product((2, 4, 8), (0.5, 0.6, 0.7, 0.8)))
"""All settings tried; the best in hindsight represents the autoscaler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Pods of one variant and one size, behind a Service that balances equally."""

    variant: str
    allocation: Allocation
    servers: int
    service_s: float
    most_pods: int  # maximum that fits the budget

    def usage_cores(self, rps: float) -> float:
        """Return the cores in use at this rate, over all pods."""
        return rps * self.service_s

    def clamped(self, pods: int) -> int:
        return min(max(pods, 1), self.most_pods)

    def begin(self, world: World, pods: int) -> None:
        """Make this number of pods Ready and routed from the first request on."""
        begin_with(world, self.variant, self.allocation, self.clamped(pods))

    def scale(self, world: World, pods: int) -> None:
        """Scale at once, as a ReplicaSet does."""
        live = live_pods(world)
        for _ in range(pods - len(live)):
            world.start(self.variant, self.allocation.size)
        for pod in in_order_of_removal(live)[: max(len(live) - pods, 0)]:
            world.remove(pod)


def deployment(scenario: Scenario, variant: str, pod_cores: int) -> Deployment:
    """Return a Deployment of the smallest measured pods with these cores."""
    allocation = scenario.allocation(variant, 1000 * pod_cores)
    speed = scenario.speed(variant, allocation.size)
    return Deployment(
        variant=variant,
        allocation=allocation,
        servers=speed.servers,
        service_s=speed.service_s,
        most_pods=max(1, scenario.budget.get(CPU, 0) // allocation.cpu_millicores),
    )


def begin_with(world: World, variant: str, allocation: Allocation, pods: int) -> None:
    """Start with Ready pods and a Service that balances; no change is pending."""
    started = [world.start(variant, allocation.size, ready=True) for _ in range(pods)]
    world.route({pod.name: 1 for pod in started}, at_once=True)
    world.router.balances_evenly = True


def live_pods(world: World) -> list[SimulatedPod]:
    """
    Return pods that are created and not terminating, as `spec.replicas` counts them, the oldest
    first.
    """
    return [pod for pod in world.pods if not pod.leaving]


def in_order_of_removal(pods: list[SimulatedPod]) -> list[SimulatedPod]:
    """
    Return pods in the ReplicaSet's order: those that are not Ready first, then those that became
    Ready last.
    """
    return sorted(pods, key=lambda pod: (pod.ready, -pod.ready_since_s, -pod.slot))


def started_at_s(pod: SimulatedPod) -> float:
    """Return the start time; pods from before the run are old."""
    return pod.created_at_s if pod.created_at_s > 0 else LONG_AGO_S


def ready_since_s(pod: SimulatedPod) -> float:
    return pod.ready_since_s if pod.ready_since_s > 0 else LONG_AGO_S


def pods_for(needed: float, per_pod: float) -> int:
    return max(1, math.ceil(needed / per_pod - 1e-9))


def mean_over(
    mean: Callable[[float, float], float], before: float, from_s: float, to_s: float
) -> float:
    """
    Return the mean over an interval that may begin before the run, when the value was `before`.
    """
    known_s = to_s - max(from_s, 0.0)
    if known_s <= 0:
        return before
    known = mean(max(from_s, 0.0), to_s)
    return (before * (to_s - from_s - known_s) + known * known_s) / (to_s - from_s)


def no_limit(scenario: Scenario, variant: str) -> Mapping[tuple[str, int], int]:
    """Return no queue limits, as for a server that queues every request."""
    return {(variant, size): MOST_WAITING for size in sizes_millicores(scenario, variant)}


def sizes_millicores(scenario: Scenario, variant: str) -> list[int]:
    return [a.cpu_millicores for a in scenario.variant(variant).allocations if a.kind == CPU]
