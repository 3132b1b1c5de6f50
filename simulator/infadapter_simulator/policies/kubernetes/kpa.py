"""
Knative's autoscaler on concurrency, its default class (Knative Serving at 98e5ef90).

containerConcurrency is the number of a pod's servers; min-scale is 1, max-scale what fits the
budget. The activator is not in the path (target-burst-capacity 0), so requests wait in the pods'
queue-proxies. The rules are in kpa_rules.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from infadapter_simulator.policies.kubernetes.kpa_rules import (
    QUEUE_DEPTH,
    REPORT_S,
    SCRAPE_S,
    STABLE_S,
    TICK_S,
    Decider,
    old_first,
    scraped_pods,
    target_concurrency,
)
from infadapter_simulator.policies.kubernetes.replicas import (
    SETTINGS,
    Deployment,
    Setting,
    deployment,
    live_pods,
    mean_over,
    pods_for,
    ready_since_s,
)
from infadapter_simulator.policies.ticking import Ticker, ticker
from infadapter_simulator.world.metrics import in_system
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import CPU


@dataclass(slots=True, kw_only=True)
class Kpa:
    """One revision of a Knative service."""

    variant: str
    setting: Setting
    _run: "_Run | None" = field(default=None, init=False)

    @property
    def name(self) -> str:
        return f"kpa-{self.variant}{self.setting}"

    def begin(self, world: World, mean_rps: float) -> None:
        pods = deployment(world.scenario, self.variant, self.setting.pod_cores)
        self._run = _begun(pods, self.setting.target, mean_rps, world.seed)
        pods.begin(world, pods_for(pods.usage_cores(mean_rps), self._run.decider.target))

    def next_act_s(self, now_s: float) -> float:
        return self._run.ticks.next_s(now_s) if self._run else now_s

    def act(self, world: World) -> None:
        if self._run and self._run.ticks.is_due(world.now_s):
            self._run.tick(world)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return {
            (self.variant, a.cpu_millicores): QUEUE_DEPTH
            * world.scenario.speed(self.variant, a.size).servers
            for a in world.scenario.variant(self.variant).allocations
            if a.kind == CPU
        }


@dataclass(slots=True)
class _Run:
    pods: Deployment
    decider: Decider
    ticks: Ticker
    scrapes: Ticker
    report_age_s: float  # age of a queue-proxy's report when it is scraped
    before: float  # requests in all pods before the run
    rng: np.random.Generator
    scraped_s: float = 0.0

    def tick(self, world: World) -> None:
        ready = [pod for pod in live_pods(world) if pod.ready]
        for at_s in self.scrapes.between(self.scraped_s, world.now_s):
            self._scrape(world, [pod for pod in ready if pod.ready_since_s <= at_s], at_s)
        self.scraped_s = world.now_s
        wanted = self.decider.wanted(world.now_s, len(ready))
        if wanted is not None:
            self.pods.scale(world, self.pods.clamped(wanted))

    def _scrape(self, world: World, ready: list[SimulatedPod], at_s: float) -> None:
        """Use the last report of some pods for all of them; nothing if none is Ready."""
        if not ready:
            return
        asked = self._asked(ready, at_s)

        def concurrency(from_s: float, to_s: float) -> float:
            found = in_system(world.traffic, asked, from_s, to_s)
            return found * len(ready) / len(asked)

        end_s = at_s - self.report_age_s
        self.decider.record(at_s, mean_over(concurrency, self.before, end_s - REPORT_S, end_s))

    def _asked(self, ready: list[SimulatedPod], at_s: float) -> set[int]:
        count = scraped_pods(len(ready))
        if count == len(ready):
            return {pod.slot for pod in ready}
        shuffled = [ready[i] for i in self.rng.permutation(len(ready))]
        order = old_first([(pod.slot, ready_since_s(pod)) for pod in shuffled], at_s)
        return set(order[:count])


def _begun(pods: Deployment, utilisation: float, mean_rps: float, seed: int) -> _Run:
    """Return a run in the state after a stable window under the load of the first minute."""
    rng = np.random.default_rng([seed, 31])
    decider = Decider(target_concurrency(pods.servers, utilisation))
    before = pods.usage_cores(mean_rps)
    for second in range(-STABLE_S, 0):
        decider.record(second, before)
    return _Run(
        pods=pods,
        decider=decider,
        ticks=ticker(rng, TICK_S),
        scrapes=ticker(rng, SCRAPE_S),
        report_age_s=float(rng.uniform(0, REPORT_S)),
        before=before,
        rng=rng,
    )


def kpa_choices(variant: str) -> tuple[Kpa, ...]:
    return tuple(Kpa(variant=variant, setting=setting) for setting in SETTINGS)
