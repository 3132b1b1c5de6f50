"""
VPA+, the InfAdapter paper's baseline: a VPA's target, carried out by an adapter of its own.

As in the paper's published code with VPA_TYPE "P": every 30 s the target, in whole cores from 2 to
20, is applied; fewer cores only after four rounds without an increase. A new size is a new pod, and
the old one is removed when that is Ready. The VPA object is as new as the run.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from infadapter_simulator.policies.kubernetes.replicas import begin_with, live_pods, no_limit
from infadapter_simulator.policies.kubernetes.vpa import Sampler, sampler, usage_cores
from infadapter_simulator.policies.kubernetes.vpa_recommender import (
    Recommender,
    flat_target_millicores,
)
from infadapter_simulator.policies.papers.patience import Patience
from infadapter_simulator.world.world import World
from infadapter_solver import CPU

ROUND_S = 30.0
CHECK_S = 0.5
"""Time between checks whether the new pod is Ready, s."""

STABLE_ROUNDS = 4
FEWEST_CORES = 2
MOST_CORES = 20


def whole_cores(millicores: int, most_cores: int = MOST_CORES) -> int:
    return min(max(math.ceil(millicores / 1000), FEWEST_CORES), most_cores)


@dataclass(slots=True, kw_only=True)
class VpaPlus:
    """
    One pod of one variant; `history_days` of the first minute's usage precede the run. It begins
    with `start_cores`, or with what the first minute needs if None. The VPA object is created
    `object_after_s` after the adapter, which was started within a round before the first request.
    `beside_s`: see `vpa.Sampler`.
    """

    variant: str
    history_days: float = 0.0
    start_cores: int | None = None
    object_after_s: float = 0.0
    beside_s: float = 0.0
    _run: "_Run | None" = field(default=None, init=False)

    @property
    def name(self) -> str:
        return f"vpa-plus-{self.variant}"

    def begin(self, world: World, mean_rps: float) -> None:
        most = world.scenario.budget.get(CPU, 0)
        cores = usage_cores(world.scenario, self.variant, mean_rps, most)
        recommender = Recommender()
        recommender.preload(cores, self.history_days, 0.0)
        most_cores = max(FEWEST_CORES, min(MOST_CORES, most // 1000))
        needed = flat_target_millicores(cores)
        first = whole_cores(1000 * (self.start_cores or 0) or needed, most_cores)
        first_round_s = float(np.random.default_rng([world.seed, 43]).uniform(0, ROUND_S))
        samples = sampler(world, self.variant, recommender, cores, self.beside_s)
        created_s = first_round_s - ROUND_S + self.object_after_s
        self._run = _Run(samples, most_cores, first, first_round_s, created_s)
        begin_with(world, self.variant, world.scenario.allocation(self.variant, 1000 * first), 1)

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
    most_cores: int
    cores: int
    round_s: float  # next decision, or next check of the new pod
    created_s: float  # creation time of the VPA object
    patience: Patience = field(default_factory=lambda: Patience(STABLE_ROUNDS))
    is_replacing: bool = False

    def next_s(self, now_s: float) -> float:
        return min(self.sampler.ticks.next_s(now_s), max(self.round_s, now_s + 1e-3))

    def act(self, world: World) -> None:
        if self.sampler.ticks.is_due(world.now_s):
            self.sampler.sample(world)
        if world.now_s < self.round_s - 1e-6:
            return
        if self.is_replacing:
            self._replace(world)
        else:
            self._decide(world)

    def _decide(self, world: World) -> None:
        self.round_s = world.now_s + ROUND_S
        recommendation = self.sampler.recommender.recommendation()
        if recommendation is None or world.now_s < self.created_s:
            return
        cores = whole_cores(recommendation.target, self.most_cores)
        if not self.patience.waits(self.cores, cores) and cores != self.cores:
            self.cores, self.is_replacing = cores, True
            variant = self.sampler.variant
            world.start(variant, world.scenario.allocation(variant, 1000 * cores).size)
            self.round_s = world.now_s + CHECK_S

    def _replace(self, world: World) -> None:
        """Replace the pod; the pause between rounds begins when the old pod is terminated."""
        *old, new = live_pods(world)
        if not new.ready:
            self.round_s = world.now_s + CHECK_S
            return
        for pod in old:
            world.remove(pod)
        self.is_replacing, self.round_s = False, world.now_s + ROUND_S
