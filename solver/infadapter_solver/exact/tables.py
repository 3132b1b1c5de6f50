"""
The tables of the exact method: for every target its choices of size and number of pods.

They depend on profiles, budget and running pods, but not on the demand, which changes in every
cycle; so they are cached. Of the demand only the next power of two matters, as a limit on pods.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from infadapter_solver.candidates import Requirement, candidates, most_pods
from infadapter_solver.check import check_variants
from infadapter_solver.exact.choices import CAPACITY, USE, Floats, Rows, Table, table_of
from infadapter_solver.problem import Allocation, Problem, Target, Variant

CACHED_TABLES = 256
"""Number of cached problems: several services with the plans they alternate between."""

CACHED_TARGETS = 1024
"""
Number of cached single targets: a start or removal in one leaves the tables of the others
unchanged.
"""

MOST_CHOICES = 20_000
"""Limit on choices over all targets; the paper has 95."""


class TooLarge(Exception):
    """The problem is too large for the exact method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    by_target: tuple[Table, ...]  # most accurate first
    accuracy: Floats  # by target
    budget: Floats  # by resource
    every: Floats  # the choices of all tables, but to run none
    loading_s: Floats  # by row of `every`
    target: Rows  # its number, by row of `every`
    first: Rows  # by target: its first row of `every`
    later_rps: Floats  # by target: what all targets after it can serve
    later_rps_per_unit: Floats  # by target and resource: the most that a unit can serve after it


def tables_for(problem: Problem, wanted: Requirement) -> Tables | None:
    """Return the tables, or None if nothing may run at all."""
    ceiling = Requirement(_power_of_two(wanted.capacity_rps), 0.0, wanted.min_replicas)
    return _kept(_Question(_key(problem, ceiling), problem, ceiling))


def forget_tables() -> None:
    """Clear the cache, for benchmarks."""
    _kept.cache_clear()
    _kept_of.cache_clear()


@dataclass(frozen=True, slots=True)
class _Question:
    """The inputs of the tables, compared by key."""

    key: Hashable
    problem: Problem = field(compare=False)
    ceiling: Requirement = field(compare=False)


@dataclass(frozen=True, slots=True)
class _QuestionOf:
    """The inputs of one target's table; sizes and counts follow from the key."""

    key: Hashable
    question: _Question = field(compare=False)
    target: Target = field(compare=False)
    variant: Variant = field(compare=False)
    sizes: Sequence[Allocation] = field(compare=False)
    counts: Sequence[int] = field(compare=False)


@lru_cache(maxsize=CACHED_TARGETS)
def _kept_of(of: _QuestionOf) -> Table:
    question = of.question
    return table_of(question.problem, question.ceiling, of.target, of.sizes, of.counts, of.variant)


@lru_cache(maxsize=CACHED_TABLES)
def _kept(question: _Question) -> Tables | None:
    problem = question.problem
    check_variants(problem)
    variants = {variant.name: variant for variant in problem.variants}
    found = {
        target: sorted(sizes, key=lambda size: size.size)
        for target, sizes in candidates(problem).items()
    }
    if not found:
        return None
    counts = {
        target: [most_pods(problem, question.ceiling, target, size) for size in sizes]
        for target, sizes in found.items()
    }
    if sum(map(sum, counts.values())) > MOST_CHOICES:
        raise TooLarge(f"more than {MOST_CHOICES} ways to size and count the pods of a variant")
    of_all, at_hand = _of_all(problem, question.ceiling), _at_hand(problem)
    by_target = tuple(
        _kept_of(
            _QuestionOf(
                key=_key_of(problem, target, variants[target.variant], of_all, at_hand),
                question=question,
                target=target,
                variant=variants[target.variant],
                sizes=sizes,
                counts=counts[target],
            )
        )
        for target, sizes in found.items()
    )
    every = np.concatenate([table.choices[1:] for table in by_target])
    lengths = [len(table.sizes) for table in by_target]
    first = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.intp)
    with np.errstate(divide="ignore"):
        per_unit = every[:, [CAPACITY]] / every[:, USE:]
    return Tables(
        by_target=by_target,
        accuracy=np.array([variants[table.target.variant].accuracy for table in by_target]),
        budget=np.array([float(amount) for amount in problem.budget.values()]),
        every=every,
        loading_s=np.concatenate([table.loading_s[1:] for table in by_target]),
        target=np.repeat(np.arange(len(by_target)), lengths),
        first=first,
        later_rps=_later(np.add, np.maximum.reduceat(every[:, CAPACITY], first)),
        later_rps_per_unit=_later(np.maximum, np.maximum.reduceat(per_unit, first)),
    )


def _later(accumulate: np.ufunc, of_target: Floats) -> Floats:
    """Return, for each target, the sum of `of_target` over later targets; 0 after the last."""
    later = np.zeros_like(of_target)
    later[:-1] = accumulate.accumulate(of_target[::-1])[::-1][1:]
    return later


def _power_of_two(rps: float) -> float:
    return 2.0 ** math.ceil(math.log2(rps)) if rps > 0 else 1.0


def _key_of(
    problem: Problem,
    target: Target,
    variant: Variant,
    of_all: tuple[Hashable, ...],
    at_hand: Mapping[tuple[Target, Hashable], int],
) -> Hashable:
    return (
        target,
        variant.key,
        *of_all,
        problem.pod_limits.get(target),
        frozenset(item for item in at_hand.items() if item[0][0] == target),
    )


def _key(problem: Problem, ceiling: Requirement) -> Hashable:
    """Return a key by content, because each decision builds new objects from the same profiles."""
    return (
        tuple(variant.key for variant in problem.variants),
        *_of_all(problem, ceiling),
        frozenset(problem.pod_limits.items()),
        frozenset(_at_hand(problem).items()),
    )


def _of_all(problem: Problem, ceiling: Requirement) -> tuple[Hashable, ...]:
    """Return the part of the key that is common to all targets."""
    return (
        tuple(problem.budget.items()),
        tuple(problem.objective.prices.items()),
        problem.max_pods_per_target,
        problem.resize_loads,
        ceiling,
    )


def _at_hand(problem: Problem) -> dict[tuple[Target, Hashable], int]:
    """
    Return the part that depends on running pods: only their number per allocation, so a resize
    keeps the tables.
    """
    found: dict[tuple[Target, Hashable], int] = {}
    for group in problem.running:
        size = group.allocation.size
        pod = (group.target, size if problem.resize_loads else size.but_cpu)
        found[pod] = found.get(pod, 0) + group.pods
    return found
