"""Solve a problem by one of two methods, and find the constraint that binds."""

from dataclasses import replace
from enum import StrEnum
from typing import Literal

from infadapter_solver.check import check
from infadapter_solver.exact.search import none_beats, solve_exact
from infadapter_solver.exact.tables import TooLarge
from infadapter_solver.milp import solve_milp
from infadapter_solver.objective import TIE, score
from infadapter_solver.problem import Plan, Problem

Method = Literal["auto", "exact", "milp"]

LEAST_IMPROVEMENT = 1e-6
"""Objectives closer than this are equal."""


class Binding(StrEnum):
    """The constraint that keeps the plan from being better."""

    DEMAND = "Demand"
    BUDGET = "Budget"
    MIN_REPLICAS = "MinReplicas"
    NONE = "None"


def solve(problem: Problem, *, method: Method = "auto", time_limit_s: float = 2.0) -> Plan:
    """
    Return the best plan, or the best effort (`feasible` False) if no plan serves the demand.

    `auto` uses the exact method, and the programme where the exact method would take too long.
    """
    check(problem)
    if method != "milp":
        try:
            return solve_exact(problem)
        except TooLarge:
            if method == "exact":
                raise
    return solve_milp(problem, time_limit_s=time_limit_s)


def is_unbeaten(problem: Problem, worth: float) -> bool:
    """
    Whether the problem has plans and none of them reaches `worth`. Faster than finding the best
    one. False proves nothing.
    """
    check(problem)
    return none_beats(problem, worth)


def binding_of(problem: Problem, plan: Plan) -> Binding:
    """Return the binding constraint, found by solving without it."""
    if not plan.feasible or _better(_with_twice_the_budget(problem), problem, plan):
        return Binding.BUDGET
    if problem.min_replicas > 1 and _better(replace(problem, min_replicas=1), problem, plan):
        return Binding.MIN_REPLICAS
    smallest = min((group.allocation.capacity_rps for group in plan.groups), default=0.0)
    scarce = plan.capacity_rps - smallest < problem.demand_rps
    return Binding.DEMAND if scarce else Binding.NONE


def _better(relaxed: Problem, problem: Problem, plan: Plan) -> bool:
    worth = score(problem, plan) + LEAST_IMPROVEMENT
    if is_unbeaten(relaxed, worth + TIE):
        return False
    answer = solve(relaxed)
    return answer.feasible and score(relaxed, answer) > worth


def _with_twice_the_budget(problem: Problem) -> Problem:
    """
    Return the problem with twice the budget at the same price per core; the cost weight refers to
    the whole budget.
    """
    return replace(
        problem,
        objective=replace(
            problem.objective,
            budget={name: 2 * amount for name, amount in problem.budget.items()},
            cost_weight=2 * problem.objective.cost_weight,
        ),
    )


def binding_sentence(problem: Problem, plan: Plan, binding: Binding) -> str:
    return {
        Binding.BUDGET: "the budget binds: with more of it the objective would be higher"
        if plan.feasible
        else f"the budget binds: it serves {plan.capacity_rps:.1f} rps of {problem.demand_rps:.1f}",
        Binding.MIN_REPLICAS: f"the {problem.min_replicas} replicas bind: fewer would do",
        Binding.DEMAND: "the demand binds: one pod less would not serve it",
        Binding.NONE: "no constraint binds: more capacity would cost more than it brings",
    }[binding]
