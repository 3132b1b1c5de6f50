"""A good plan without search, which bounds the plans of the programme from below."""

import math
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from infadapter_profiles.sizes import mean_accuracy
from infadapter_solver.candidates import (
    candidates,
    most_pods,
    planning_rps,
    requirement,
    unit_cost_ratio,
)
from infadapter_solver.objective import best, evaluate
from infadapter_solver.problem import Allocation, Plan, PodGroup, Problem, Target

Groups = tuple[PodGroup, ...]


class Priced(NamedTuple):
    """A number of pods of one size, with their cost and their accuracy when they serve alone."""

    target: Target
    allocation: Allocation
    most_pods: int
    cost_ratio: float  # of one pod
    accuracy: float

    @property
    def capacity_rps(self) -> float:
        return self.most_pods * self.allocation.capacity_rps


def greedy(problem: Problem) -> Plan:
    """Return the best of: each target alone, and targets stacked by capacity per cost."""
    plans = [evaluate(problem, groups) for groups in _candidates(problem)]
    feasible = [plan for plan in plans if plan.feasible]
    if feasible:
        return best(problem, feasible)
    most_rps = max(sum(plan.served_rps.values()) for plan in plans)
    return best(problem, [p for p in plans if sum(p.served_rps.values()) >= most_rps])


def _candidates(problem: Problem) -> Iterator[Groups]:
    sizes = list(_priced(problem))
    yield ()
    yield _stacked(problem, sizes)
    for _, own in groupby(sizes, key=lambda size: size.target):
        # Sizes of one target differ in rate and cost; combining all of them would take too long.
        size = max(own, key=lambda size: _alone(problem, size))
        yield (PodGroup(target=size.target, allocation=size.allocation, pods=size.most_pods),)


def _priced(problem: Problem) -> Iterator[Priced]:
    accuracy = {variant.name: variant.accuracy for variant in problem.variants}
    for target, found in candidates(problem).items():
        for a in found:
            cost_ratio = unit_cost_ratio(problem, a)
            for pods in _numbers(problem, target, a):
                segments = a.segments(accuracy[target.variant])
                own = mean_accuracy(segments, planning_rps(problem) / pods)
                yield Priced(target, a, pods, cost_ratio, own)


def _numbers(problem: Problem, target: Target, allocation: Allocation) -> list[int]:
    """
    Return the numbers of pods that serve the whole demand at each operating point, fastest point
    first.
    """
    wanted = requirement(problem)
    most = most_pods(problem, wanted, target, allocation)
    rates = [point.capacity_ratio * allocation.capacity_rps for point in allocation.points[1:]]
    found = (math.ceil(min(wanted.capacity_rps / rps, most)) for rps in rates)
    return sorted({most, *(min(most, max(n, wanted.min_replicas)) for n in found)})


def _alone(problem: Problem, size: Priced) -> tuple[float, bool, float, float]:
    """Rank: more capacity, then enough replicas, then a higher objective, then lower cost."""
    served_rps = min(size.capacity_rps, requirement(problem).capacity_rps)
    enough = size.most_pods >= problem.min_replicas
    cost_ratio = size.most_pods * size.cost_ratio
    objective = problem.objective
    worth = objective.accuracy_weight * size.accuracy - objective.cost_weight * cost_ratio
    return served_rps, enough, worth, -cost_ratio


def _stacked(problem: Problem, sizes: list[Priced]) -> Groups:
    left = dict(problem.budget)
    short_rps = requirement(problem).capacity_rps
    groups: dict[Target, PodGroup] = {}
    for size in sorted(sizes, key=lambda size: size.cost_ratio / size.allocation.capacity_rps):
        if size.target in groups or short_rps <= 0 or len(groups) == problem.max_targets:
            continue
        use = size.allocation.resources
        pods = min(
            size.most_pods, *(left[name] // amount for name, amount in use.items() if amount)
        )
        if pods:
            group = PodGroup(target=size.target, allocation=size.allocation, pods=pods)
            groups[size.target] = group
            left = {r: n - group.resources.get(r, 0) for r, n in left.items()}
            short_rps -= group.capacity_rps
    return tuple(groups.values())
