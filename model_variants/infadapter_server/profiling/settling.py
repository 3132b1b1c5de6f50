"""
The time in which a queue near its capacity forgets, and the bias of shorter runs.

Windows begin with an empty queue. Queues as long as the SLO come late and last, so a short window
sees too few of them. That is a bias and not chance, so no interval of such windows contains it.
Pure.
"""

import math
from dataclasses import replace

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.steps import Goal

_FORGETS = 0.3
_TOO_HIGH = 1.5
"""
Bias in multiples of settling / time. In virtual time (M/D/1, SLOs of 10 and 30 services, runs of 12
to 98 s) the median of 20 capacities was too high by 0.7 to 1.5 of that, if it was too high at all.
"""


def settles_s(slo_s: float, saturation_rps: float) -> float:
    """
    Return the time in which a queue near the capacity forgets, s: some tenths of the SLO times the
    number of services in it. A run only a few times as long sees no long queue, or one, and
    overestimates the capacity.
    """
    return _FORGETS * slo_s * slo_s * saturation_rps


def too_high(goal: Goal, saturation_rps: float, seconds: float, step_s: float) -> float:
    """
    Return by how much of its logarithm a capacity is overestimated: at most by what takes a queue
    from empty to the SLO within a step, over what heavy traffic leaves unused.
    """
    hasty = _TOO_HIGH * settles_s(goal.slo_s, saturation_rps) / seconds
    services = goal.slo_s * saturation_rps
    most = goal.slo_s / step_s + math.log(1 / goal.epsilon) / (2 * services)
    return min(hasty, most)


def lowered(known: KnownCapacity, by: float) -> KnownCapacity:
    """Return the capacity and its interval lowered by this much of the logarithm."""
    assert known.low_rps is not None
    assert known.high_rps is not None
    less = math.exp(-by)
    return replace(
        known,
        rps=less * known.rps,
        low_rps=less * known.low_rps,
        high_rps=less * known.high_rps,
    )
