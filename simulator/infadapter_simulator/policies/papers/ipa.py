"""
IPA (JSys'24) on this problem, a pipeline of one stage: one variant with enough replicas.

Its rule: maximise α·accuracy − β·cores, subject to the replicas' throughput reaching the demand. A
replica has its variant's base allocation: the fewest cores that serve at least 4 requests per
second (`threshold` in the authors' configurations) within the SLO. Every 10 s it forecasts the
highest second of the next 20 s from the highest of each 10 s before, without a margin
(`predictor_margin: 0`); its LSTM is replaced by the last of these. α and β are the scenario's, so
that it is comparable; batches have one request.
"""

from dataclasses import dataclass, field, replace

from infadapter_simulator.policies.papers.planned import PER_MILLE, Groups, Planned
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.metrics import scraped_rates
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Plan, Problem, Variant, solve

INTERVAL_S = 10.0
MAXIMUM_S = 10.0
THRESHOLD_RPS = 4.0


@dataclass(frozen=True, slots=True)
class IpaRule:
    scenario: Scenario
    variants: tuple[Variant, ...]  # each with its base allocation only
    _known: dict[int, Plan] = field(default_factory=dict, repr=False, compare=False)

    def first_demand_rps(self, mean_rps: float) -> float:
        return mean_rps

    def demand_rps(self, world: World) -> float:
        _, rates = scraped_rates(world, MAXIMUM_S)
        return float(rates.max()) if len(rates) else 0.0

    def plan(self, demand_rps: float, running: Groups) -> Plan:
        rounded = max(1, round(demand_rps))
        if rounded not in self._known:
            self._known[rounded] = solve(self._problem(float(rounded)))
        return self._known[rounded]

    def weights_total(self, demand_rps: float) -> int:
        return PER_MILLE

    def _problem(self, demand_rps: float) -> Problem:
        return Problem(
            variants=self.variants,
            demand_rps=demand_rps,
            max_targets=1,
            objective=replace(self.scenario.objective, loading_weight=0.0),
        )


def ipa(scenario: Scenario) -> Planned:
    variants = tuple(_on_base(variant) for variant in scenario.variants)
    rule = IpaRule(scenario, tuple(variant for variant in variants if variant.allocations))
    return Planned(name="ipa", rule=rule, interval_s=INTERVAL_S, first_decision_s=INTERVAL_S)


def _on_base(variant: Variant) -> Variant:
    able = [a for a in variant.allocations if a.kind == CPU and a.capacity_rps >= THRESHOLD_RPS]
    able.sort(key=lambda a: a.cpu_millicores)
    return replace(variant, allocations=tuple(able[:1]))
