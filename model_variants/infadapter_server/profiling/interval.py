"""
Prediction interval for the capacity in the next run: from chance in both runs, and from the
machine.

Differences between windows that are a queue's chance average out over a run, and a run whose
windows agree by luck is no more certain. Differences beyond that come from the machine and need not
average out: a machine that is slow in one window may be slow for the whole next run. A drift that
hardly shows between neighbouring windows is estimated from the machine's speed (drift.py). Pure.
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
    Return the capacity with a 95 % prediction interval for the next run.

    `drift` is half the interval's width caused by the machine's speed, of the logarithm; None if
    unknown.
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
    """Return the logarithm of the capacity, and the deviation of a single window's."""
    n = len(windows)
    whole = math.log(pooled(windows, goal, start))
    without = [math.log(pooled([*windows[:i], *windows[i + 1 :]], goal, start)) for i in range(n)]
    pseudo = [n * whole - (n - 1) * each for each in without]
    return whole, float(np.std(pseudo, ddof=1))


def _of_a_queue(windows: Sequence[Window], goal: Goal) -> float:
    """
    Return the least variance, of the logarithm, of a queue's window.

    In heavy traffic the share of misses varies with the time in which the queue forgets, divided by
    the time in which it misses, and its slope in the rate grows with the same time. So the SLO
    cancels out for the rate: what remains is two over the allowed misses, over the square of the
    logarithm of epsilon.
    """
    requests = sum(window.seen.sent for window in windows) / len(windows)
    return 2 / (goal.epsilon * requests) / math.log(1 / goal.epsilon) ** 2


def student_95(freedom: int) -> float:
    """
    Return the two-sided 95 % quantile of Student's t (Abramowitz & Stegun 26.7.5, exact below 4).
    """
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
