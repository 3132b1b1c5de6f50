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

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from infadapter_simulator.policies.planned import Groups, Planned, QueueLimits
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats
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
    to_variant,
)

INTERVAL_S, FIRST_DECISION_S = 30.0, 120.0
STABLE_ROUNDS = 4
MINUTE_S, MINUTES = 60, 10
ERROR = 1.10
"""What forecasts are multiplied by."""

SPAN = 10
"""Of the exponentially weighted mean that stands in until ten minutes have been seen."""

HEADROOM = 0.8
FEWEST_MILLICORES = 2000
FITTED_CORES = (1, 2, 4, 8, 16)
QUEUED_S = 1.25

Forecaster = Callable[[Floats], float]
"""From the highest rates of the last ten minutes, the latest last, to that of the next one."""


def last_maximum(maxima: Floats) -> float:
    return float(maxima[-1])


def weighted_mean(maxima: Floats) -> float:
    """As `ewm(span=10).mean()` of pandas ends."""
    weights = (1 - 2 / (SPAN + 1)) ** np.arange(len(maxima) - 1, -1, -1)
    return float((weights * maxima).sum() / weights.sum())


def minute_maxima(rates: Floats) -> Floats:
    """Of whole minutes up to now; of a first one that is not whole, what there is."""
    minutes = max(1, len(rates) // MINUTE_S)
    recent = rates[-minutes * MINUTE_S :]
    return np.array([part.max() for part in np.array_split(recent, minutes)])


@dataclass(frozen=True, slots=True)
class PaperRule:
    """InfAdapter's, or with one variant at a time (`most_variants` 1) that of MS+."""

    variants: tuple[Variant, ...]  # with the capacities that it believes in
    scenario: Scenario
    forecaster: Forecaster = last_maximum
    most_variants: int = 16
    _known: dict[tuple[object, ...], Plan] = field(default_factory=dict, repr=False, compare=False)

    def first_demand_rps(self, mean_rps: float) -> int:
        return int(ERROR * mean_rps)

    def demand_rps(self, world: World) -> int:
        _, rates = world.rates(MINUTES * MINUTE_S)
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
            budget=self.scenario.budget,
            prices=self.scenario.prices,
            accuracy_weight=self.scenario.accuracy_weight,
            cost_weight=self.scenario.cost_weight,
            loading_weight=self.scenario.loading_weight,
            max_pods_per_target=1,
            max_targets=self.most_variants,
            resize_loads=True,
            running=running,
        )

    def _solved(self, demand_rps: float, running: Groups) -> Plan:
        problem = self.problem(demand_rps, running)
        plan = solve(problem)
        return plan if plan.feasible else evaluate(problem, (self._most_throughput(),))

    def _most_throughput(self) -> PodGroup:
        """What runs when nothing serves the load: the least accurate variant, as large as can be."""
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


def fitted(scenario: Scenario) -> tuple[Variant, ...]:
    """
    The scenario's variants on CPU, with what the paper's linear capacity model says of each size
    (train_capacity_models.py). Sizes below two cores are left out where there are larger ones.
    """
    whole = {
        name: to_variant(profile, scenario.slo_s, scenario.percentile)
        for name, profile in scenario.profiles.items()
    }
    found = (_fitted(v, whole.get(v.name, v)) for v in scenario.variants)
    return tuple(variant for variant in found if variant.allocations)


def published_limits(variants: Sequence[Variant]) -> QueueLimits:
    """`max_enqueued_batches` of the paper's TensorFlow Serving."""
    return {
        (variant.name, a.cpu_millicores): int(QUEUED_S * a.capacity_rps)
        for variant in variants
        for a in variant.allocations
    }


def one_pod(variant: str, allocation: Allocation) -> PodGroup:
    return PodGroup(target=Target(variant, CPU), allocation=allocation, pods=1)


def _alone(rule: PaperRule, variant: str, cores: int) -> Plan:
    """This one pod, with all that it can serve."""
    known = next(v for v in rule.variants if v.name == variant)
    allocation = next(a for a in known.allocations if a.cpu_millicores == 1000 * cores)
    return evaluate(rule.problem(allocation.capacity_rps), (one_pod(variant, allocation),))


def _fitted(variant: Variant, measured: Variant) -> Variant:
    points = _on_cpu(measured)
    usual = [a for a in points if a.cpu_millicores / 1000 in FITTED_CORES]
    line = _line(usual if len(usual) > 1 else points)
    sizes = _on_cpu(variant)
    sizes = [a for a in sizes if a.cpu_millicores >= FEWEST_MILLICORES] or sizes
    believed = (replace(a, capacity_rps=line(a.cpu_millicores / 1000)) for a in sizes)
    return replace(variant, allocations=tuple(a for a in believed if a.capacity_rps > 0))


def _line(points: Sequence[Allocation]) -> Callable[[float], float]:
    """Its intercept is cut off towards zero and never positive, as `int(min(intercept, 0.99))`."""
    cores = np.array([a.cpu_millicores / 1000 for a in points])
    rps = np.array([a.capacity_rps for a in points])
    if len(points) > 1:
        slope, intercept = np.polyfit(cores, rps, 1)
    else:
        slope, intercept = (rps / cores).sum(), 0.0
    cut = int(min(intercept, 0.99))
    return lambda n: float(max(0, math.floor(HEADROOM * (slope * n + cut) + 1e-9)))


def _on_cpu(variant: Variant) -> list[Allocation]:
    """One for each number of cores."""
    cpu = [a for a in variant.allocations if a.kind == CPU]
    batch = min((a.batch_size for a in cpu), default=1)
    return [a for a in cpu if a.batch_size == batch]
