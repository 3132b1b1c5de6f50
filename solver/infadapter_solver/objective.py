"""
Evaluate a set of pods: the only place where traffic is filled and the objective computed.

Every plan is made here, whatever method found its pods. So methods can be compared to the last
digit, and running pods are valued by the same rule as planned ones.
"""

from collections.abc import Iterable
from dataclasses import replace

from infadapter_solver.candidates import (
    Requirement,
    active,
    longest_load_s,
    planning_rps,
    pods_at_hand,
    requirement,
    running_groups,
)
from infadapter_solver.check import InvalidProblem
from infadapter_solver.problem import Plan, PodGroup, Problem, Target

TIE = 1e-6
"""
Objectives closer than this count as equal: then running pods stay, and after that the cheaper plan
wins.
"""

ROUNDING = 1e-9
"""Relative tolerance for sums of rates in comparisons with the demand."""

Served = dict[tuple[Target, float], float]
"""Rates by target and by the marginal accuracy of the segment."""


def evaluate(problem: Problem, groups: Iterable[PodGroup]) -> Plan:
    """
    Return the plan that consists of these pods, feasible or not.

    Traffic fills the most accurate pods first, each up to its capacity, which is optimal for given
    pods. With operating points, segments are filled in the order of their marginal accuracy. A plan
    that breaks a constraint has no objective; its `score` still ranks it.
    """
    filled = _by_accuracy(problem, groups)
    served = _fill(problem, filled, planning_rps(problem))
    price_of = problem.objective.price_of
    total_cost = sum(price_of(group.resources) for group in filled)
    plan = Plan(
        groups=filled,
        served_rps=_by_target(filled, served),
        accuracy=_mean_accuracy(served),
        cost=total_cost,
        cost_ratio=total_cost / (price_of(problem.budget) or 1.0),
        loading_s=_loading_s(problem, filled),
        objective=None,
        feasible=False,
    )
    if broken(problem, plan):
        return plan
    return replace(plan, objective=score(problem, plan), feasible=True)


def score(problem: Problem, plan: Plan) -> float:
    """Return the objective over what is served; for a feasible plan that is its objective."""
    longest_s = longest_load_s(problem)
    loading = plan.loading_s / longest_s if longest_s else 0.0
    return (
        problem.objective.accuracy_weight * plan.accuracy
        - problem.objective.cost_weight * plan.cost_ratio
        - problem.objective.loading_weight * loading
    )


def starts(problem: Problem, group: PodGroup) -> int:
    """Return how many pods of this group must start. Pods resized in place do not start."""
    return max(0, group.pods - pods_at_hand(problem, group.target, group.allocation))


def broken(problem: Problem, plan: Plan, wanted: Requirement | None = None) -> list[str]:
    """Return the constraints that the plan breaks, each as a phrase with its numbers."""
    wanted = wanted or requirement(problem)
    pods = sum(group.pods for group in plan.groups)
    targets = len({group.target for group in plan.groups})
    capacity_rps = plan.capacity_rps
    found = list(_over_budget(problem, plan))
    if not reaches(capacity_rps, wanted.served_rps):
        found.append(f"capacity {capacity_rps:g} rps of the {wanted.served_rps:g} rps wanted")
    if not reaches(capacity_rps, wanted.floor_rps):
        found.append(f"capacity {capacity_rps:g} rps below the {wanted.floor_rps:g} rps before")
    if pods < wanted.min_replicas:
        found.append(f"{pods} of at least {wanted.min_replicas} pods")
    if targets > problem.max_targets:
        found.append(f"{targets} of at most {problem.max_targets} variants and kinds")
    if any(group.pods > (problem.max_pods_per_target or group.pods) for group in plan.groups):
        found.append(f"more than {problem.max_pods_per_target} pods of one variant and kind")
    found.extend(_over_limits(problem, plan))
    return found


def reaches(capacity_rps: float, wanted_rps: float) -> bool:
    return capacity_rps >= wanted_rps * (1 - ROUNDING)


