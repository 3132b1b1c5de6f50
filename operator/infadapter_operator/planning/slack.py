"""
Slack: capacity of a new plan beyond its demand, so that noise in the load does not outgrow it.
"""

from dataclasses import replace

from infadapter_forecasting.noise import noise_rps
from infadapter_operator.planning.rates import WINDOWS_S
from infadapter_solver import Problem

SLACK_SIGMAS = 3.2
"""
Slack in standard deviations of the current rate. With less, noise outgrows the plan before its pods
have repaid their start.
"""


def slack_rps(demand_rps: float) -> float:
    return SLACK_SIGMAS * noise_rps(demand_rps, WINDOWS_S[0])


def with_noise(problem: Problem) -> Problem:
    """Return the problem for a demand that includes the noise of the current rate."""
    return replace(problem, demand_rps=problem.demand_rps + slack_rps(problem.demand_rps))
