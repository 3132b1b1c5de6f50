"""When a new plan is made."""

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.problem import untouchable_rps


def burst(service: Service, observed: Observed, decision: Decision, demand_rps: float) -> bool:
    """
    Whether the load has outgrown the plan, so that a new one can't wait for the interval.

    Where the plan has the capacity and only its pods are not Ready yet, there is nothing that
    another plan could do sooner; a plan that spends the whole budget was made for all it could.
    """
    if not decision.plan.feasible:
        return demand_rps > decision.demand_rps
    return demand_rps > decision.plan.capacity_rps + untouchable_rps(service, observed)
