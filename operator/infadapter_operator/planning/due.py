"""When a plan is made anew, and when it is left without any load that says so."""

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import Situation
from infadapter_operator.planning.problem import exceeds, is_of_spec, untouchable_rps


def is_due(service: Service, decision: Decision, now_s: float) -> bool:
    """
    An interval after the last decision; also when the clock was set back.

    At once when that was made without any load, or for variants that the spec no longer has.
    """
    if decision.source in (Source.WARMING, Source.ADOPTED):
        return True
    if _is_of_another_spec(service, decision):
        return True
    return not decision.decided_at_s <= now_s < decision.decided_at_s + service.interval_s


def burst(service: Service, observed: Observed, decision: Decision, demand_rps: float) -> bool:
    """
    Whether the load has outgrown the plan, so that a new one can't wait for the interval.

    Where the plan has the capacity and only its pods are not Ready yet, there is nothing that
    another plan could do sooner; a plan that spends the whole budget was made for all it could.
    """
    if not decision.plan.feasible:
        return demand_rps > decision.demand_rps
    return demand_rps > decision.plan.capacity_rps + untouchable_rps(service, observed)


def has_come(situation: Situation) -> bool:
    """A pod that was not planned with is Ready: a plan with it can't wait for the interval."""
    awaited = situation.state.awaited
    return any(pod.ready and pod.name in awaited for pod in situation.observed.pods)


def is_to_be_left(service: Service, decision: Decision, observed: Observed) -> bool:
    serves = any(pod.ready and not pod.leaving for pod in observed.pods)
    fails = exceeds(observed, decision.plan) and not serves
    return fails or _is_of_another_spec(service, decision)


def _is_of_another_spec(service: Service, decision: Decision) -> bool:
    return not all(is_of_spec(service, group) for group in decision.plan.groups)
