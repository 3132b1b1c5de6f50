"""The plan before any load was measured."""

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.planning_demand import warming_demand_rps
from infadapter_operator.planning.problem import adoptable, problem_for, solved
from infadapter_operator.planning.reasons import explained
from infadapter_solver import evaluate


def warming(service: Service, observed: Observed, now_s: float) -> Decision:
    """Return a plan of the running pods, or the smallest plan that serves if none run."""
    demand_rps = warming_demand_rps(service)
    problem = problem_for(service, observed, demand_rps)
    running = adoptable(service, observed)
    decision = Decision(
        plan=evaluate(problem, running) if running else solved(problem),
        decided_at_s=now_s,
        demand_rps=demand_rps,
        source=Source.ADOPTED if running else Source.WARMING,
    )
    return explained(service, problem, decision)
