"""
The stabilisation window: after a fall in load, running pods may stay, shrink or be dropped.

The window only keeps pods, it never moves them. Nothing is started and no variant exchanged because
of it: a plan whose pods have yet to start is dropped when its load is over.
"""

from collections.abc import Collection
from dataclasses import replace

from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.planning.capacity import fits, pods_by_target, running_groups
from infadapter_operator.planning.hysteresis import CurrentPlan
from infadapter_operator.planning.slack import slack_rps
from infadapter_solver import Plan, PodGroup, Problem, Variant, evaluate, solve
from infadapter_solver.problem import Allocation, Target


def stabilized(before: CurrentPlan) -> Plan | None:
    """
    Return the best plan of running pods for the window's demand, or for as much of it as they
    serve.

    None if the running pods do not even serve the current demand.
    """
    groups = kept_groups(before)
    if not groups:
        return None
    problem = of_these(before.problem(before.demand.kept_rps), groups, before.observed)
    best = solve(problem)
    if not best.feasible:
        served_rps = sum(best.served_rps.values())
        problem = replace(problem, demand_rps=served_rps * (1 - 1e-9), capacity_floor_rps=0.0)
        best = evaluate(problem, best.groups)
    if not best.feasible or best.capacity_rps < before.least_rps:
        return None
    return before.kept_for(problem, best) if groups is before.groups else best


def kept_groups(before: CurrentPlan) -> tuple[PodGroup, ...]:
    """Return the plan's pods if they all run, else the running ones."""
    running = running_groups(before.service, _ours(before.observed))
    there = pods_by_target(running)
    if before.groups and all(g.pods <= there.get(g.target, 0) for g in before.groups):
        return before.groups
    return running


def _ours(observed: Observed) -> list[Pod]:
    return [pod for pod in observed.pods if pod.target not in observed.untouchable]


def of_these(problem: Problem, groups: tuple[PodGroup, ...], observed: Observed) -> Problem:
    """Return the problem restricted to these pods, at their size or a smaller one."""
    limits = pods_by_target(groups)
    for target, pods in observed.pod_limits.items():
        limits[target] = min(pods, limits.get(target, 0))
    variants = tuple(_at_most(variant, groups) for variant in problem.variants)
    return replace(problem, variants=variants, pod_limits=limits)


def _at_most(variant: Variant, groups: tuple[PodGroup, ...]) -> Variant:
    own = [group for group in groups if group.target.variant == variant.name]
    return variant.of_sizes(lambda a: any(_is_within(a, group) for group in own))


def _is_within(allocation: Allocation, group: PodGroup) -> bool:
    has = group.allocation
    same_kind = allocation.kind == group.target.kind and allocation.batch_size == has.batch_size
    return same_kind and fits(allocation.resources, has.resources)


def lasting_in_place(before: CurrentPlan, floor_rps: float) -> Plan:
    """
    Return the best plan that starts nothing, with the slack of any new plan if possible; without
    slack it would soon be outgrown.
    """
    rps = before.demand.rps
    plan = _in_place(before, rps + slack_rps(rps), floor_rps)
    return plan if plan.feasible else _in_place(before, rps, floor_rps)


def _in_place(before: CurrentPlan, demand_rps: float, floor_rps: float) -> Plan:
    """Return the best plan of running and loading pods, resized as needed."""
    problem = before.problem(demand_rps, floor_rps)
    return solve(of_running(problem))


def of_running(problem: Problem) -> Problem:
    """Return the problem restricted to the existing pods, at any size."""
    there = pods_by_target(problem.running)
    limits = {t: min(n, problem.pod_limits.get(t, n)) for t, n in there.items()}
    variants = tuple(_of_targets(variant, there) for variant in problem.variants)
    return replace(problem, variants=variants, pod_limits=limits)


def _of_targets(variant: Variant, targets: Collection[Target]) -> Variant:
    return variant.of_sizes(lambda a: Target(variant.name, a.kind) in targets)
