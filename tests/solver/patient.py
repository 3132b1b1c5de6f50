"""Large problems, with as much time as this machine needs: two seconds where it is quiet."""

from infadapter_solver.problem import Plan, Problem
from infadapter_solver.solve import solve

WANTED_GAP = 0.002


def solved(problem: Problem) -> Plan:
    """To the gap that is wanted, or what half a minute for each programme makes of it."""
    for time_limit_s in (2.0, 8.0, 32.0):
        plan = solve(problem, time_limit_s=time_limit_s)
        if plan.gap <= WANTED_GAP:
            break
    return plan
