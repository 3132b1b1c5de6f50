"""
A shortage that is borne: where surge is short, the way out may miss more than it does.

What is started then has room only once something that serves is given up, for the ten seconds of a
start. Where the load exceeds a plan by little, and perhaps not for long, that costs more requests
than the excess. What the plan would have missed since the load came to its level, it is expected to
miss once more (Lindy's rule), until that is worth the way: as in renting skis, little more than
twice the least is missed by then.
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
    """Whether not everything that is to replace something can start beside it."""
    return any(service.max_surge.get(name, 0) < n for name, n in service.budget.items())


def is_borne(before: CurrentPlan, best: Plan, switch: Switch) -> bool:
    """
    Whether the plan in force, which is reached, is expected to miss less while the load stays than
    is missed while the first pod of the best one starts.
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
    What it would have missed for as long as the load has been at its level: that is wide, and an
    excess of the last seconds is none of ten minutes. At least the excess of now, which may be new,
    for the least time that a load is taken to stay.
    """
    rates = before.demand.rates[-round(switch.dwell_s) :]
    since_then = overflow(rates, np.full(len(rates), able_rps), before.service.slo_s)
    return max(since_then, (_rate_rps(before) - able_rps) * LEAST_DWELL_S)


def _rate_rps(before: CurrentPlan) -> float:
    """That of now as a mean: a second above it is noise, and lasts for no dwell."""
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
    Whether pods of the plan in force start while what is Ready does: in the midst of a rise, a plan
    that starts nothing looks better until the load has risen on, and then all begins anew.
    """
    service, observed = before.service, before.observed
    planned = {group.target for group in before.groups}
    starts = any(pod.target in planned and not (pod.ready or pod.leaving) for pod in observed.pods)
    does = ready_capacity_rps(service, observed.pods) >= before.least_rps
    return starts and does and surge_is_short(service)
