"""
The large problem made small: the sizes that its linear relaxation uses, and their neighbours.

With many pods of a size, whole pods cost little against fractions of them, and a vertex of the
relaxation uses few sizes. So the best plan is among those sizes or near it: the programme on them
alone is solved at once, where that on all is still without a plan when its time is up.
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
"""Sizes in all; with fewer, the whole programme has a good plan as soon as this one would."""

EFFICIENT, SMALLEST = 4, 2
"""Sizes of a target beside those that the relaxation uses: the cheapest for what they serve, and
the smallest, which fill up what a whole pod of another would be too much for."""

USED = 1e-6


def is_large(problem: Problem) -> bool:
    return sum(map(len, candidates(problem).values())) > LARGE


def relaxation(problem: Problem, wanted: Requirement) -> Programme:
    """The programme with fractions of pods, and of the choice of a size."""
    programme = best_programme(problem, wanted)
    for variable in programme.model.variables():
        variable.cat = pulp.LpContinuous
    return programme


def rounded(problem: Problem, solved: Programme) -> Problem | None:
    """The problem on the sizes that a solved relaxation uses, and on their neighbours."""
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
