"""Translate a service and its running pods to the solver's problem."""

from dataclasses import replace

from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import (
    as_allocation,
    fitting,
    plus,
    ready_capacity_rps,
    running_groups,
)
from infadapter_solver import (
    Allocation,
    Plan,
    PodGroup,
    Problem,
    Resources,
    Target,
    Variant,
    evaluate,
)
from infadapter_solver import solve as solve_problem
from infadapter_solver.candidates import LEAST_DEMAND_RPS

OVERLOAD_TOLERANCE = 0.005
"""Share of the servable rate that an overloaded service may give up to keep its current pods."""


def problem_for(
    service: Service, observed: Observed, demand_rps: float, capacity_floor_rps: float = 0.0
) -> Problem:
    """
    Return the planning problem: the service less the pods that other controllers own, which stay as
    they are.

    Prices are relative to the whole budget, so that a conflict does not change them.
    """
    theirs = untouchable_pods(observed)
    return Problem(
        variants=_plannable(service.variants, observed),
        demand_rps=max(demand_rps - untouchable_rps(service, observed), LEAST_DEMAND_RPS),
        min_replicas=max(0, service.min_replicas - len(theirs)),
        running=running_groups(service, [pod for pod in observed.pods if pod not in theirs]),
        capacity_floor_rps=capacity_floor_rps,
        pod_limits=observed.pod_limits,
        objective=service.objective.within(budget_for(service, observed))
        if theirs
        else service.objective,
    )


def budget_for(service: Service, observed: Observed) -> Resources:
    """Return the budget less what untouchable pods use."""
    theirs = untouchable_pods(observed)
    return _without(service.budget, theirs) if theirs else service.budget


def solved(problem: Problem) -> Plan:
    """
    Return the best plan. If the budget cannot hold the capacity floor, as much of it as possible is
    kept; that alone does not make the plan infeasible.
    """
    plan = solve_problem(problem)
    if plan.feasible:
        return plan
    if not problem.capacity_floor_rps:
        return _best_effort(problem, plan)
    floor_rps = problem.capacity_floor_rps
    most = solve_problem(replace(problem, demand_rps=floor_rps, capacity_floor_rps=0.0))
    kept = replace(problem, capacity_floor_rps=min(floor_rps, most.capacity_rps))
    return best if (best := solve_problem(kept)).feasible else plan


def _best_effort(problem: Problem, most: Plan) -> Plan:
    """
    Return a plan that serves nearly as much as possible.

    Three pods may serve a thousandth more than one pod of their total size. In an overload no pod
    should start or shrink for that.
    """
    served_rps = sum(most.served_rps.values())
    nearly = solve_problem(replace(problem, demand_rps=served_rps * (1 - OVERLOAD_TOLERANCE)))
    return evaluate(problem, nearly.groups) if nearly.feasible else most


def untouchable_pods(observed: Observed) -> list[Pod]:
    return [pod for pod in observed.pods if pod.target in observed.untouchable]


def untouchable_rps(service: Service, observed: Observed) -> float:
    return ready_capacity_rps(service, untouchable_pods(observed))


def known_groups(
    service: Service, observed: Observed, groups: tuple[PodGroup, ...]
) -> tuple[PodGroup, ...]:
    """
    Return the groups with the current profiles' capacities; empty if one of them is no longer
    allowed.

    That is so if its variant, resource or size left the spec, if another controller owns its
    Deployment, or if its pods fail to come.
    """
    if not all(_may_stay(service, observed, group) for group in groups):
        return ()
    return tuple(_of_today(service, group) for group in groups)


def exceeds(observed: Observed, plan: Plan) -> bool:
    """Whether the plan contains pods that are known not to come."""
    return any(_is_beyond_limit(observed, group) for group in plan.groups)


def _is_beyond_limit(observed: Observed, group: PodGroup) -> bool:
    millicores = group.allocation.cpu_millicores
    too_many = group.pods > observed.pod_limits.get(group.target, group.pods)
    return too_many or millicores > observed.size_limits.get(group.target, millicores)


def adoptable(service: Service, observed: Observed) -> tuple[PodGroup, ...]:
    """
    Return the running pods as a plan, with one size per target: the one that most of its pods have.
    """
    ours = [pod for pod in observed.pods if pod.target not in observed.untouchable]
    chosen: dict[Target, PodGroup] = {}
    for group in sorted(running_groups(service, ours), key=lambda g: (g.pods, g.allocation.size)):
        pods = group.pods + (chosen[group.target].pods if group.target in chosen else 0)
        chosen[group.target] = replace(group, pods=pods)
    adopted = tuple(chosen[target] for target in sorted(chosen))
    return known_groups(service, observed, adopted)


def is_of_spec(service: Service, group: PodGroup) -> bool:
    """Whether the spec has the group's variant and size, and a budget for all resources it uses."""
    size = group.allocation.size
    return fitting(service, group.target, size) is not None and all(
        service.budget.get(name, 0) for name, n in size.resources.items() if n
    )


def _may_stay(service: Service, observed: Observed, group: PodGroup) -> bool:
    return (
        is_of_spec(service, group)
        and group.target not in observed.untouchable
        and not _is_beyond_limit(observed, group)
    )


def _of_today(service: Service, group: PodGroup) -> PodGroup:
    of_today = as_allocation(service, group.target, group.allocation.size)
    return replace(group, allocation=of_today)


def _plannable(variants: tuple[Variant, ...], observed: Observed) -> tuple[Variant, ...]:
    """
    Return the variants without targets that another controller scales, and without sizes that do
    not come.
    """
    if not (observed.untouchable or observed.size_limits):
        return variants
    return tuple(_of_plannable(variant, observed) for variant in variants)


def _of_plannable(variant: Variant, observed: Observed) -> Variant:
    return variant.of_sizes(lambda a: _may_be_planned(variant, a, observed))


def _may_be_planned(variant: Variant, allocation: Allocation, observed: Observed) -> bool:
    target = Target(variant.name, allocation.kind)
    most = observed.size_limits.get(target, allocation.cpu_millicores)
    return target not in observed.untouchable and allocation.cpu_millicores <= most


def _without(budget: Resources, pods: list[Pod]) -> Resources:
    left = dict(budget)
    for pod in pods:
        left = plus(left, pod.size.resources, -1)
    return {name: max(0, left[name]) for name in budget}
