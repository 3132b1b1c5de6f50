"""
Validate problems, so that an error has a name instead of leading to a wrong plan.

The exact method discards what can never pay. That is only correct for non-negative weights, prices
and accuracies, and for finite numbers.
"""

import math
from collections.abc import Hashable
from itertools import pairwise
from typing import TypeVar

from infadapter_profiles.profile import check_distinct, twice
from infadapter_solver.problem import CPU, Allocation, Problem, Variant

T = TypeVar("T", bound=Hashable)

ROUNDING = 1e-9
"""Tolerance for marginal accuracies, which are quotients of differences."""

LARGEST_NUMBER = 1e18
"""Larger values are a mistake, and their products would overflow."""


class InvalidProblem(ValueError):
    """The problem is contradictory; the message says where."""


def check(problem: Problem) -> None:
    """Check everything but the variants. Raises InvalidProblem."""
    for name in ("demand_rps", "capacity_floor_rps", "min_replicas"):
        _amount(name, getattr(problem, name))
    for name in ("accuracy_weight", "cost_weight", "loading_weight"):
        _amount(name, getattr(problem.objective, name))
    for resource, amount in problem.budget.items():
        _amount(f"the budget of {resource}", amount)
        if resource != CPU and resource not in problem.objective.prices:
            raise InvalidProblem(f"{resource} is in the budget and has no price: give it one")
    for resource, price in problem.objective.prices.items():
        _amount(f"the price of {resource}", price)
    for target, limit in problem.pod_limits.items():
        _pods(f"the pods of {target.variant} on {target.kind}", limit)
    if problem.max_targets < 1 or (problem.max_pods_per_target or 1) < 1:
        raise InvalidProblem("max_targets and max_pods_per_target must be at least 1")


def check_variants(problem: Problem) -> None:
    """Raises InvalidProblem."""
    for name in twice(variant.name for variant in problem.variants):
        raise InvalidProblem(f"there are two variants called {name}")
    for variant in problem.variants:
        _amount(f"the accuracy of {variant.name}", variant.accuracy)
        _amount(f"the load time of {variant.name}", variant.load_time_s)
        _check_allocations(variant)


def _check_allocations(variant: Variant) -> None:
    try:
        check_distinct((allocation.size, None) for allocation in variant.allocations)
    except ValueError as error:
        raise InvalidProblem(f"{variant.name}: {error}") from None
    for allocation in variant.allocations:
        _amount(f"a capacity of {variant.name}", allocation.capacity_rps)
        _check_points(variant, allocation)
        for resource, amount in allocation.resources.items():
            _amount(f"the {resource} of an allocation of {variant.name}", amount)
        if not any(allocation.resources.values()):
            raise InvalidProblem(f"an allocation of {variant.name} uses no resources")


def _check_points(variant: Variant, allocation: Allocation) -> None:
    """
    Check that the points form an upper hull, as `frontier` returns it. Otherwise their segments
    would be filled in another order.
    """
    name, points = variant.name, allocation.points
    if not points:
        return
    for repeated in twice(point.name for point in points):
        raise InvalidProblem(f"a size of {name} has two operating points called {repeated}")
    for point in points:
        _amount(f"the accuracy of {name} at {point.name}", point.accuracy)
    ratios = [0.0, *(point.capacity_ratio for point in points)]
    if not (_rises(ratios) and ratios[-1] == 1.0):
        raise InvalidProblem(f"the operating points of a size of {name} must rise to its capacity")
    if not _rises([-variant.accuracy - ROUNDING, *(-point.accuracy for point in points)]):
        raise InvalidProblem(
            f"the accuracies of the operating points of {name} must fall, from its own at most"
        )
    if not _rises([-s.accuracy + n * ROUNDING for n, s in enumerate(variant.segments(allocation))]):
        raise InvalidProblem(f"an operating point of {name} is below the line between two others")


def _rises(values: list[float]) -> bool:
    return all(before < after for before, after in pairwise(values))


def _amount(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidProblem(f"{name} must be a number of at least 0, was {value}")
    if value > LARGEST_NUMBER:
        raise InvalidProblem(f"{name} must be at most {LARGEST_NUMBER:g}, was {value:g}")


def _pods(name: str, limit: int) -> None:
    if not isinstance(limit, int) or limit < 0:
        raise InvalidProblem(f"{name} must be limited to a whole number from 0, not to {limit}")
