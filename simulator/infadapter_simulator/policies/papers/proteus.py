"""
Proteus (ASPLOS'24) on this problem: the most accurate variants that a fixed cluster can serve.

Its rule (algorithms/ilp.py): each device hosts one variant; maximise the accuracy of the served
requests, weighted by demand, subject to a throughput of 1.05 times the demand; if the cluster
cannot reach it, serve as much as possible. Devices cost nothing, so the whole budget is always
used. The demand is a moving average over windows (core/simulator.py: `ewm(com=0.7)`), evaluated
every 10 s. Here a device is a pod of a few cores, and one that changes its variant is a new pod
beside the old until it is Ready, which is more favourable than the paper's load in place.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from infadapter_simulator.policies.papers.planned import PER_MILLE, Groups, Planned
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.metrics import scraped_rates
from infadapter_simulator.world.world import World
from infadapter_solver import (
    CPU,
    Objective,
    Plan,
    PodGroup,
    Problem,
    Target,
    Variant,
    evaluate,
    solve,
)

INTERVAL_S = 10.0
WINDOWS = 20
"""Number of windows in the moving average, one interval each."""

DECAY = 0.7
MARGIN = 1.05
DEVICE_CORES = 4
"""
Cores of a device. With 2 cores the most accurate of the paper's variants serve a third less per
core.
"""


@dataclass(frozen=True, slots=True)
class ProteusRule:
    scenario: Scenario
    variants: tuple[Variant, ...]  # each with the device's size only
    _known: dict[int, Plan] = field(default_factory=dict, repr=False, compare=False)

    def first_demand_rps(self, mean_rps: float) -> float:
        return MARGIN * mean_rps

    def demand_rps(self, world: World) -> float:
        _, rates = scraped_rates(world, WINDOWS * INTERVAL_S)
        count = max(1, len(rates) // int(INTERVAL_S))
        recent = rates[-count * int(INTERVAL_S) :]
        windows = [part.mean() for part in np.array_split(recent, count)] if len(recent) else [0.0]
        weights = (DECAY / (1 + DECAY)) ** np.arange(len(windows) - 1, -1, -1)
        return MARGIN * float((weights * windows).sum() / weights.sum())

    def plan(self, demand_rps: float, running: Groups) -> Plan:
        rounded = max(1, round(demand_rps))
        if rounded not in self._known:
            self._known[rounded] = self._solved(float(rounded))
        return self._known[rounded]

    def weights_total(self, demand_rps: float) -> int:
        return PER_MILLE

    def _solved(self, demand_rps: float) -> Plan:
        problem = Problem(
            variants=self.variants,
            demand_rps=demand_rps,
            objective=Objective(
                budget=self.scenario.budget, prices=self.scenario.objective.prices, cost_weight=0.0
            ),
        )
        plan = solve(problem)
        return evaluate(problem, self._filled(plan))

    def _filled(self, plan: Plan) -> list[PodGroup]:
        """Add the unused devices, which host the most accurate variant."""
        variant = max(self.variants, key=lambda variant: variant.accuracy)
        target = Target(variant.name, CPU)
        used = sum(group.resources.get(CPU, 0) for group in plan.groups)
        left = (self.scenario.budget[CPU] - used) // variant.allocations[0].cpu_millicores
        groups = {group.target: group for group in plan.groups}
        if left > 0:
            none = PodGroup(target=target, allocation=variant.allocations[0], pods=0)
            group = groups.get(target, none)
            groups[target] = replace(group, pods=group.pods + left)
        return list(groups.values())


def proteus(scenario: Scenario, device_cores: int = DEVICE_CORES) -> Planned:
    cores = min(device_cores, scenario.budget.get(CPU, 0) // 1000)
    variants = tuple(_on_device(scenario, v, cores) for v in scenario.variants)
    rule = ProteusRule(scenario, tuple(v for v in variants if v.allocations))
    return Planned(name="proteus", rule=rule, interval_s=INTERVAL_S, first_decision_s=INTERVAL_S)


def _on_device(scenario: Scenario, variant: Variant, cores: int) -> Variant:
    """Return the variant with the device's size only, if that serves anything within the SLO."""
    if all(a.kind != CPU for a in variant.allocations):
        return replace(variant, allocations=())
    device = scenario.allocation(variant.name, 1000 * cores)
    return replace(variant, allocations=(device,) if device.capacity_rps > 0 else ())
