"""
The lower side of the bracket: a schedule that was carried out, so that its objective is reached.

A dynamic programme knows each second's requests and takes pods for fluid. How much more than the
requests it must plan for so that few wait too long is found by simulating: at first one margin for
the whole trace, then one for each block, kept where that block came out better.
"""

from dataclasses import dataclass

import numpy as np

from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.hindsight.block_worth import block_worth
from infadapter_simulator.policies.hindsight.moves import Moves, moves_of, step_s
from infadapter_simulator.policies.hindsight.pareto_plans import Plans, pareto_plans
from infadapter_simulator.policies.hindsight.programme import best_path
from infadapter_simulator.policies.hindsight.schedule import Schedule, Scheduled
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import Floats, Ints
from infadapter_simulator.world.world import World

MARGINS = (0.96, 0.98, 1.0, 1.02, 1.04, 1.07, 1.1, 1.15)
"""Times the requests that came."""

STEPS = (0.03, -0.015, 0.015, -0.03, 0.008, -0.008, 0.05, -0.008)
"""By how much margins are then moved, in turn, each in every second block."""

BLOCK_S = 30
MOST_PLANS = 200
RATES = 100
WINDOWS = (1, 5, 20, 60)
"""Steps: a plan may take part if it is among the best of a window as long as one of these."""

CHUNK = 7200
"""Steps that one programme decides on together."""


@dataclass(frozen=True, slots=True)
class Chosen:
    schedule: Schedule
    world: World
    measures: Measures


@dataclass(slots=True)
class _Tried:
    """A margin by step, and what each block came to with it."""

    margins: Floats
    worth: Floats


class Search:
    """For one workload; it keeps the best that was simulated."""

    def __init__(self, scenario: Scenario, workload: Workload, seed: int) -> None:
        self._scenario, self._workload, self._seed = scenario, workload, seed
        self._step_s = step_s(scenario)
        self._steps = int(np.ceil(workload.seconds / self._step_s))
        edges = np.arange(self._steps + 1) * self._step_s
        self._rps = np.histogram(workload.arrivals_s, bins=edges)[0] / self._step_s
        # What a unit of price costs in a second, in requests a second that are right.
        total = scenario.objective.price_of(scenario.budget) or 1.0
        mean_rps = len(workload.arrivals_s) / workload.seconds
        weights = scenario.objective.cost_weight / (scenario.objective.accuracy_weight or 1e-9)
        self._cost_weight = weights * mean_rps / total
        rates = np.unique(np.quantile(self._rps, np.linspace(0, 1, RATES)))
        every = pareto_plans(scenario, rates, self._cost_weight)
        self._plans = _promising(every, self._rps, self._cost_weight)
        self._moves: Moves = moves_of(scenario, self._plans)
        self.best: Chosen | None = None

    def run(self) -> Chosen:
        uniform = [self._try(np.full(self._steps, margin)) for margin in MARGINS]
        worth = np.array([tried.worth for tried in uniform])
        block = int(BLOCK_S / self._step_s)
        picked = np.repeat(np.array(MARGINS)[worth.argmax(axis=0)], block)[: self._steps]
        kept = self._try(picked)
        for at, change in enumerate(STEPS):
            for odd in (0, 1):
                kept = self._moved(kept, change, (odd + at) % 2, block)
        assert self.best is not None
        return self.best

    def _moved(self, kept: _Tried, change: float, odd: int, block: int) -> _Tried:
        """Each block keeps a change that did it good, the next block taken with it."""
        blocks = len(kept.worth)
        changed = np.arange(blocks) % 2 == odd
        mask = np.repeat(changed, block)[: self._steps]
        tried = self._try(kept.margins + change * mask)
        gain = tried.worth - kept.worth
        gain[:-1] += gain[1:]
        better = np.repeat(changed & (gain > 0), block)[: self._steps]
        if not better.any():
            return kept
        again = self._try(np.where(better, tried.margins, kept.margins))
        return again if again.worth.sum() > kept.worth.sum() else kept

    def _try(self, margins: Floats) -> _Tried:
        schedule = self._schedule(margins)
        policy = Scheduled(self._scenario, schedule)
        world = simulate(policy, self._scenario, self._workload, self._seed)
        found = Chosen(schedule, world, measured(world))
        if self.best is None or found.measures.objective > self.best.measures.objective:
            self.best = found
        worth = block_worth(world, BLOCK_S)
        return _Tried(margins, worth)

    def _schedule(self, margins: Floats) -> Schedule:
        path = np.zeros(0, dtype=np.int64)
        for begin in range(0, self._steps, CHUNK):
            some = slice(begin, begin + CHUNK)
            worth = self._worth(self._rps[some], margins[some])
            last = int(path[-1]) if len(path) else None
            path = np.concatenate([path, best_path(worth, self._moves, self._cost_weight, last)])
        return Schedule(plans=self._plans, path=path, loads=self._loads(path, margins))

    def _worth(self, rps: Floats, margins: Floats) -> Floats:
        served = self._plans.value(rps * margins) / margins[:, None]
        return self._step_s * (served - self._cost_weight * self._plans.price)

    def _loads(self, path: Ints, margins: Floats) -> Floats:
        """What the pods are sent: the most accurate as far as the margin allows, or all alike."""
        left = self._rps * margins
        rps = self._plans.rps[path]
        loads = np.zeros_like(rps)
        for variant in range(rps.shape[1]):
            loads[:, variant] = np.minimum(left, rps[:, variant])
            left = left - loads[:, variant]
        idle = loads.sum(axis=1) <= 0
        loads[idle] = rps[idle]
        return loads


def best_schedule(scenario: Scenario, workload: Workload, seed: int) -> Chosen:
    return Search(scenario, workload, seed).run()


def _promising(plans: Plans, rps: Floats, cost_weight: float) -> Plans:
    """Those that are among the best of a window, the most often so, and the nearest to these."""
    rates, which = np.unique(rps, return_inverse=True)
    worth = plans.value(rates) - cost_weight * plans.price
    used = np.zeros(len(plans))
    for window in WINDOWS:
        for begin in range(0, len(rps), window):
            mean = worth[which[begin : begin + window]].mean(axis=0)
            used[np.argpartition(-mean, min(3, len(mean) - 1))[:3]] += window
    behind = (worth.max(axis=1, keepdims=True) - worth).min(axis=0)
    return plans.only(np.lexsort((behind, -used))[:MOST_PLANS])
