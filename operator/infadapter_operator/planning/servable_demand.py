"""
Planning demand beyond the measured load (in a rise, or while the error budget burns), limited to
what the budget can serve.
"""

from dataclasses import replace

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.planning_demand import (
    Load,
    PlanningDemand,
    at_most,
    extrapolated_rps,
    planning_demand,
    with_reserve,
)
from infadapter_operator.planning.problem import problem_for, solved, untouchable_rps


def servable_demand(
    service: Service, load: Load, observed: Observed, now_s: float, reserve_factor: float
) -> PlanningDemand:
    """
    Return the planning demand. With an increased reserve it does not exceed what the budget serves.
    """
    demand = planning_demand(service, load, now_s)
    if reserve_factor == 1:
        return demand
    grown = with_reserve(demand, reserve_factor)
    served_rps = _served_rps(service, observed, grown.rps) * (1 - 1e-9)
    return at_most(grown, max(demand.rps, served_rps))


def extrapolated(
    service: Service,
    observed: Observed,
    demand: PlanningDemand,
    previous: Decision,
    now_s: float,
) -> PlanningDemand:
    """
    Return the demand extrapolated along a rise, limited to what the budget serves: these requests
    have not arrived yet.
    """
    age_s = now_s - previous.decided_at_s
    grown_rps = extrapolated_rps(previous.demand_rps, age_s, demand.now_rps)
    served_rps = _served_rps(service, observed, grown_rps)
    return replace(demand, rps=max(demand.rps, min(grown_rps, served_rps)))


def _served_rps(service: Service, observed: Observed, demand_rps: float) -> float:
    """Return how much of the demand the budget serves, rps."""
    most = solved(problem_for(service, observed, demand_rps))
    return sum(most.served_rps.values()) + untouchable_rps(service, observed)
