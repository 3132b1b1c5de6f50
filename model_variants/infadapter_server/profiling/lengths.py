"""
The number and length of a search's windows, and its first rate. Pure.

Nothing here is a number of milliseconds of one machine: lengths are multiples of the SLO and
numbers of requests.
"""

import math
from dataclasses import dataclass

from infadapter_server.profiling.crossing import Crossing, expected
from infadapter_server.profiling.settling import settles_s
from infadapter_server.profiling.steps import Goal, SearchError

LEAST_WINDOWS, MOST_WINDOWS = 6, 10
BRACKET_SHARE = 0.35  # of the time
_MISSES = 3.0  # expected in a window at the capacity
_SLOS = 10.0  # a window is at least so many SLOs long: a queue moves about as fast as that
_WARM_UP_SLOS = 5.0
_WARM_UP_SHARE = 0.1  # of a window
_SETTLINGS = 12.0  # a window that begins with an empty queue finds too few long ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The windows around a rate: their number, and their length without and with the warm-up."""

    start: Crossing
    number: int
    window_s: float
    step_s: float


def plan(
    goal: Goal, saturation_rps: float, rate_rps: float, *, seconds: float, spent_s: float
) -> Plan:
    """
    Return the windows. Raises SearchError if the time is too short to observe the allowed misses.
    """
    rest_s = max(seconds - spent_s, (1 - BRACKET_SHARE) * seconds)
    enough_s = max(
        _MISSES / goal.epsilon / rate_rps,
        _SLOS * goal.slo_s,
        _SETTLINGS * settles_s(goal.slo_s, saturation_rps),
    )
    number = min(max(int(rest_s / enough_s), LEAST_WINDOWS), MOST_WINDOWS)
    window_s = rest_s / number - warm_up_s(goal, saturation_rps, rest_s / number)
    if rate_rps * window_s * goal.epsilon < 0.5:
        raise SearchError(
            f"{seconds:.3g} s were too short to see misses of {goal.epsilon:.2%} at "
            f"{rate_rps:.3g} requests/s; take longer, "
            f"{2 * LEAST_WINDOWS * _MISSES / goal.epsilon / rate_rps:.0f} s for this SLO."
        )
    step_s = window_s + warm_up_s(goal, saturation_rps, window_s)
    return Plan(start=expected(goal, rate_rps), number=number, window_s=window_s, step_s=step_s)


def bracket_s(goal: Goal, enough_s: float, seconds: float) -> float:
    """
    Return the length of a window that only tells the direction, at most that of the shortest
    windows.
    """
    most_s = (1 - BRACKET_SHARE) * seconds / LEAST_WINDOWS
    return min(max(enough_s, _SLOS * goal.slo_s), most_s)


def warm_up_s(goal: Goal, saturation_rps: float, window_s: float) -> float:
    settled_s = 3 * settles_s(goal.slo_s, saturation_rps)
    enough_s = max(_WARM_UP_SLOS * goal.slo_s, settled_s)
    return max(_WARM_UP_SHARE * window_s, min(enough_s, window_s / 3))


def guess_rps(goal: Goal, saturation_rps: float) -> float:
    """
    Return the capacity of M/D/1 in heavy traffic, where waiting decays by 2 (1 - load) per service.
    """
    services = goal.slo_s * saturation_rps
    load = 1 - math.log(1 / goal.epsilon) / (2 * max(services, 1e-9))
    return saturation_rps * min(max(load, 0.3), 0.93)
