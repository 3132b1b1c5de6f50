"""
InfAdapter as published (EuroMLSys'23, and the code its authors released).

Every 30 s, counted from the end of the last reconfiguration: the highest second of each of the last
ten minutes goes to the forecaster, its answer times 1.1 is the demand. The plan has one pod at most
of each variant, on 2 to 20 cores; a size serves what a line through the profile says, less 20 %.
Any new size is a new pod and counts as a load. Fewer requests than planned for are acted upon after
four rounds (adapter/main.py, adapter/reconfig.py). Its server queues 1.25 seconds' capacity.

Two things are better here than there: the optimum is that of the exhaustive search (the released
Gurobi model cuts plans off), and quotas go to a smooth weighted round robin (the released
dispatcher sends a small quota's requests one after the other, faster than its pod serves them).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from infadapter_simulator.policies.papers.capacity import fitted, published_limits
from infadapter_simulator.policies.papers.forecast import (
    MINUTE_S,
    MINUTES,
    Forecaster,
    last_maximum,
    minute_maxima,
    weighted_mean,
)
from infadapter_simulator.policies.papers.planned import Groups, Planned
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.metrics import scraped_rates
from infadapter_simulator.world.world import World
from infadapter_solver import (
    CPU,
    Allocation,
    Plan,
    PodGroup,
    Problem,
    Target,
    Variant,
    evaluate,
    solve,
)

INTERVAL_S, FIRST_DECISION_S = 30.0, 120.0
STABLE_ROUNDS = 4
ERROR = 1.10
"""Factor on forecasts."""


@dataclass(frozen=True, slots=True)
class PaperRule:
    """InfAdapter's rule, or with one variant at a time (`most_variants` 1) that of MS+."""

    variants: tuple[Variant, ...]  # with the rule's own capacities
    scenario: Scenario
    forecaster: Forecaster = last_maximum
    most_variants: int = 16
    _known: dict[tuple[object, ...], Plan] = field(default_factory=dict, repr=False, compare=False)

    def first_demand_rps(self, mean_rps: float) -> int:
        return int(ERROR * mean_rps)

    def demand_rps(self, world: World) -> int:
        _, rates = scraped_rates(world, MINUTES * MINUTE_S)
        if not len(rates):
            return 0
        whole = len(rates) >= MINUTES * MINUTE_S
        forecast = self.forecaster if whole else weighted_mean
        return int(ERROR * max(0.0, forecast(minute_maxima(rates))))

    def plan(self, demand_rps: float, running: Groups) -> Plan:
        key = demand_rps, tuple((g.target, g.allocation.size) for g in running)
        if key not in self._known:
            self._known[key] = self._solved(demand_rps, running)
        return self._known[key]

    def weights_total(self, demand_rps: float) -> int:
        return max(1, round(demand_rps))

    def problem(self, demand_rps: float, running: Groups = ()) -> Problem:
        return Problem(
            variants=self.variants,
            demand_rps=demand_rps,
            max_pods_per_target=1,
            max_targets=self.most_variants,
            resize_loads=True,
            running=running,
            objective=self.scenario.objective,
        )

    def _solved(self, demand_rps: float, running: Groups) -> Plan:
        problem = self.problem(demand_rps, running)
        plan = solve(problem)
        return plan if plan.feasible else evaluate(problem, (self._most_throughput(),))

    def _most_throughput(self) -> PodGroup:
        """
        Return the pod that runs if no plan serves the load: the least accurate variant at its
        largest size.
        """
        variant = min(self.variants, key=lambda variant: variant.accuracy)
        most = self.scenario.budget[CPU]
        fitting = [a for a in variant.allocations if a.cpu_millicores <= most]
        return one_pod(variant.name, max(fitting, key=lambda a: a.cpu_millicores))


def infadapter_paper(
    scenario: Scenario,
    forecaster: Forecaster = last_maximum,
    *,
    variants: Sequence[Variant] | None = None,
    start: tuple[str, int] | None = None,
    most_variants: int = 16,
    name: str = "infadapter-paper",
) -> Planned:
    """
    `variants`: with the capacities to plan with; a fit of what was measured if there are none.
    `start`: the variant and cores that run when it begins; what it would choose if there are none.
    """
    believed = tuple(variants or fitted(scenario))
    rule = PaperRule(believed, scenario, forecaster, most_variants)
    return Planned(
        name=name,
        rule=rule,
        interval_s=INTERVAL_S,
        first_decision_s=FIRST_DECISION_S,
        stable_rounds=STABLE_ROUNDS,
        start=_alone(rule, *start) if start else None,
        server=published_limits(believed),
    )


def one_pod(variant: str, allocation: Allocation) -> PodGroup:
    return PodGroup(target=Target(variant, CPU), allocation=allocation, pods=1)


def _alone(rule: PaperRule, variant: str, cores: int) -> Plan:
    """Return the plan of this pod alone, with its whole capacity."""
    known = next(v for v in rule.variants if v.name == variant)
    allocation = next(a for a in known.allocations if a.cpu_millicores == 1000 * cores)
    return evaluate(rule.problem(allocation.capacity_rps), (one_pod(variant, allocation),))
