"""
The mixed-integer programme of one service (InfAdapter, EuroMLSys'23, §3, with kinds and pods).

    targets t = (variant, kind), sizes a of t; every sum runs over all of them

    maximise    alpha * sum accuracy_t * q_t / demand  -  beta * sum cost_a * n_ta
                -  gamma * L / longest load                cost_a: share of what the budget costs
    subject to  demand        sum q_t  = demand
                serve_t       q_t     <= sum_a capacity_a * n_ta
                one_size_t    sum_a z_ta <= 1
                only_if_ta    n_ta    <= N_ta * z_ta
                some_if_ta    n_ta    >= z_ta
                budget_r      sum use_ar * n_ta <= budget_r         for every resource r
                replicas      sum n_ta >= min_replicas
                floor         sum capacity_a * n_ta >= capacity_floor
                targets       sum z_ta <= max_targets
                start_ta      n_ta    <= at_hand_ta + N_ta * y_ta   y_ta = 1 if pods must start
                load_ta       L       >= load_t * y_ta
                z, y in {0, 1},  n whole,  q >= 0,  L >= 0

Where the demand cannot be served, the most that can be is found first (maximise sum q, with
sum q <= demand), and the objective is then maximised with that in place of the demand.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import highspy
import pulp

from infadapter_solver.check import check_variants
from infadapter_solver.exact import dive
from infadapter_solver.greedy import greedy
from infadapter_solver.offers import (
    Goal,
    goal,
    longest_load_s,
    most_pods,
    offers,
    pods_at_hand,
    relaxed,
    unit_cost_ratio,
)
from infadapter_solver.problem import Allocation, Plan, PodGroup, Problem, Target
from infadapter_solver.value import TIE, best, broken, evaluate, running_plan, score

PRECISION = 1e-9
"""HiGHS's default of 1e-6 would accept a plan that is worse in the sixth digit."""

SCALE = 1000.0
"""The objective is handed over in thousandths, so that the precision is far below a tie."""

HINT = TIE / 2
"""Added to the cost weight, so that the cheaper of equal plans is found: within a tie, always."""

Expression = Any  # PuLP is untyped


class SolverFailed(RuntimeError):
    """HiGHS ended in a state that a well-formed programme does not lead to."""


@dataclass(frozen=True, slots=True)
class Size:
    """One allocation of a target, and its variables."""

    index: str  # ta
    target: Target
    allocation: Allocation
    most_pods: int
    pods: Expression  # n
    chosen: Expression  # z


@dataclass(frozen=True, slots=True)
class Programme:
    problem: Problem
    wanted: Goal
    model: Any
    sizes: tuple[Size, ...]
    served: dict[Target, Expression]  # q
    loading_s: Expression  # L

    def of(self, target: Target) -> Iterator[Size]:
        return (size for size in self.sizes if size.target == target)


def solve_milp(problem: Problem, *, time_limit_s: float = 2.0) -> Plan:
    """
    The optimum, or at time-out the best plan known, with its proven distance from it as `gap`.

    Best effort, with `feasible` False, where the budget cannot serve the demand. The time limit is
    that of each programme: one, and up to five more for a best effort.
    """
    check_variants(problem)
    if not offers(problem):
        return evaluate(problem, ())
    plan = _optimum(problem, goal(problem), time_limit_s)
    if plan is not None:
        return plan
    most_rps = _most_served_rps(problem, time_limit_s)
    if not most_rps:
        return evaluate(problem, ())
    for wanted in relaxed(problem, most_rps):
        plan = _optimum(problem, wanted, time_limit_s)
        if plan is not None:
            return plan
    return evaluate(problem, ())


def _optimum(problem: Problem, wanted: Goal, time_limit_s: float) -> Plan | None:
    """None if no plan reaches what is wanted."""
    programme = _variables(problem, wanted)
    model = programme.model
    model += SCALE * _objective(programme), "objective"
    model += pulp.lpSum(programme.served.values()) == wanted.served_rps, "demand"
    _constraints(programme)
    status = _run(programme, time_limit_s)
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    plans = [_plan(programme)] if _has_solution(programme) else []
    plans += running_plan(problem, wanted)
    if status == highspy.HighsModelStatus.kOptimal:
        return best(problem, plans)
    quick, ceiling = dive(problem)
    plans += [greedy(problem), *quick]
    good = [plan for plan in plans if not broken(problem, plan, wanted)]
    plan = best(problem, good or plans)
    most = min(_bound(programme), ceiling)
    return replace(plan, gap=max(0.0, most - score(problem, plan)))


def _most_served_rps(problem: Problem, time_limit_s: float) -> float:
    programme = _variables(problem, Goal(goal(problem).served_rps, 0.0, 0))
    total = pulp.lpSum(programme.served.values())
    model = programme.model
    model += total, "objective"
    model += total <= programme.wanted.served_rps, "demand"
    _constraints(programme)
    _run(programme, time_limit_s)
    found = [_plan(programme)] if _has_solution(programme) else []
    return max(sum(plan.served_rps.values()) for plan in (*found, greedy(problem)))


