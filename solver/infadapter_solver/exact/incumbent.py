"""
An incumbent without search: the best that one target alone, or two together, can reach.

The linear relaxation (a demand and a binding budget) uses two targets, so the best of its pair is
close to the optimum. The better the incumbent, the fewer labels have to be followed.
"""

from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.candidates import Requirement
from infadapter_solver.exact.choices import CAPACITY, COST, PODS, TARGETS, USE, Floats
from infadapter_solver.exact.coefficients import Coefficients
from infadapter_solver.objective import ROUNDING

MOST_ROWS = 200_000


def enough(wanted: Requirement, sums: Floats) -> NDArray[np.bool_]:
    """Return which rows meet the requirement."""
    reached: NDArray[np.bool_] = sums[:, CAPACITY] >= wanted.capacity_rps * (1 - ROUNDING)
    if wanted.min_replicas > 1:
        reached &= sums[:, PODS] >= wanted.min_replicas
    return reached


def incumbent(coefficients: Coefficients) -> float:
    """Return an objective that some plan reaches; minus infinity if none is known."""
    known = _single(coefficients)
    if coefficients.limits[TARGETS] < 2:
        return known
    pairs = (
        pair for pair in combinations(coefficients.relaxed, 2) if _is_small(coefficients, *pair)
    )
    return max([known, *(_pair(coefficients, first, second) for first, second in pairs)])


def _is_small(coefficients: Coefficients, first: int, second: int) -> bool:
    """
    Whether the pair's table is small enough. An incumbent is optional; hundreds of megabytes for it
    are not acceptable.
    """
    sizes = (len(coefficients.tables.by_target[at].choices) for at in (first, second))
    return prod(sizes) <= MOST_ROWS


def _single(coefficients: Coefficients) -> float:
    every, wanted = coefficients.tables.every, coefficients.wanted
    worth = coefficients.rate[coefficients.tables.target] * wanted.served_rps
    worth -= (
        coefficients.cost_weight * every[:, COST]
        + coefficients.loading_weight * coefficients.tables.loading_s
    )
    return float(worth[enough(wanted, every)].max(initial=-np.inf))


def _pair(coefficients: Coefficients, first: int, second: int) -> float:
    one, other = coefficients.tables.by_target[first], coefficients.tables.by_target[second]
    sums = (one.choices[:, None] + other.choices).reshape(-1, one.choices.shape[1])
    most_rps = coefficients.wanted.served_rps
    served = np.repeat(np.minimum(one.choices[:, CAPACITY], most_rps), len(other.choices))
    in_all = np.minimum(sums[:, CAPACITY], most_rps)
    worth = coefficients.rate[first] * served + coefficients.rate[second] * (in_all - served)
    worth -= coefficients.cost_weight * sums[:, COST]
    if coefficients.loading_weight:
        loading_s = np.maximum(one.loading_s[:, None], other.loading_s)
        worth -= coefficients.loading_weight * loading_s.ravel()
    fits = (sums[:, USE:] <= coefficients.tables.budget).all(axis=1)
    return float(worth[enough(coefficients.wanted, sums) & fits].max(initial=-np.inf))
