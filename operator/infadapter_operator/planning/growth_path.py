"""
The growth path of a plan: what its pods can serve at most through in-place resizes alone.

A resize takes a second and a start ten. If slow, accurate variants fill the budget, a load that
keeps rising is met by releasing serving pods to make room for a start. So, unless the surge has
room, a plan that serves more than the one before contains a pod that can take over in place. After
an outgrown plan this applies only if it releases no more serving capacity (`choice.py`).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, product

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import plus, pods_by_target, resizable
from infadapter_operator.planning.problem import budget_for, problem_for
from infadapter_operator.planning.slack import with_noise
from infadapter_operator.planning.stabilization import of_running
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import Plan, PodGroup, Problem, TooLarge, evaluate, solve
from infadapter_solver.candidates import LEAST_DEMAND_RPS
from infadapter_solver.problem import Resources, Target, Variant

FAR_ENOUGH = 0.98
"""Share of what the budget can serve at most that a growth path must reach."""

MOST_KNOWN = 4096
"""
Limits that are cached. A service that runs for months sees ever new combinations of pods and room.
"""

ROUNDED_UP = 1.0001
"""Relative accuracy to which the largest servable rate is known."""

NOTHING: Resources = {}
_MORE_THAN_ANY_RPS = 1e6


def with_growth_path(best: Plan, switch: Switch) -> Plan:
    """
    Return the best plan, or the most valuable one with a standby whose growth path reaches far
    enough.
    """
    service, observed = switch.service, switch.observed
    everything = problem_for(service, observed, _MORE_THAN_ANY_RPS)
    wanted_rps = FAR_ENOUGH * _served_rps(everything)
    if _served_rps(_beside_plan(everything, service.max_surge, best)) >= wanted_rps:
        return best  # every replacement can start beside it
    reached_rps = vertical_limit_rps(service, observed, best.groups)
    if reached_rps >= wanted_rps:
        return best
    limits = [
        (vertical_limit_rps(service, observed, plan.groups), plan) for plan in with_standby(switch)
    ]
    far = [plan for limit_rps, plan in limits if limit_rps >= wanted_rps]
    if far:
        return max(far, key=switch.worth)
    limit_rps, plan = max(limits, key=lambda one: one[0], default=(0.0, best))
    return plan if limit_rps > reached_rps else best


def vertical_limit_rps(
    service: Service, observed: Observed, groups: tuple[PodGroup, ...], beside: Resources = NOTHING
) -> float:
    """
    Return the most that these pods can serve at any sizes for which budget and surge have room,
    while `beside` is held by others.
    """
    budget = budget_for(service, observed)
    room = {
        name: max(0, amount - beside.get(name, 0))
        for name, amount in plus(budget, service.max_surge).items()
    }
    known = service.derived.of(service.variants).limits_rps
    pods = frozenset((group.target, group.allocation.size.but_cpu, group.pods) for group in groups)
    sizes = frozenset(observed.size_limits.items())
    key = (pods, frozenset(room.items()), observed.untouchable, sizes)
    if key not in known:
        if len(known) >= MOST_KNOWN:
            known.clear()
        everything = problem_for(service, observed, _MORE_THAN_ANY_RPS)
        known[key] = _limit_rps(everything, room, groups)
    return known[key]


def _limit_rps(everything: Problem, room: Resources, groups: tuple[PodGroup, ...]) -> float:
    variants = tuple(_of(variant, groups) for variant in everything.variants)
    return _served_rps(
        replace(
            everything,
            variants=tuple(variant for variant in variants if variant.allocations),
            pod_limits=pods_by_target(groups),
            running=(),
            objective=replace(everything.objective, budget=room),
        )
    )


def _beside_plan(problem: Problem, surge: Resources, best: Plan) -> Problem:
    """Return the problem of using what budget and surge have left while the plan is in force."""
    room = plus(problem.budget, surge)
    for group in best.groups:
        room = plus(room, group.resources, -1)
    budget = {name: max(0, min(room[name], n)) for name, n in problem.budget.items()}
    return replace(problem, running=(), objective=replace(problem.objective, budget=budget))


def _served_rps(problem: Problem) -> float:
    return sum(solve(problem).served_rps.values()) if problem.variants else 0.0


def _of(variant: Variant, groups: tuple[PodGroup, ...]) -> Variant:
    """Return the variant restricted to the sizes that its planned pods can be resized to."""
    own = [group.allocation.size for group in groups if group.target.variant == variant.name]
    return variant.of_sizes(lambda a: any(resizable(size, a.size) for size in own))


def with_standby(switch: Switch, least_rps: float = LEAST_DEMAND_RPS) -> Iterator[Plan]:
    """
    Yield, for each variant, the best plan that includes one pod of its smallest size (the standby).

    The rest of the plan also absorbs the noise of the current rate if the budget allows it; or it
    is the best that starts nothing, if that absorbs the noise. The rest must serve `least_rps` by
    itself.
    """
    problem = switch.problem
    noisy = with_noise(problem)
    for variant, choices in product(problem.variants, (_any_pods, of_running)):
        able = [a for a in variant.allocations if a.capacity_rps > 0]
        if not able:
            continue
        smallest = min(able, key=lambda a: problem.objective.price_of(a.resources))
        standby = PodGroup(target=Target(variant.name, smallest.kind), allocation=smallest, pods=1)
        asked = (noisy, problem) if choices is _any_pods else (noisy,)
        plans = (_with_rest(switch, one, standby, choices, least_rps) for one in asked)
        yield from islice((plan for plan in plans if plan and plan.feasible), 1)


def _any_pods(problem: Problem) -> Problem:
    return problem


def _with_rest(
    switch: Switch,
    problem: Problem,
    standby: PodGroup,
    choices: Callable[[Problem], Problem],
    least_rps: float,
) -> Plan | None:
    """
    Return the standby with the best plan for the remaining demand and budget, or None if no plan
    could serve the demand. Results are cached per decision, since many are asked for twice.
    """
    budget = plus(problem.budget, standby.resources, -1)
    if any(amount < 0 for amount in budget.values()):
        return None
    rest_rps = max(problem.demand_rps - standby.capacity_rps, least_rps)
    rest = choices(
        replace(
            problem,
            demand_rps=rest_rps,
            capacity_floor_rps=max(0.0, problem.capacity_floor_rps - standby.capacity_rps),
            objective=problem.objective.within(budget),
        )
    )
    most_rps = _most_rps(switch.service, rest) + standby.capacity_rps
    if ROUNDED_UP * most_rps < problem.demand_rps:
        return None
    key = (standby.target, choices is _any_pods, rest_rps)
    if key not in switch.beside:
        switch.beside[key] = solve(rest).groups
    groups = switch.beside[key]
    if all(group.target != standby.target for group in groups):
        groups = (*groups, standby)
    return evaluate(problem, groups)


def _most_rps(service: Service, problem: Problem) -> float:
    """
    Return the most that can be served of any demand. Cached, since it depends only on what may run.
    """
    known = service.derived.of(service.variants).limits_rps
    variants = tuple(variant.key for variant in problem.variants)
    limits = frozenset(problem.pod_limits.items())
    key = (variants, limits, frozenset(problem.budget.items()))
    if key not in known:
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[key] = _served_of_any_rps(problem)
    return known[key]


def _served_of_any_rps(problem: Problem) -> float:
    asked = replace(
        problem,
        demand_rps=_MORE_THAN_ANY_RPS,
        capacity_floor_rps=0.0,
        min_replicas=0,
        running=(),
    )
    try:
        return sum(solve(asked, method="exact").served_rps.values())
    except TooLarge:
        return math.inf
