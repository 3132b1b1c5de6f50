"""
Shortages that are borne: where surge is short, leaving a plan may miss more requests than staying.

A new pod then has room only after serving pods were released, for the ten seconds of a start. If
the load exceeds the plan by little, and perhaps not for long, that costs more requests than the
excess. The plan is expected to miss once more what it would have missed since the load came to its
level (Lindy's rule). It is left once that outweighs the transition; as in the ski rental problem,
the total is at most little more than twice the minimum.
"""

import numpy as np

from infadapter_forecasting.overflow import overflow
from infadapter_operator.domain.load import Sample
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import ready_capacity_rps, running_groups
from infadapter_operator.planning.dwell import LEAST_DWELL_S
from infadapter_operator.planning.growth_path import vertical_limit_rps
from infadapter_operator.planning.hysteresis import CurrentPlan
from infadapter_operator.planning.problem import untouchable_rps
from infadapter_operator.planning.rates import WINDOWS_S, rate_now_rps
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import Plan


def surge_is_short(service: Service) -> bool:
    """Whether some replacement could not start beside what it replaces."""
    return any(service.max_surge.get(name, 0) < n for name, n in service.budget.items())


def tolerates_shortage(before: CurrentPlan, best: Plan, switch: Switch) -> bool:
    """
    Whether the current plan, which is reached, is expected to miss less while the load stays than
    would be missed while the first pod of the best plan starts.
    """
    service, observed = before.service, before.observed
    starts = switch.first_starts(best)
    if not (surge_is_short(service) and best.feasible and starts and _is_reached(before)):
        return False
    beside = min(starts.values(), key=service.objective.price_of)
    ready = running_groups(service, switch.ready)
    fixed_rps = untouchable_rps(service, observed)
    beside_rps = vertical_limit_rps(service, observed, ready, beside)
    way_short_rps = max(0.0, _rate_rps(before) - fixed_rps - beside_rps)
    missed_on_the_way = way_short_rps * min(map(switch.start_s, starts))
    return _missed_when_borne(before, before.capacity_rps + fixed_rps, switch) < missed_on_the_way


def _missed_when_borne(before: CurrentPlan, able_rps: float, switch: Switch) -> float:
    """
    Return what the plan would have missed since the load is at its level; at least the current
    excess over the shortest dwell, as the excess may be new. The level is wide, so an excess of the
    last seconds does not count as one of ten minutes.
    """
    rates = before.demand.rates[-round(switch.dwell_s) :]
    since_then = overflow(rates, np.full(len(rates), able_rps), before.service.slo_s)
    return max(since_then, (_rate_rps(before) - able_rps) * LEAST_DWELL_S)


def _rate_rps(before: CurrentPlan) -> float:
    """
    Return the current rate as a mean. A single second above it is noise and does not last for a
    dwell.
    """
    latest = enumerate(before.demand.rates[-round(WINDOWS_S[0]) :].tolist())
    return rate_now_rps([Sample(float(at_s), rps) for at_s, rps in latest])


def _is_reached(before: CurrentPlan) -> bool:
    observed = before.observed
    return bool(before.groups) and all(
        sum(pod.ready and not pod.leaving for pod in observed.of(group.target)) >= group.pods
        for group in before.groups
    )


def is_under_way(before: CurrentPlan) -> bool:
    """
    Whether pods of the current plan are starting while the Ready ones suffice. During a rise, a
    plan that starts nothing looks better until the load has risen further, and then everything
    would start over.
    """
    service, observed = before.service, before.observed
    planned = {group.target for group in before.groups}
    starts = any(pod.target in planned and not (pod.ready or pod.leaving) for pod in observed.pods)
    does = ready_capacity_rps(service, observed.pods) >= before.least_rps
    return starts and does and surge_is_short(service)
