"""
The Vertical Pod Autoscaler as published: recommender and updater (VPA 1.7.1), one pod, CPU only.

Mode InPlaceOrRecreate, minReplicas 1, limits equal to requests, maxAllowed the budget. Its updater
(updater/priority/update_priority_calculator.go) changes a pod whose request is outside the bounds,
or that is 12 h old and differs by 10 % from the target. A pod gets the next measured size above its
request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from infadapter_simulator.policies.kubernetes.replicas import (
    begin_with,
    live_pods,
    mean_over,
    no_limit,
    ready_since_s,
)
from infadapter_simulator.policies.kubernetes.vpa_recommender import (
    DAY_S,
    SAMPLE_S,
    Recommendation,
    Recommender,
    flat_target_millicores,
)
from infadapter_simulator.policies.ticking import Ticker, ticker
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.metrics import busy_cores
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import CPU

UPDATER_S = 60.0
WINDOW_S = 15.0
"""Window of the usage that metrics-server shows to the recommender, s."""

OLD_S = 12 * 3600.0
LEAST_CHANGE = 0.1


def moves(request_millicores: int, recommendation: Recommendation, age_s: float) -> bool:
    """Whether the updater applies the target to a pod."""
    if not recommendation.lower <= request_millicores <= recommendation.upper:
        return True
    change = abs(request_millicores - recommendation.target) / request_millicores
    return age_s >= OLD_S and change >= LEAST_CHANGE


@dataclass(slots=True)
class Sampler:
    """
    Feeds a recommender with the pods' usage: that of requests, and with each of them `beside_s`
    core-seconds outside the model, such as spinning idle threads and decoding. The latter shrinks
    when no core is left, since the profile was measured on full pods with all their work.
    """

    variant: str
    recommender: Recommender
    ticks: Ticker
    scrapes: Ticker
    before_cores: float  # usage of one pod before the run
    beside_s: float = 0.0

    def sample(self, world: World) -> None:
        end_s = self.scrapes.last_s(world.now_s)
        for pod in live_pods(world):
            if not pod.ready or end_s - WINDOW_S < ready_since_s(pod):
                continue  # CPU used by loading is not simulated

            def busy(from_s: float, to_s: float, slot: int = pod.slot) -> float:
                return busy_cores(world.traffic, slot, from_s, to_s)

            cores = mean_over(busy, self.before_cores, end_s - WINDOW_S, end_s)
            self.recommender.add(self._with_beside(world.scenario, pod, cores), end_s)

    def _with_beside(self, scenario: Scenario, pod: SimulatedPod, busy_cores: float) -> float:
        rps = busy_cores / scenario.speed(self.variant, pod.size).service_s
        return min(busy_cores + self.beside_s * rps, max(busy_cores, pod.cores))


def sampler(
    world: World,
    variant: str,
    recommender: Recommender,
    before_cores: float,
    beside_s: float = 0.0,
) -> Sampler:
    rng = np.random.default_rng([world.seed, 41])
    ticks, scrapes = ticker(rng, SAMPLE_S), ticker(rng, WINDOW_S)
    return Sampler(variant, recommender, ticks, scrapes, before_cores, beside_s)


def usage_cores(scenario: Scenario, variant: str, rps: float, most_millicores: int) -> float:
    """Return the usage of one pod that serves the whole rate, if it has enough cores."""
    speed = scenario.speed(variant, scenario.allocation(variant, most_millicores).size)
    return min(rps * speed.service_s, float(speed.servers))


@dataclass(slots=True, kw_only=True)
class Vpa:
    """
    One pod that is resized in place. `history_days` of the first minute's usage precede the run;
    with 0 the pod is as new as the VPA, though of the size that the VPA would have chosen.
    """

    variant: str
    history_days: float = 8.0
    half_life_s: float = DAY_S
    _run: "_Run | None" = field(default=None, init=False)

    @property
    def name(self) -> str:
        return f"vpa-{self.variant}" if self.history_days else f"vpa-cold-{self.variant}"

    def begin(self, world: World, mean_rps: float) -> None:
        most = world.scenario.budget.get(CPU, 0)
        cores = usage_cores(world.scenario, self.variant, mean_rps, most)
        recommender = Recommender(half_life_s=self.half_life_s)
        recommender.preload(cores, self.history_days, 0.0)
        first = min(flat_target_millicores(cores), most)
        rng = np.random.default_rng([world.seed, 42])
        self._run = _Run(
            sampler=sampler(world, self.variant, recommender, cores),
            updates=ticker(rng, UPDATER_S),
            most_millicores=most,
            request_millicores=first,
            started_at_s=-OLD_S if self.history_days else 0.0,
        )
        begin_with(world, self.variant, world.scenario.allocation(self.variant, first), 1)

    def next_act_s(self, now_s: float) -> float:
        return self._run.next_s(now_s) if self._run else now_s

    def act(self, world: World) -> None:
        if self._run:
            self._run.act(world)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return no_limit(world.scenario, self.variant)


@dataclass(slots=True)
class _Run:
    sampler: Sampler
    updates: Ticker
    most_millicores: int
    request_millicores: int
    started_at_s: float  # unchanged by an in-place resize

    def next_s(self, now_s: float) -> float:
        return min(self.sampler.ticks.next_s(now_s), self.updates.next_s(now_s))

    def act(self, world: World) -> None:
        if self.sampler.ticks.is_due(world.now_s):
            self.sampler.sample(world)
        if self.updates.is_due(world.now_s):
            self._update(world)

    def _update(self, world: World) -> None:
        recommendation = self.sampler.recommender.recommendation(self.most_millicores)
        age_s = world.now_s - self.started_at_s
        if recommendation is None or not moves(self.request_millicores, recommendation, age_s):
            return
        self.request_millicores = recommendation.target
        variant = self.sampler.variant
        for pod in live_pods(world):
            world.resize(pod, world.scenario.allocation(variant, recommendation.target).size)