def _variables(problem: Problem, wanted: Goal) -> Programme:
    model = pulp.LpProblem("infadapter", pulp.LpMaximize)
    found = offers(problem)
    sizes = [
        _size(model, f"{t}_{a}", target, allocation, most_pods(problem, wanted, target, allocation))
        for t, (target, allocations) in enumerate(found.items())
        for a, allocation in enumerate(allocations)
    ]
    served = {target: model.add_variable(f"q_{t}", 0) for t, target in enumerate(found)}
    return Programme(problem, wanted, model, tuple(sizes), served, model.add_variable("L", 0))


def _size(model: Any, index: str, target: Target, allocation: Allocation, most: int) -> Size:
    pods = model.add_variable(f"n_{index}", 0, most, pulp.LpInteger)
    # At most one pod: n is 0 or 1 itself, and z would only double the size of the paper's case.
    chosen = pods if most <= 1 else model.add_variable(f"z_{index}", cat=pulp.LpBinary)
    return Size(index, target, allocation, most, pods, chosen)


def _objective(programme: Programme) -> Expression:
    problem = programme.problem
    accuracy = {variant.name: variant.accuracy for variant in problem.variants}
    gained = pulp.lpSum(accuracy[t.variant] * q for t, q in programme.served.items())
    cost = pulp.lpSum(
        unit_cost_ratio(problem, size.allocation) * size.pods for size in programme.sizes
    )
    return (
        problem.accuracy_weight / programme.wanted.served_rps * gained
        - (problem.cost_weight + HINT) * cost
        - problem.loading_weight / (longest_load_s(problem) or 1.0) * programme.loading_s
    )


def _constraints(programme: Programme) -> None:
    problem, model, sizes = programme.problem, programme.model, programme.sizes
    capacity = [size.allocation.capacity_rps * size.pods for size in sizes]
    for t, (target, q) in enumerate(programme.served.items()):
        own = list(programme.of(target))
        provided = pulp.lpSum(size.allocation.capacity_rps * size.pods for size in own)
        model += q <= provided, f"serve_{t}"
        model += pulp.lpSum(size.chosen for size in own) <= 1, f"one_size_{t}"
    for size in sizes:
        if size.chosen is size.pods:
            continue
        model += size.pods <= size.most_pods * size.chosen, f"only_if_{size.index}"
        model += size.pods >= size.chosen, f"some_if_{size.index}"
    for resource, amount in problem.budget.items():
        used = pulp.lpSum(size.allocation.resources.get(resource, 0) * size.pods for size in sizes)
        model += used <= amount, f"budget_{resource}"
    model += pulp.lpSum(size.pods for size in sizes) >= programme.wanted.min_replicas, "replicas"
    model += pulp.lpSum(capacity) >= programme.wanted.floor_rps, "floor"
    model += pulp.lpSum(size.chosen for size in sizes) <= problem.max_targets, "targets"
    if problem.loading_weight:
        _loading(programme)


def _loading(programme: Programme) -> None:
    load_s = {variant.name: variant.load_time_s for variant in programme.problem.variants}
    model = programme.model
    for size in programme.sizes:
        starts = model.add_variable(f"y_{size.index}", cat=pulp.LpBinary)
        at_hand = pods_at_hand(programme.problem, size.target, size.allocation)
        model += size.pods <= at_hand + size.most_pods * starts, f"start_{size.index}"
        model += programme.loading_s >= load_s[size.target.variant] * starts, f"load_{size.index}"


def _run(programme: Programme, time_limit_s: float) -> Any:
    highs = pulp.HiGHS(
        msg=False,
        timeLimit=time_limit_s,
        gapRel=0.0,
        gapAbs=PRECISION,
        mip_feasibility_tolerance=PRECISION,
        primal_feasibility_tolerance=PRECISION,
        dual_feasibility_tolerance=PRECISION,
    )
    try:
        programme.model.solve(highs)
    except pulp.PulpError as error:
        raise SolverFailed(f"HiGHS gave no answer: {error}") from None
    return programme.model.solverModel.getModelStatus()


def _has_solution(programme: Programme) -> bool:
    info = programme.model.solverModel.getInfo()
    return bool(info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible)


def _bound(programme: Programme) -> float:
    """Nothing is worth more than this, as far as HiGHS came."""
    problem = programme.problem
    trivial = problem.accuracy_weight * max(variant.accuracy for variant in problem.variants)
    bound: float = -programme.model.solverModel.getInfo().mip_dual_bound / SCALE + TIE
    return min(trivial, bound)


def _plan(programme: Programme) -> Plan:
    groups = (
        PodGroup(target=size.target, allocation=size.allocation, pods=round(size.pods.varValue))
        for size in programme.sizes
    )
    return evaluate(programme.problem, groups)
