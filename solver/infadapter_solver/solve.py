"""One question, two ways to answer it."""

from typing import Literal

from infadapter_solver.check import check
from infadapter_solver.exact.search import solve_exact
from infadapter_solver.exact.tables import TooLarge
from infadapter_solver.milp import solve_milp
from infadapter_solver.problem import Plan, Problem

Method = Literal["auto", "exact", "milp"]


def solve(problem: Problem, *, method: Method = "auto", time_limit_s: float = 2.0) -> Plan:
    """
    The best plan for the problem, or the best effort (`feasible` False) if none serves its demand.

    `auto` is the exact path, and the programme where the exact path would take too long.
    """
    check(problem)
    if method != "milp":
        try:
            return solve_exact(problem)
        except TooLarge:
            if method == "exact":
                raise
    return solve_milp(problem, time_limit_s=time_limit_s)
