"""CPU utilisation as an HPA sees it through metrics-server."""

from dataclasses import dataclass, field

import numpy as np

from infadapter_simulator.policies.kubernetes.hpa_rules import PodSeen, Usage, cpu_proposal
from infadapter_simulator.policies.kubernetes.metrics_server import (
    RESOLUTION_S,
    Container,
    container,
)
from infadapter_simulator.policies.kubernetes.replicas import (
    Deployment,
    live_pods,
    mean_over,
    pods_for,
    ready_since_s,
    started_at_s,
)
from infadapter_simulator.policies.ticking import Ticker, ticker
from infadapter_simulator.world.metrics import busy_cores
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World


@dataclass(slots=True)
class CpuUtilisation:
    """The resource metric "cpu", as metrics-server shows it."""

    pods: Deployment
    target: float
    before_cores: float  # usage of one pod before the run
    seed: int
    scrapes: Ticker
    scraped_s: float = 0.0
    containers: dict[int, Container] = field(default_factory=dict)

    def first_pods(self, mean_rps: float) -> int:
        return pods_for(self.pods.usage_cores(mean_rps), self.target * self.pods.servers)

    def proposal(self, world: World) -> int | None:
        live = live_pods(world)
        self._scrape(world, live)
        seen = [self._seen(world, pod) for pod in live]
        return cpu_proposal(seen, round(100 * self.target), len(live), world.now_s)

    def _scrape(self, world: World, live: list[SimulatedPod]) -> None:
        """Process the scrapes of metrics-server since the last sync."""
        self.containers = {pod.slot: self._container(world, pod) for pod in live}
        for at_s in self.scrapes.between(self.scraped_s, world.now_s):
            for one in self.containers.values():
                one.scrape(at_s)
        self.scraped_s = world.now_s

    def _container(self, world: World, pod: SimulatedPod) -> Container:
        if pod.slot in self.containers:
            return self.containers[pod.slot]
        rng = np.random.default_rng([self.seed, 23, pod.slot])
        return container(started_at_s(pod) + world.scenario.start_overhead_s, rng)

    def _seen(self, world: World, pod: SimulatedPod) -> PodSeen:
        runs_s = world.now_s - started_at_s(pod) - world.scenario.start_overhead_s
        return PodSeen(
            pending=runs_s < 0,
            request_millicores=pod.size.cpu_millicores,
            started_at_s=started_at_s(pod),
            ready=pod.ready,
            ready_since_s=ready_since_s(pod),
            was_ready=ready_since_s(pod) >= started_at_s(pod),
            usage=self._usage(world, pod),
        )

    def _usage(self, world: World, pod: SimulatedPod) -> Usage | None:
        window = self.containers[pod.slot].window
        if window is None:
            return None
        from_s, to_s = window

        def busy(from_s: float, to_s: float) -> float:
            return busy_cores(world.traffic, pod.slot, from_s, to_s)

        cores = mean_over(busy, self.before_cores, from_s, to_s)
        return Usage(millicores=int(1000 * cores), window_s=to_s - from_s, at_s=to_s)


def cpu_utilisation(
    world: World, pods: Deployment, target: float, mean_rps: float
) -> CpuUtilisation:
    rng = np.random.default_rng([world.seed, 22])
    scrapes = ticker(rng, RESOLUTION_S)
    metric = CpuUtilisation(pods, target, 0.0, world.seed, scrapes, scrapes.phase_s - 60.0)
    first = pods.clamped(metric.first_pods(mean_rps))
    metric.before_cores = min(pods.usage_cores(mean_rps) / first, float(pods.servers))
    return metric
