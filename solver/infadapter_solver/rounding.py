"""
Reduce a large problem to the sizes that its linear relaxation uses, and their neighbours.

With many pods per size, rounding to whole pods costs little, and a vertex of the relaxation uses
few sizes. So the best plan is among those sizes or close to it. The programme on these sizes is
solved at once, where the full one still has no plan at the time limit.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import pulp

from infadapter_solver.candidates import Requirement, candidates, unit_cost_ratio
from infadapter_solver.problem import Allocation, PodSize, Problem, Target
from infadapter_solver.programme import best_programme
from infadapter_solver.variables import Programme

LARGE = 150
"""
Number of sizes from which a problem is reduced first; below it the full programme finds a good plan
as fast.
"""

EFFICIENT, SMALLEST = 4, 2
"""
Neighbours per target: the sizes with the lowest cost per capacity, and the smallest ones, which
fill what a whole pod of another size would exceed.
"""

USED = 1e-6


def is_large(problem: Problem) -> bool:
    return sum(map(len, candidates(problem).values())) > LARGE


def relaxation(problem: Problem, wanted: Requirement) -> Programme:
    """Return the programme with fractional pods and choices."""
    programme = best_programme(problem, wanted)
    for variable in programme.model.variables():
        variable.cat = pulp.LpContinuous
    return programme


def rounded(problem: Problem, solved: Programme) -> Problem | None:
    """
    Return the problem restricted to the sizes that a solved relaxation uses and their neighbours.
    """
    used = {
        (size.target, size.allocation)
        for size in solved.sizes
        if (pods := size.pods.varValue) is not None and math.isfinite(pods) and pods > USED
    }
    kept = {
        (target, allocation.size)
        for target, own in candidates(problem).items()
        if any((target, allocation) in used for allocation in own)
        for allocation in _near(problem, own, [a for t, a in used if t == target])
    }
    return _with_only(problem, kept) if kept else None


def _near(
    problem: Problem, own: tuple[Allocation, ...], used: list[Allocation]
) -> Iterator[Allocation]:
    yield from used
    yield from sorted(own, key=lambda a: unit_cost_ratio(problem, a) / a.capacity_rps)[:EFFICIENT]
    yield from sorted(own, key=lambda a: unit_cost_ratio(problem, a))[:SMALLEST]


def _with_only(problem: Problem, kept: set[tuple[Target, PodSize]]) -> Problem:
    variants = (
        replace(
            variant,
            allocations=tuple(
                a for a in variant.allocations if (Target(variant.name, a.kind), a.size) in kept
            ),
        )
        for variant in problem.variants
    )
    return replace(problem, variants=tuple(variants))
