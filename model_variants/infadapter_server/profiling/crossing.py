"""
Estimate the rate at which the latency percentile crosses the SLO: the capacity.

At a single rate a queue's percentile is mostly chance, since its few long queues decide. Two facts
help. Near the capacity 1 / percentile falls linearly with the rate, so a line through windows on
both sides tells how latencies scale. With that scale all windows can be moved to one rate and their
requests pooled, so that the percentile is that of thousands of requests. Pure.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import neg

import numpy as np
from numpy.typing import NDArray

from infadapter_server.profiling.steps import Goal, Seen

Floats = NDArray[np.float64]

_LEAST_SLOPE = 1.5
_SLOPE_SPREAD = 0.2  # of what is expected of it
_CENTRE_SPREAD = 0.3  # of the logarithm of the rate
_ROUNDS = 5
_NOISE = 0.35  # of the strain of a window
_REACH = 1.0  # strain; beyond, moving a window to the capacity is guessing


@dataclass(frozen=True, slots=True)
class Window:
    """The observation at one rate."""

    rate_rps: float
    seen: Seen

    def strain(self, goal: Goal) -> float:
        """
        Return 1 - SLO / percentile: below 0 within the SLO, above 0 beyond it, at most 1. If the
        request at the percentile was refused, the slope is as steep as a queue's: the odds of a
        miss grow by the logarithm of 1 / epsilon faster than the latency does.
        """
        rank = int(goal.epsilon * self.seen.sent)  # so many may lie beyond the percentile
        if rank >= self.seen.unanswered + len(self.seen.tail):
            return -1.5
        if rank >= self.seen.unanswered:
            return max(-1.5, 1 - 1 / max(self.seen.tail[rank - self.seen.unanswered], 1e-3))
        ratio = self.seen.unanswered / self.seen.sent / goal.epsilon
        return 1 - math.exp(-math.log(max(ratio, 1.0)) / math.log(1 / goal.epsilon))


@dataclass(frozen=True, slots=True)
class Crossing:
    """A capacity, and the slope of the strain in the logarithm of the rate there."""

    rps: float
    slope: float


def expected(goal: Goal, rps: float) -> Crossing:
    """
    Return the crossing of M/D/1 in heavy traffic, where waiting decays by 2 (1 - load) per service.
    """
    slope = 2 * goal.slo_s * rps / math.log(1 / goal.epsilon)
    return Crossing(rps, max(slope, _LEAST_SLOPE))


def line(windows: Sequence[Window], goal: Goal, start: Crossing) -> Crossing:
    """
    Fit a line through the strains, with the expected crossing as prior. It says which rate to try
    next.
    """
    x = np.log([w.rate_rps / start.rps for w in windows])
    strain = np.array([w.strain(goal) for w in windows])
    found = start
    for _ in range(_ROUNDS):
        found = _line(x, strain, start, found)
    return found


def _line(x: Floats, strain: Floats, start: Crossing, before: Crossing) -> Crossing:
    """Fit by least squares with a prior; windows far from the last crossing have little weight."""
    away = before.slope * (x - math.log(before.rps / start.rps))
    weight = 1 / (1 + away**4) / _NOISE**2
    rows = np.stack([np.ones_like(x), x])
    spread = np.array([_CENTRE_SPREAD * start.slope, _SLOPE_SPREAD * start.slope])
    normal = rows * weight @ rows.T + np.diag(1 / spread**2)
    right = rows * weight @ strain + np.array([0.0, start.slope]) / spread**2
    level, slope = np.linalg.solve(normal, right).tolist()
    slope = max(slope, start.slope / 2)
    return Crossing(start.rps * math.exp(min(max(-level / slope, -0.7), 0.7)), slope)


def pooled(windows: Sequence[Window], goal: Goal, start: Crossing) -> float:
    """
    Return the rate at which the requests of all windows, moved there, have the allowed share of
    misses.
    """
    found = line(windows, goal, start)
    near = [w for w in windows if abs(math.log(w.rate_rps / found.rps)) * found.slope <= _REACH]
    near = near if len(near) >= 2 else list(windows)
    allowed = goal.epsilon * sum(w.seen.sent for w in near)
    low, high = math.log(found.rps) - 0.5, math.log(found.rps) + 0.5
    for _ in range(30):
        middle = (low + high) / 2
        if _missed_at(math.exp(middle), near, found.slope, goal) <= allowed:
            low = middle
        else:
            high = middle
    return math.exp(low)


def _missed_at(rps: float, windows: Sequence[Window], slope: float, goal: Goal) -> float:
    missed = 0.0
    for window in windows:
        nearer = slope * math.log(rps / window.rate_rps)
        beyond = math.exp(-min(max(nearer, -30), 30))  # of the SLO, at the window's own rate
        missed += bisect_left(window.seen.tail, -beyond, key=neg)  # the longest come first
        fewer = min(math.log(1 / goal.epsilon) * nearer, 1.0)
        missed += min(window.seen.unanswered * math.exp(max(fewer, -30)), window.seen.sent)
    return missed
