"""Which constraint keeps a plan from being better: found by solving without it."""

from dataclasses import replace
from enum import StrEnum

from infadapter_solver.objective import score
from infadapter_solver.problem import Plan, Problem
from infadapter_solver.solve import solve

LEAST_IMPROVEMENT = 1e-6
"""Objectives closer than this are equal."""


class Binding(StrEnum):
    """The constraint that keeps the plan from being better."""

    DEMAND = "Demand"
    BUDGET = "Budget"
    MIN_REPLICAS = "MinReplicas"
    NONE = "None"


def binding_of(problem: Problem, plan: Plan) -> Binding:
    if not plan.feasible or _better(_with_twice_the_budget(problem), problem, plan):
        return Binding.BUDGET
    if problem.min_replicas > 1 and _better(replace(problem, min_replicas=1), problem, plan):
        return Binding.MIN_REPLICAS
    smallest = min((group.allocation.capacity_rps for group in plan.groups), default=0.0)
    scarce = plan.capacity_rps - smallest < problem.demand_rps
    return Binding.DEMAND if scarce else Binding.NONE


def _better(relaxed: Problem, problem: Problem, plan: Plan) -> bool:
    answer = solve(relaxed)
    return answer.feasible and score(relaxed, answer) > score(problem, plan) + LEAST_IMPROVEMENT


def _with_twice_the_budget(problem: Problem) -> Problem:
    """At the same price of a core: the cost weight is the price of the whole budget."""
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