def best(problem: Problem, plans: Iterable[Plan]) -> Plan:
    """
    Return the best of equally feasible plans. Ties are broken deterministically: running pods, then
    lower cost, fewer variants, fewer starts, names and sizes.
    """
    scored = [(score(problem, plan), plan) for plan in plans]
    top = max(value for value, _ in scored)
    ties = [plan for value, plan in scored if value >= top - TIE]
    return min(ties, key=lambda plan: _preference(problem, plan))


def running_plan(problem: Problem, wanted: Requirement) -> list[Plan]:
    """Return the running pods as a plan if they meet the requirement, else an empty list."""
    groups = running_groups(problem)
    if not groups:
        return []
    plan = evaluate(problem, groups)
    return [] if broken(problem, plan, wanted) else [plan]


def _preference(problem: Problem, plan: Plan) -> tuple[object, ...]:
    started = sum(starts(problem, group) for group in plan.groups)
    running = _shape(plan.groups) == _shape(problem.running)
    models = len({group.target for group in plan.groups})
    return (not running, round(plan.cost, 9), models, started, _shape(plan.groups))


def _shape(groups: tuple[PodGroup, ...]) -> list[tuple[object, ...]]:
    return sorted((group.target, group.allocation.size, group.pods) for group in active(groups))


def _by_accuracy(problem: Problem, groups: Iterable[PodGroup]) -> tuple[PodGroup, ...]:
    accuracy = {variant.name: variant.accuracy for variant in problem.variants}
    kept = list(active(tuple(groups)))
    unknown = sorted({group.target.variant for group in kept} - set(accuracy))
    if unknown:
        raise InvalidProblem(f"pods of {', '.join(unknown)}, which is no variant of the problem")
    return tuple(
        sorted(kept, key=lambda g: (-accuracy[g.target.variant], g.target, g.allocation.size))
    )


def _fill(problem: Problem, groups: tuple[PodGroup, ...], demand_rps: float) -> Served:
    variants = {variant.name: variant for variant in problem.variants}
    segments = [
        (segment.accuracy, group.target, group.pods * segment.rps)
        for group in groups
        for segment in variants[group.target.variant].segments(group.allocation)
    ]
    served: Served = {}
    left = demand_rps
    for accuracy, target, rps in sorted(segments, key=lambda segment: -segment[0]):
        taken = min(rps, left)
        served[target, accuracy] = served.get((target, accuracy), 0.0) + taken
        left -= taken
    return served


def _by_target(groups: tuple[PodGroup, ...], served: Served) -> dict[Target, float]:
    found = dict.fromkeys((group.target for group in groups), 0.0)
    for (target, _), rps in served.items():
        found[target] += rps
    return found


def _mean_accuracy(served: Served) -> float:
    total = sum(served.values())
    if not total:
        return 0.0
    return sum(accuracy * rps for (_, accuracy), rps in served.items()) / total


def _loading_s(problem: Problem, groups: tuple[PodGroup, ...]) -> float:
    load_s = {variant.name: variant.load_time_s for variant in problem.variants}
    return max((load_s[g.target.variant] for g in groups if starts(problem, g)), default=0.0)


def _over_limits(problem: Problem, plan: Plan) -> Iterable[str]:
    for target, limit in problem.pod_limits.items():
        pods = sum(group.pods for group in plan.groups if group.target == target)
        if pods > limit:
            yield f"{pods} of at most {limit} pods of {target.variant} on {target.kind}"


def _over_budget(problem: Problem, plan: Plan) -> Iterable[str]:
    used: dict[str, int] = {}
    for group in plan.groups:
        for name, amount in group.resources.items():
            used[name] = used.get(name, 0) + amount
    return (
        f"{amount} {name} of {problem.budget.get(name, 0)}"
        for name, amount in used.items()
        if amount > problem.budget.get(name, 0)
    )
