"""
What a problem may not be: said at once and by name, instead of as a wrong plan.

The exact path leaves out what can never pay; that is true for weights, prices and accuracies that
are not negative, and for numbers that are numbers.
"""

import math
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

from infadapter_solver.problem import CPU, Problem, Variant

T = TypeVar("T", bound=Hashable)

LARGEST_NUMBER = 1e18
"""More of anything is a mistake, and its products would be no numbers."""


class InvalidProblem(ValueError):
    """The problem contradicts itself; the message says where."""


def check(problem: Problem) -> None:
    """All but the variants. Raises InvalidProblem."""
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
    for name in _twice(variant.name for variant in problem.variants):
        raise InvalidProblem(f"there are two variants called {name}")
    for variant in problem.variants:
        _amount(f"the accuracy of {variant.name}", variant.accuracy)
        _amount(f"the load time of {variant.name}", variant.load_time_s)
        _check_allocations(variant)


def _check_allocations(variant: Variant) -> None:
    for size in _twice(allocation.size for allocation in variant.allocations):
        raise InvalidProblem(f"{variant.name} has two allocations of the size {dict(size.key)}")
    for allocation in variant.allocations:
        _amount(f"a capacity of {variant.name}", allocation.capacity_rps)
        for resource, amount in allocation.resources.items():
            _amount(f"the {resource} of an allocation of {variant.name}", amount)
        if not any(allocation.resources.values()):
            raise InvalidProblem(f"an allocation of {variant.name} uses no resources")


def _amount(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidProblem(f"{name} must be a number of at least 0, was {value}")
    if value > LARGEST_NUMBER:
        raise InvalidProblem(f"{name} must be at most {LARGEST_NUMBER:g}, was {value:g}")


def _pods(name: str, limit: int) -> None:
    if not isinstance(limit, int) or limit < 0:
        raise InvalidProblem(f"{name} must be limited to a whole number from 0, not to {limit}")


def _twice(items: Iterable[T]) -> Iterator[T]:
    seen: set[T] = set()
    for item in items:
        if item in seen:
            yield item
        seen.add(item)
