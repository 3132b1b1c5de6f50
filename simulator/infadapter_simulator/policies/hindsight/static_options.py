"""The candidates of a static choice."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from infadapter_simulator.scenario import Scenario
from infadapter_solver import Allocation, PodGroup, Target, Variant

MOST_VARIANTS = 3
MOST_CHOICES = 2_000_000
"""Limit on the combinations; beyond it sizes are left out evenly."""


def variant_sets(scenario: Scenario) -> Iterator[list[list[PodGroup]]]:
    """Yield sets of variants, the most accurate first, with the possible groups of each."""
    variants = sorted(scenario.variants, key=lambda variant: -variant.accuracy)
    groups = [found for variant in variants if (found := _groups(scenario, variant))]
    sets = [
        list(chosen)
        for count in range(1, MOST_VARIANTS + 1)
        for chosen in combinations(groups, count)
    ]
    every = 1
    while sum(_count(chosen, every) for chosen in sets) > MOST_CHOICES:
        every += 1
    return ([groups[::-1][::every] for groups in chosen] for chosen in sets)


def _count(chosen: Sequence[Sequence[PodGroup]], every: int) -> int:
    return int(np.prod([-(-len(groups) // every) for groups in chosen]))


def _groups(scenario: Scenario, variant: Variant) -> list[PodGroup]:
    """Return one pod of each size, or several of the largest, by price."""
    kinds = {allocation.kind for allocation in variant.allocations}
    largest = [
        max((a for a in variant.allocations if a.kind == kind), key=lambda a: a.capacity_rps)
        for kind in sorted(kinds)
    ]
    alone = [
        PodGroup(target=_target(variant, a), allocation=a, pods=1) for a in variant.allocations
    ]
    several = [
        PodGroup(target=_target(variant, a), allocation=a, pods=pods)
        for a in largest
        for pods in range(2, _room(scenario, a) + 1)
    ]
    fitting = [g for g in (*alone, *several) if _room(scenario, g.allocation) >= g.pods]
    return sorted(fitting, key=lambda group: scenario.objective.price_of(group.resources))


def _room(scenario: Scenario, allocation: Allocation) -> int:
    """Return how many such pods fit into the budget."""
    return min(
        (scenario.budget.get(name, 0) // amount for name, amount in _used(allocation)), default=0
    )


def _used(allocation: Allocation) -> list[tuple[str, int]]:
    return [(name, amount) for name, amount in allocation.resources.items() if amount > 0]


def _target(variant: Variant, allocation: Allocation) -> Target:
    return Target(variant.name, allocation.kind)
