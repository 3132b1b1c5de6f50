"""When a new plan is made, and when the current one is dropped even without load data."""

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import Situation
from infadapter_operator.planning.problem import exceeds, is_of_spec, untouchable_rps


def is_due(service: Service, decision: Decision, now_s: float) -> bool:
    """
    Whether an interval has passed since the last decision (also true if the clock was set back).

    A decision made without load data, or for variants that left the spec, is due at once.
    """
    if decision.source in (Source.WARMING, Source.ADOPTED):
        return True
    if _is_of_another_spec(service, decision):
        return True
    return not decision.decided_at_s <= now_s < decision.decided_at_s + service.interval_s


def burst(service: Service, observed: Observed, decision: Decision, demand_rps: float) -> bool:
    """
    Whether the load has outgrown the plan, so that the next plan cannot wait for the interval.

    If the plan has the capacity and its pods are only not Ready yet, no other plan would be faster.
    A plan that spends the whole budget is outgrown only by more than the demand it was made for.
    """
    if not decision.plan.feasible:
        return demand_rps > decision.demand_rps
    return demand_rps > decision.plan.capacity_rps + untouchable_rps(service, observed)


def is_awaited_pod_ready(situation: Situation) -> bool:
    """
    Whether an awaited pod is Ready now, so that a plan that includes it cannot wait for the
    interval.
    """
    awaited = situation.state.awaited
    return any(pod.ready and pod.name in awaited for pod in situation.observed.pods)


def is_to_be_left(service: Service, decision: Decision, observed: Observed) -> bool:
    serves = any(pod.ready and not pod.leaving for pod in observed.pods)
    fails = exceeds(observed, decision.plan) and not serves
    return fails or _is_of_another_spec(service, decision)


def _is_of_another_spec(service: Service, decision: Decision) -> bool:
    return not all(is_of_spec(service, group) for group in decision.plan.groups)
