"""
The interval that the next run's capacity lies in: by chance in both runs, and by the machine.

What windows of a queue differ by, by chance, averages out over a run; a run whose windows agree by
luck states no less of it. What they differ by beyond that is the machine's, and need not: one that
is slow in a window may be so for all of the next run. A drift that hardly shows between windows
seconds apart is told from the machine's speed (drift.py). Pure.
"""

import math
from collections.abc import Sequence

import numpy as np

from infadapter_profiles.profile import KnownCapacity
from infadapter_server.profiling.crossing import Crossing, Window, pooled
from infadapter_server.profiling.steps import Goal

_WIDEST = math.log(10)  # beyond, nothing is known


def with_interval(
    windows: Sequence[Window], goal: Goal, start: Crossing, drift: float | None
) -> KnownCapacity:
    """
    The capacity with a 95 % prediction interval for the next run.

    `drift` is half of the interval's width by the machine's speed, of the logarithm; None where
    nothing tells that.
    """
    n = len(windows)
    whole, spread = _jackknife(windows, goal, start)
    chance = _of_a_queue(windows, goal)
    machine = max(spread**2 - chance, 0.0)
    deviation = math.sqrt(chance * 2 / n + machine * (1 + 1 / n))
    wide = min(math.hypot(student_95(n - 1) * deviation, drift or 0.0), _WIDEST)
    return KnownCapacity(
        latency_s=goal.slo_s,
        percentile=goal.percentile,
        rps=math.exp(whole),
        low_rps=math.exp(whole - wide),
        high_rps=math.exp(whole + wide),
        missed_ratio=goal.epsilon,
    )


def _jackknife(windows: Sequence[Window], goal: Goal, start: Crossing) -> tuple[float, float]:
    """The logarithm of the capacity, and how much that of a single window deviates."""
    n = len(windows)
    whole = math.log(pooled(windows, goal, start))
    without = [math.log(pooled([*windows[:i], *windows[i + 1 :]], goal, start)) for i in range(n)]
    pseudo = [n * whole - (n - 1) * each for each in without]
    return whole, float(np.std(pseudo, ddof=1))


def _of_a_queue(windows: Sequence[Window], goal: Goal) -> float:
    """
    The variance, of the logarithm, that a window of a queue has at least.

    In heavy traffic the share that is missed varies by the time in which the queue forgets, over
    the time in which it misses; and grows with the rate the more steeply the longer that is. So
    the SLO does not matter for the rate: two over the misses that are allowed, over the square of
    the logarithm of epsilon, are left.
    """
    requests = sum(window.seen.sent for window in windows) / len(windows)
    return 2 / (goal.epsilon * requests) / math.log(1 / goal.epsilon) ** 2


def student_95(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t (Abramowitz & Stegun 26.7.5, exact below 4)."""
    exact = {1: 12.706, 2: 4.303, 3: 3.182}
    if freedom in exact:
        return exact[freedom]
    x = 1.959964
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
    )
    return math.fsum(term / float(freedom) ** power for power, term in enumerate(terms))
