"""What a new plan serves beyond its demand, so that the noise of the load does not outgrow it."""

from dataclasses import replace

from infadapter_forecasting.noise import noise_rps
from infadapter_operator.planning.rates import WINDOWS_S
from infadapter_solver import Problem

SLACK_SIGMAS = 3.2
"""
What a new plan serves beyond its demand, in standard deviations of the rate of now: with less, the
noise of that rate outgrows it before its pods have paid for their start.
"""


def slack_rps(demand_rps: float) -> float:
    return SLACK_SIGMAS * noise_rps(demand_rps, WINDOWS_S[0])


def with_noise(problem: Problem) -> Problem:
    """That what is planned also serves the noise of the rate of now."""
    return replace(problem, demand_rps=problem.demand_rps + slack_rps(problem.demand_rps))
