"""From what a schedule plans for, step by step, to the best schedule for that."""

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
"""At so many rates it is looked which plans are near the best."""

WINDOWS = (1, 5, 20, 60)
"""Steps: a plan may take part if it is among the best of a window as long as one of these."""

CHUNK = 7200
"""Steps that one programme decides on together."""

NEIGHBOURS = (0.25, 0.5, 0.25)
"""What queues even out between steps."""


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """By step: times the requests that come, and whether as they come or evened out."""

    margins: Floats
    evened: Floats  # 1 or 0


class Planner:
    """For one workload."""

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
        """What the pods are sent: the most accurate as far as the margin allows, or all alike."""
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
    """What a unit of price costs in a second, in requests a second that are right."""
    aim = scenario.objective
    mean_rps = len(workload.arrivals_s) / workload.seconds
    whole = (aim.price_of(scenario.budget) or 1.0) * (aim.accuracy_weight or 1e-9)
    return aim.cost_weight * mean_rps / whole


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
