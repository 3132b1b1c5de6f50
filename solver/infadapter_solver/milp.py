"""
Solve the integer programme with HiGHS, and verify its answer against all known plans.

Whatever HiGHS answers (infeasible, time limit, or nothing), the returned plan is no worse than the
greedy plan, the running one and every plan that HiGHS found. A numerical error costs some
optimality, which the gap reports, but never the service.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import highspy
import pulp

from infadapter_solver.candidates import Requirement, candidates, relaxed, requirement
from infadapter_solver.check import check_variants
from infadapter_solver.exact.search import dive
from infadapter_solver.greedy import greedy
from infadapter_solver.objective import TIE, best, broken, evaluate, running_plan, score
from infadapter_solver.problem import Plan, PodGroup, Problem
from infadapter_solver.programme import SCALE, best_programme, most_programme
from infadapter_solver.rounding import is_large, relaxation, rounded
from infadapter_solver.variables import Programme

TOLERANCE = 1e-9
"""HiGHS's default of 1e-6 would accept a plan that is worse in the sixth digit."""

SMALLEST_COEFFICIENT = 1e-12
"""HiGHS's default of 1e-9 would drop the capacity of a small pod beside a demand of 1e9."""

SHARE, REST = 0.15, 0.55
"""
Shares of the time limit: for each of the two programmes that find a plan of a large problem first,
and for the whole programme. The remainder is for what follows a timeout.
"""

ANYTHING = Requirement(0.0, 0.0, 0)


class SolverFailed(RuntimeError):
    """PuLP could not run HiGHS at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What HiGHS answered for a programme; unverified."""

    plan: Plan
    optimal: bool
    most: float  # HiGHS's upper bound on the objective


def solve_milp(problem: Problem, *, time_limit_s: float = 2.0) -> Plan:
    """
    Return the optimum, or after a timeout the best known plan with its proven distance from the
    optimum as `gap`.

    If the budget cannot serve the demand, the plan is a best effort with `feasible` False. The time
    limit applies to each programme: one, and up to five more for a best effort.
    """
    check_variants(problem)
    if not candidates(problem):
        return evaluate(problem, ())
    known = [greedy(problem), *running_plan(problem, ANYTHING)]
    plan = _optimum(problem, requirement(problem), known, time_limit_s)
    if plan is not None:
        return plan
    known += _reaching(problem, ANYTHING, [_ask(most_programme(problem), time_limit_s).plan])
    most_rps = max(sum(plan.served_rps.values()) for plan in known)
    # The plan that serves the most reaches the last requirement, so there is always an answer.
    answers = (
        _optimum(problem, wanted, known, time_limit_s) for wanted in relaxed(problem, most_rps)
    )
    return next(plan for plan in answers if plan is not None)


def _optimum(
    problem: Problem, wanted: Requirement, known: list[Plan], time_limit_s: float
) -> Plan | None:
    """
    Return the best plan that reaches the requirement, or None if neither HiGHS nor anything else
    knows one.

    Everything found is added to `known`: a plan that reaches less may be the most there is.
    """
    if is_large(problem):
        known += _reaching(problem, ANYTHING, _rounded(problem, wanted, SHARE * time_limit_s))
        time_limit_s *= REST
    answer = _ask(best_programme(problem, wanted), time_limit_s)
    known += _reaching(problem, ANYTHING, [answer.plan])
    plans = _reaching(problem, wanted, known)
    if answer.optimal and answer.plan in plans:
        plan = best(problem, plans)
        if score(problem, plan) <= score(problem, answer.plan) + TIE:
            return plan
    quick, ceiling = dive(problem, wanted)
    known += quick
    plans += _reaching(problem, wanted, quick)
    if not plans:
        return None
    plan = best(problem, plans)
    return replace(plan, gap=_gap(problem, score(problem, plan), (answer.most, ceiling)))


def _rounded(problem: Problem, wanted: Requirement, time_limit_s: float) -> list[Plan]:
    """
    Return the best plan on the sizes that the linear relaxation uses; empty if that has no
    solution.
    """
    fractions = relaxation(problem, wanted)
    _ask(fractions, time_limit_s)
    smaller = rounded(problem, fractions)
    if smaller is None:
        return []
    plan = _ask(best_programme(smaller, wanted), time_limit_s).plan
    return [evaluate(problem, plan.groups)]


def _reaching(problem: Problem, wanted: Requirement, plans: Iterable[Plan]) -> list[Plan]:
    return [plan for plan in plans if not broken(problem, plan, wanted)]


def _gap(problem: Problem, worth: float, claims: Iterable[float]) -> float:
    """
    Return the distance between a plan's objective and the lowest upper bound that the plan does not
    disprove.
    """
    trivial = problem.objective.accuracy_weight * max(
        variant.accuracy for variant in problem.variants
    )
    return max(0.0, min([trivial, *(most for most in claims if most >= worth)]) - worth)


def _ask(programme: Programme, time_limit_s: float) -> Answer:
    highs = pulp.HiGHS(
        msg=False,
        timeLimit=time_limit_s,
        gapRel=0.0,
        gapAbs=TOLERANCE,
        mip_feasibility_tolerance=TOLERANCE,
        primal_feasibility_tolerance=TOLERANCE,
        dual_feasibility_tolerance=TOLERANCE,
        small_matrix_value=SMALLEST_COEFFICIENT,
    )
    try:
        programme.model.solve(highs)
    except pulp.PulpError as error:
        raise SolverFailed(f"HiGHS gave no answer: {error}") from None
    except LookupError:  # PuLP maps a state, or reads a solution, that HiGHS does not have
        return Answer(evaluate(programme.problem, ()), False, math.inf)
    solved = programme.model.solverModel
    return Answer(
        _plan(programme),
        solved.getModelStatus() == highspy.HighsModelStatus.kOptimal,
        -solved.getInfo().mip_dual_bound / SCALE + TIE,
    )


def _plan(programme: Programme) -> Plan:
    """
    Return the plan in HiGHS's variables, rounded. After a timeout or an error it may be no valid
    plan.
    """
    groups = (
        PodGroup(target=size.target, allocation=size.allocation, pods=round(pods))
        for size in programme.sizes
        if math.isfinite(pods := size.pods.varValue)
    )
    return evaluate(programme.problem, groups)
