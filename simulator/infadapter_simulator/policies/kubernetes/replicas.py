"""What all autoscalers of equal pods share: the Deployment that they scale, and its settings."""

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
"""When those pods were started that run when the run begins."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What somebody who deploys an autoscaler has to choose."""

    pod_cores: int
    target: float  # how busy a pod should be, a fraction

    def __str__(self) -> str:
        return f"[{self.pod_cores}c,{self.target:.0%}]"


SETTINGS = tuple(Setting(*one) for one in product((2, 4, 8), (0.5, 0.6, 0.7, 0.8)))
"""All that are tried; the best in hindsight stands for the autoscaler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Pods of one variant and one size, behind a Service that gives all the same."""

    variant: str
    allocation: Allocation
    servers: int
    service_s: float
    most_pods: int  # as many as the budget holds

    def usage_cores(self, rps: float) -> float:
        """What so many requests keep busy, over all pods."""
        return rps * self.service_s

    def clamped(self, pods: int) -> int:
        return min(max(pods, 1), self.most_pods)

    def begin(self, world: World, pods: int) -> None:
        """So many are Ready and obeyed by the router from the first request on."""
        begin_with(world, self.variant, self.allocation, self.clamped(pods))

    def scale(self, world: World, pods: int) -> None:
        """As a ReplicaSet does, at once."""
        live = live_pods(world)
        for _ in range(pods - len(live)):
            world.start(self.variant, self.allocation.size)
        for pod in in_order_of_removal(live)[: max(len(live) - pods, 0)]:
            world.remove(pod)


def deployment(scenario: Scenario, variant: str, pod_cores: int) -> Deployment:
    """Of the smallest measured pods that have these cores."""
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
    """Ready pods and a Service that balances from then on; nothing is still on its way."""
    started = [world.start(variant, allocation.size, ready=True) for _ in range(pods)]
    world.route({pod.name: 1 for pod in started}, at_once=True)
    world.router.balances_evenly = True


def live_pods(world: World) -> list[SimulatedPod]:
    """Created and not about to end: what `spec.replicas` counts. Oldest first."""
    return [pod for pod in world.pods if not pod.leaving]


def in_order_of_removal(pods: list[SimulatedPod]) -> list[SimulatedPod]:
    """As a ReplicaSet: those that aren't Ready first, then those that became so last."""
    return sorted(pods, key=lambda pod: (pod.ready, -pod.ready_since_s, -pod.slot))


def started_at_s(pod: SimulatedPod) -> float:
    """Pods from before the run are old."""
    return pod.created_at_s if pod.created_at_s > 0 else LONG_AGO_S


def ready_since_s(pod: SimulatedPod) -> float:
    return pod.ready_since_s if pod.ready_since_s > 0 else LONG_AGO_S


def pods_for(needed: float, per_pod: float) -> int:
    return max(1, math.ceil(needed / per_pod - 1e-9))


def mean_over(
    mean: Callable[[float, float], float], before: float, from_s: float, to_s: float
) -> float:
    """The mean over a time that may begin before the run, when it was `before`."""
    known_s = to_s - max(from_s, 0.0)
    if known_s <= 0:
        return before
    known = mean(max(from_s, 0.0), to_s)
    return (before * (to_s - from_s - known_s) + known * known_s) / (to_s - from_s)


def no_limit(scenario: Scenario, variant: str) -> Mapping[tuple[str, int], int]:
    """A server that lets all wait."""
    return {(variant, size): MOST_WAITING for size in sizes_millicores(scenario, variant)}


def sizes_millicores(scenario: Scenario, variant: str) -> list[int]:
    return [a.cpu_millicores for a in scenario.variant(variant).allocations if a.kind == CPU]
