"""
The candidate allocations by target: those that fit the budget and can serve.

Both solution methods start from here, so that they search the same space.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from infadapter_solver.problem import Allocation, PodGroup, Problem, Target, Variant

LEAST_DEMAND_RPS = 0.1
"""Smallest planning demand. Accuracy is a mean over requests and undefined without any."""

LEAST_CAPACITY_RPS = 1e-9
"""
Smallest capacity that counts (a request in thirty years); below it costs per request would
overflow.
"""

Candidates = dict[Target, tuple[Allocation, ...]]


def planning_rps(problem: Problem) -> float:
    return max(problem.demand_rps, LEAST_DEMAND_RPS)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a plan must reach: the problem's own requirements, or those that the budget allows."""

    served_rps: float
    floor_rps: float
    min_replicas: int

    @property
    def capacity_rps(self) -> float:
        return max(self.served_rps, self.floor_rps)


def requirement(problem: Problem) -> Requirement:
    return Requirement(planning_rps(problem), problem.capacity_floor_rps, problem.min_replicas)


def relaxed(problem: Problem, most_served_rps: float) -> tuple[Requirement, ...]:
    """
    Return the requirements of a best effort, in the order in which they are tried.

    Serving comes first; the capacity floor and then the number of replicas are kept if possible.
    """
    floor, replicas = problem.capacity_floor_rps, problem.min_replicas
    kept = ((floor, replicas), (floor, 0), (0.0, replicas), (0.0, 0))
    return tuple(Requirement(most_served_rps, *wanted) for wanted in kept)


def candidates(problem: Problem) -> Candidates:
    """
    Return allocations by target, most accurate first: the order in which traffic is filled.

    An allocation that cannot serve a single request within the SLO is excluded, since it would
    count as a replica.
    """
    found: dict[Target, list[Allocation]] = {}
    for variant in by_accuracy(problem):
        for allocation in sorted(variant.allocations, key=lambda a: a.kind):
            target = Target(variant.name, allocation.kind)
            if _may_run(problem, allocation) and problem.pod_limits.get(target) != 0:
                found.setdefault(target, []).append(allocation)
    return {target: tuple(allocations) for target, allocations in found.items()}


def by_accuracy(problem: Problem) -> list[Variant]:
    return sorted(problem.variants, key=lambda v: (-v.accuracy, v.name))


def most_pods(problem: Problem, wanted: Requirement, target: Target, allocation: Allocation) -> int:
    """
    Return the largest useful number of pods of one size: more do not fit, are not allowed, or add
    nothing.
    """
    fit = min(
        problem.budget[name] // amount for name, amount in allocation.resources.items() if amount
    )
    best_rps = max(allocation.best_rps, LEAST_CAPACITY_RPS)
    enough = math.ceil(min(wanted.capacity_rps / best_rps, fit))
    return min(
        fit,
        max(enough, wanted.min_replicas),
        problem.max_pods_per_target or fit,
        problem.pod_limits.get(target, fit),
    )


def has_points(problem: Problem) -> bool:
    """Whether some pod may answer with another accuracy than its variant's."""
    return any(
        point.accuracy != variant.accuracy
        for variant in problem.variants
        for allocation in variant.allocations
        for point in allocation.points
    )


def unit_cost_ratio(problem: Problem, allocation: Allocation) -> float:
    """Return the cost of one pod as a share of the cost of the whole budget."""
    price_of = problem.objective.price_of
    return price_of(allocation.resources) / (price_of(problem.budget) or math.inf)


def pods_at_hand(problem: Problem, target: Target, allocation: Allocation) -> int:
    """
    Return how many running pods of the target have this allocation or can be resized to it in
    place.

    Only CPU is resized in place; another number of GPUs or another batch size needs a new pod. In
    the paper every other size does (`resize_loads`).
    """
    return sum(
        group.pods
        for group in problem.running
        if group.target == target and _same_pod(problem, group.allocation, allocation)
    )


def running_groups(problem: Problem) -> tuple[PodGroup, ...]:
    """Return the running pods with profiled capacities; empty if no plan could contain them."""
    variants = {variant.name: variant for variant in problem.variants}
    groups = []
    for group in active(problem.running):
        variant = variants.get(group.target.variant)
        sizes = (
            [a for a in variant.allocations if a.size == group.allocation.size] if variant else []
        )
        if not sizes or not _may_run(problem, sizes[0]):
            return ()
        groups.append(replace(group, allocation=sizes[0]))
    one_size_each = len({group.target for group in groups}) == len(groups)
    return tuple(groups) if one_size_each else ()


def longest_load_s(problem: Problem) -> float:
    return max((variant.load_time_s for variant in problem.variants), default=0.0)


def active(groups: tuple[PodGroup, ...]) -> Iterator[PodGroup]:
    return (group for group in groups if group.pods > 0)


def _same_pod(problem: Problem, has: Allocation, wants: Allocation) -> bool:
    if problem.resize_loads:
        return has.size == wants.size
    return has.size.but_cpu == wants.size.but_cpu


def _may_run(problem: Problem, allocation: Allocation) -> bool:
    return allocation.capacity_rps >= LEAST_CAPACITY_RPS and all(
        0 < problem.budget.get(name, 0) >= amount
        for name, amount in allocation.resources.items()
        if amount
    )
