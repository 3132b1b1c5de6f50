"""
How long a queue near its capacity takes to forget, and what a run that is no longer makes of it.

Windows begin with an empty queue. Of queues as long as the SLO, which come late and last, a short
one sees too few, always: that is no chance, so no interval of such windows holds it. Pure.
"""

import math
from dataclasses import replace

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.steps import Goal

_FORGETS = 0.3
_TOO_HIGH = 1.5
"""
Times settling / time. In virtual time (M/D/1, SLOs of 10 and 30 services, runs of 12 to 98 s) the
median of 20 capacities was too high by 0.7 to 1.5 of that, where it was too high at all.
"""


def settles_s(slo_s: float, saturation_rps: float) -> float:
    """
    How long a queue near the capacity takes to forget: some tenths of SLO x services in it. A run
    of a few times that sees no long queue, or one, and takes the capacity for higher than it is.
    """
    return _FORGETS * slo_s * slo_s * saturation_rps


def too_high(goal: Goal, saturation_rps: float, seconds: float, step_s: float) -> float:
    """
    By how much of its logarithm a capacity is taken for too high. Never by more than takes a queue
    from nothing to the SLO within a step, over what heavy traffic leaves unused.
    """
    hasty = _TOO_HIGH * settles_s(goal.slo_s, saturation_rps) / seconds
    services = goal.slo_s * saturation_rps
    most = goal.slo_s / step_s + math.log(1 / goal.epsilon) / (2 * services)
    return min(hasty, most)


def lowered(known: KnownCapacity, by: float) -> KnownCapacity:
    """The same with its interval, by so much of the logarithm."""
    assert known.low_rps is not None
    assert known.high_rps is not None
    less = math.exp(-by)
    return replace(
        known,
        rps=less * known.rps,
        low_rps=less * known.low_rps,
        high_rps=less * known.high_rps,
    )
