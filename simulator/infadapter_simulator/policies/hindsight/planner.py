"""From the planned load of each step to the best schedule for it."""

from dataclasses import dataclass

import numpy as np

from infadapter_simulator.policies.hindsight.moves import moves_of, step_s
from infadapter_simulator.policies.hindsight.pareto_plans import Plans, pareto_plans
from infadapter_simulator.policies.hindsight.programme import best_path
from infadapter_simulator.policies.hindsight.schedule import Schedule
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.queues import Floats, Ints

MOST_PLANS = 200
RATES = 100
"""Number of rates at which plans near the best are searched."""

WINDOWS = (1, 5, 20, 60)
"""
Window lengths in steps: a plan is considered if it is among the best for a window of one of these.
"""

CHUNK = 7200
"""Number of steps that one programme decides together."""

NEIGHBOURS = (0.25, 0.5, 0.25)
"""Weights by which queues smooth the load over neighbouring steps."""


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """By step, the factor on the requests, and whether they are smoothed."""

    margins: Floats
    evened: Floats  # 1 or 0


class Planner:
    """The planner for one workload."""

    def __init__(self, scenario: Scenario, workload: Workload) -> None:
        self.step_s = step_s(scenario)
        self.steps = int(np.ceil(workload.seconds / self.step_s))
        edges = np.arange(self.steps + 1) * self.step_s
        self._rps = np.histogram(workload.arrivals_s, bins=edges)[0] / self.step_s
        self._evened_rps = np.convolve(np.pad(self._rps, 1, mode="edge"), NEIGHBOURS, "valid")
        self._cost_weight = _cost_weight(scenario, workload)
        rates = np.unique(np.quantile(self._rps, np.linspace(0, 1, RATES)))
        every = pareto_plans(scenario, rates, self._cost_weight)
        self._plans = _promising(every, self._rps, self._cost_weight)
        self._moves = moves_of(scenario, self._plans)

    def schedule(self, aim: Aim) -> Schedule:
        path = np.zeros(0, dtype=np.int64)
        for begin in range(0, self.steps, CHUNK):
            worth = self._worth(aim, slice(begin, begin + CHUNK))
            last = int(path[-1]) if len(path) else None
            path = np.concatenate([path, best_path(worth, self._moves, self._cost_weight, last)])
        return Schedule(plans=self._plans, path=path, loads=self._loads(path, aim.margins))

    def _worth(self, aim: Aim, steps: slice) -> Floats:
        margins = aim.margins[steps]
        rps = np.where(aim.evened[steps] > 0, self._evened_rps[steps], self._rps[steps])
        served = self._plans.value(rps * margins) / margins[:, None]
        return self.step_s * (served - self._cost_weight * self._plans.price)

    def _loads(self, path: Ints, margins: Floats) -> Floats:
        """
        Return the load sent to the pods: to the most accurate as far as the margin allows, or in
        equal shares.
        """
        left = self._rps * margins
        rps, variant = self._plans.rps[path], self._plans.variant[path]
        loads = np.zeros((len(path), int(self._plans.variant.max()) + 1))
        step = np.arange(len(path))
        for segment in range(rps.shape[1]):
            served = np.minimum(left, rps[:, segment])
            loads[step, variant[:, segment]] += served
            left = left - served
        idle = loads.sum(axis=1) <= 0
        for segment in range(rps.shape[1]):
            loads[step[idle], variant[idle, segment]] += rps[idle, segment]
        return loads


def _cost_weight(scenario: Scenario, workload: Workload) -> float:
    """Return the cost of a unit of price per second, in correctly answered requests per second."""
    aim = scenario.objective
    mean_rps = len(workload.arrivals_s) / workload.seconds
    whole = (aim.price_of(scenario.budget) or 1.0) * (aim.accuracy_weight or 1e-9)
    return aim.cost_weight * mean_rps / whole


def _promising(plans: Plans, rps: Floats, cost_weight: float) -> Plans:
    """
    Return the plans that are most often among the best of a window, and those nearest to them.
    """
    rates, which = np.unique(rps, return_inverse=True)
    worth = plans.value(rates) - cost_weight * plans.price
    used = np.zeros(len(plans))
    for window in WINDOWS:
        for begin in range(0, len(rps), window):
            mean = worth[which[begin : begin + window]].mean(axis=0)
            used[np.argpartition(-mean, min(3, len(mean) - 1))[:3]] += window
    behind = (worth.max(axis=1, keepdims=True) - worth).min(axis=0)
    return plans.only(np.lexsort((behind, -used))[:MOST_PLANS])
