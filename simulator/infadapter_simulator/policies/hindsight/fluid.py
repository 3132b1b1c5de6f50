"""What no policy can reach: the optimum of every second, switched for nothing, with no queue."""

from dataclasses import replace

import numpy as np

from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_solver import Allocation, PodGroup, Problem, Variant, solve


def fluid_bound(scenario: Scenario, workload: Workload) -> float:
    """
    The objective if each second had the best plan for the requests that came in it, at the pods'
    full speed. Seconds with equally many requests have equal plans, so there are few to solve.
    """
    counts = np.histogram(workload.arrivals_s, bins=np.arange(workload.seconds + 1))[0]
    variants = at_full_speed(scenario)
    right, cost = 0.0, 0.0
    for rate, seconds in zip(*np.unique(counts, return_counts=True), strict=True):
        plan = solve(problem(scenario, variants, float(rate)))
        served_rps = min(sum(plan.served_rps.values()), float(rate))
        right += plan.accuracy * served_rps * seconds
        cost += plan.cost * seconds
    mean_ratio = cost / workload.seconds / (scenario.objective.price_of(scenario.budget) or 1.0)
    accuracy = right / max(len(workload.arrivals_s), 1)
    return float(
        scenario.objective.accuracy_weight * accuracy - scenario.objective.cost_weight * mean_ratio
    )


def at_full_speed(scenario: Scenario) -> tuple[Variant, ...]:
    """The variants as if every pod could be kept busy all the time."""

    def fast(variant: Variant, allocation: Allocation) -> Allocation:
        return replace(
            allocation, capacity_rps=scenario.speed(variant.name, allocation.size).most_rps
        )

    return tuple(
        replace(variant, allocations=tuple(fast(variant, a) for a in variant.allocations))
        for variant in scenario.variants
    )


def with_headroom(scenario: Scenario, headroom: float) -> tuple[Variant, ...]:
    """The variants with this share of their measured capacities."""
    return tuple(
        replace(
            variant,
            allocations=tuple(
                replace(a, capacity_rps=headroom * a.capacity_rps) for a in variant.allocations
            ),
        )
        for variant in scenario.variants
    )


def problem(
    scenario: Scenario,
    variants: tuple[Variant, ...],
    demand_rps: float,
    running: tuple[PodGroup, ...] = (),
) -> Problem:
    """The scenario's problem for one demand; what has to start costs nothing if nothing runs."""
    return Problem(
        variants=variants,
        demand_rps=demand_rps,
        running=running,
        objective=scenario.objective
        if running
        else replace(scenario.objective, loading_weight=0.0),
    )
