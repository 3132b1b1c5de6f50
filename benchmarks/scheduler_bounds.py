"""
What any scheduler can serve of given arrivals, and what one can that decides as they come.

*Foreseen*: no scheduler does better, nor one that knows all arrivals. Of one model with one SLO it
is the optimum itself: batches in the order of arrival, and for each number of refused ones the
earliest completion. Of several models it is a relaxation: executions of different models may
overlap, as long as all together take no more time than there is, and each request has the longest
SLO. A price for the executor's time makes the models independent; any price gives a bound, and the
least is taken.

*At arrival*: who is accepted stays so, before it is known who else will come. Poisson arrivals, one
open batch for each model, and again a price in place of the one executor: the best stopping rule by
dynamic programming over its members and the time that is left. An estimate, not a bound: what is
left of a batch whose first part has run could still grow.
"""

from collections.abc import Callable, Sequence
from math import inf

import numpy as np

from infadapter_scheduler import Arrival, Model
from infadapter_scheduler.model import Costs

STEPS, HALVINGS, PRICES = 260, 14, 12
GOLDEN = 0.618

Times = dict[int, float]


def foreseen(arrivals: Sequence[Arrival], times_s: Times) -> float:
    """The share that can be in time."""
    by_model: dict[str, list[float]] = {}
    for arrival in arrivals:
        by_model.setdefault(arrival.model, []).append(arrival.arrival_s)
    slos_s = {arrival.slo_s for arrival in arrivals}
    if len(by_model) == 1 and len(slos_s) == 1:
        (moments_s,) = by_model.values()
        return optimum(moments_s, max(slos_s), times_s) / len(arrivals)
    slo_s = max(slos_s)
    there_s = arrivals[-1].arrival_s + slo_s - arrivals[0].arrival_s

    def bound(price: float) -> float:
        gains = (gain(moments_s, slo_s, times_s, price) for moments_s in by_model.values())
        return sum(gains) + price * there_s

    best_rps = max(size / seconds for size, seconds in times_s.items())
    return min(bound(0.0), least(bound, best_rps)) / len(arrivals)


def optimum(moments_s: Sequence[float], slo_s: float, times_s: Times) -> int:
    """Of one model: the most that can be served, by the earliest end for each number refused."""
    count = len(moments_s)
    ends_s = np.full((count + 1, count + 1), inf)
    ends_s[0, 0] = -inf
    for at in range(count):
        here_s = ends_s[at]
        np.minimum(ends_s[at + 1, 1:], here_s[:-1], out=ends_s[at + 1, 1:])
        for size, seconds in times_s.items():
            if at + size <= count:
                end_s = np.maximum(here_s, moments_s[at + size - 1]) + seconds
                end_s[end_s > moments_s[at] + slo_s] = inf
                np.minimum(ends_s[at + size], end_s, out=ends_s[at + size])
    return count - int(np.argmax(ends_s[count] < inf))


def gain(moments_s: Sequence[float], slo_s: float, times_s: Times, price: float) -> float:
    """Of one model: the most served, less the price of the time that it takes."""
    best = [0.0] * (len(moments_s) + 1)
    for end in range(1, len(best)):
        best[end] = best[end - 1]
        for size, seconds in times_s.items():
            fits = size <= end and moments_s[end - 1] - moments_s[end - size] <= slo_s - seconds
            if fits and best[end - size] + size - price * seconds > best[end]:
                best[end] = best[end - size] + size - price * seconds
    return best[-1]


def least(bound: Callable[[float], float], most: float) -> float:
    """Of a convex function from 0 on, by golden sections."""
    low, high = 0.0, most
    for _ in range(PRICES):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if bound(left) < bound(right) else (left, high)
    return bound((low + high) / 2)


def at_arrival(rate_rps: float, models: int, slo_s: float, times_s: Times) -> float:
    """The share that can be accepted of so many models' arrivals, each of the same rate."""

    def bound(price: float) -> float:
        return models * gain_rps(rate_rps / models, slo_s, times_s, price) + price

    best_rps = max(size / seconds for size, seconds in times_s.items())
    return min(1.0, least(bound, best_rps) / rate_rps)


def gain_rps(rate_rps: float, slo_s: float, times_s: Times, price: float) -> float:
    """Likewise in a second, by the rate at which an empty batch is worth nothing."""
    low, high = 0.0, rate_rps
    run = np.arange(max(times_s) + 1) - price * np.array(Costs(Model("m", times_s)).split_s)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        worth = opened_worth(middle, rate_rps, slo_s - times_s[min(times_s)], run)
        low, high = (middle, high) if worth > middle / rate_rps else (low, middle)
    return (low + high) / 2


def opened_worth(gain_rps: float, rate_rps: float, wait_s: float, run: np.ndarray) -> float:
    """Of a batch with one member and all its time, if each second is worth so much elsewhere."""
    step_s = wait_s / STEPS
    comes = 1.0 - np.exp(-rate_rps * step_s)
    worth = run
    for _ in range(STEPS):
        joined = np.append(worth[1:], -inf)
        waits = (1.0 - comes) * worth + comes * np.maximum(worth, joined) - gain_rps * step_s
        worth = np.maximum(run, waits)
    return float(worth[1])
