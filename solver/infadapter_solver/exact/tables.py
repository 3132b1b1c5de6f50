"""
The exact path's tables: for every target, what choosing so many pods of such a size means.

They depend on the profiles, the budget and what runs, not on the demand, which changes at every
tick; so they are kept. Of the demand only the next power of two counts, as a bound on pods.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.candidates import (
    Requirement,
    candidates,
    most_pods,
    pods_at_hand,
    unit_cost_ratio,
)
from infadapter_solver.check import check_variants
from infadapter_solver.exact.pareto import undominated
from infadapter_solver.problem import Allocation, Problem, Target

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

KEPT = 256
"""Tables kept at a time: some services, with the plans they move between."""

MOST_CHOICES = 20_000
"""Of all targets together; the paper has 95."""


class TooLarge(Exception):
    """More to compare than the exact path is good for."""


COST, CAPACITY, STARTS, PODS, TARGETS, USE = range(6)
"""
Columns of a table of choices, or of sums of choices; from USE on, one for each resource.

Cost is a share of what the budget costs, capacity in requests per second.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    target: Target
    sizes: tuple[Allocation, ...]  # by choice but the first
    choices: Floats  # by choice and column; the first is to run none
    loading_s: Floats  # by choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    layers: tuple[Layer, ...]  # most accurate first
    accuracy: Floats  # by layer
    budget: Floats  # by resource
    every: Floats  # the choices of all layers, but to run none
    loading_s: Floats  # by row of `every`
    layer: Rows  # by row of `every`
    first: Rows  # by layer: its first row of `every`
    later_rps: Floats  # by layer: what all layers after it can serve
    later_rps_per_unit: Floats  # by layer and resource: the most that a unit can serve after it


def layers_for(problem: Problem, wanted: Requirement) -> Layers | None:
    """None if nothing may run at all."""
    ceiling = Requirement(_power_of_two(wanted.capacity_rps), 0.0, wanted.min_replicas)
    return _kept(_Tables(_key(problem, ceiling), problem, ceiling))


def forget_tables() -> None:
    """For measuring: the next question builds its own."""
    _kept.cache_clear()


@dataclass(frozen=True, slots=True)
class _Tables:
    key: Hashable
    problem: Problem = field(compare=False)
    ceiling: Requirement = field(compare=False)


@lru_cache(maxsize=KEPT)
def _kept(tables: _Tables) -> Layers | None:
    problem = tables.problem
    check_variants(problem)
    variants = {variant.name: variant for variant in problem.variants}
    found = candidates(problem)
    if not found:
        return None
    choices = sum(
        most_pods(problem, tables.ceiling, target, a) for target, own in found.items() for a in own
    )
    if choices > MOST_CHOICES:
        raise TooLarge(f"more than {MOST_CHOICES} ways to size and count the pods of a variant")
    layers = tuple(
        _layer(tables, target, sizes, variants[target.variant].load_time_s)
        for target, sizes in found.items()
    )
    every = np.concatenate([layer.choices[1:] for layer in layers])
    lengths = [len(layer.sizes) for layer in layers]
    first = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.intp)
    with np.errstate(divide="ignore"):
        per_unit = every[:, [CAPACITY]] / every[:, USE:]
    return Layers(
        layers=layers,
        accuracy=np.array([variants[layer.target.variant].accuracy for layer in layers]),
        budget=np.array([float(amount) for amount in problem.budget.values()]),
        every=every,
        loading_s=np.concatenate([layer.loading_s[1:] for layer in layers]),
        layer=np.repeat(np.arange(len(layers)), lengths),
        first=first,
        later_rps=_later(np.add, np.maximum.reduceat(every[:, CAPACITY], first)),
        later_rps_per_unit=_later(np.maximum, np.maximum.reduceat(per_unit, first)),
    )


def _layer(
    tables: _Tables, target: Target, sizes: tuple[Allocation, ...], load_time_s: float
) -> Layer:
    none = np.zeros((1, USE + len(tables.problem.budget)))
    of, rows = [], []
    for size in sorted(sizes, key=lambda size: size.size):
        own = _of_size(tables, target, size)
        of += [size] * len(own)
        rows.append(own)
    choices = np.concatenate(rows)
    useful = _useful(choices, tables.ceiling)
    choices = np.concatenate([none, choices[useful]])
    return Layer(
        target=target,
        sizes=tuple(of[row] for row in useful),
        choices=choices,
        loading_s=np.where(choices[:, STARTS] > 0, load_time_s, 0.0),
    )


def _of_size(tables: _Tables, target: Target, size: Allocation) -> Floats:
    """Any number of pods of one size."""
    problem = tables.problem
    pods = np.arange(1.0, most_pods(problem, tables.ceiling, target, size) + 1)
    table = np.empty((len(pods), USE + len(problem.budget)))
    table[:, COST] = pods * unit_cost_ratio(problem, size)
    table[:, CAPACITY] = pods * size.capacity_rps
    table[:, STARTS] = np.maximum(pods - pods_at_hand(problem, target, size), 0.0)
    table[:, PODS] = pods
    table[:, TARGETS] = 1.0
    table[:, USE:] = pods[:, None] * [size.resources.get(name, 0) for name in problem.budget]
    return table


def _useful(choices: Floats, ceiling: Requirement) -> Rows:
    """Without those that use as much as another, start as much and serve less."""
    columns = [
        np.minimum(choices[:, CAPACITY], ceiling.capacity_rps),
        -choices[:, STARTS],
        *(-choices[:, USE:].T),
    ]
    if ceiling.min_replicas > 1:
        columns.append(choices[:, PODS])
    return undominated(np.stack(columns, axis=1))


def _later(accumulate: np.ufunc, by_layer: Floats) -> Floats:
    """For each layer, `by_layer` of those after it together; 0 after the last."""
    later = np.zeros_like(by_layer)
    later[:-1] = accumulate.accumulate(by_layer[::-1])[::-1][1:]
    return later


def _power_of_two(rps: float) -> float:
    return 2.0 ** math.ceil(math.log2(rps)) if rps > 0 else 1.0


def _key(problem: Problem, ceiling: Requirement) -> Hashable:
    """By content: who decides anew builds new objects from the same profiles."""
    return (
        tuple(
            (
                variant.name,
                variant.accuracy,
                variant.load_time_s,
                tuple(
                    (a.capacity_rps, a.batch_size, *a.resources.items())
                    for a in variant.allocations
                ),
            )
            for variant in problem.variants
        ),
        tuple(problem.budget.items()),
        tuple(problem.objective.prices.items()),
        problem.max_pods_per_target,
        frozenset(problem.pod_limits.items()),
        problem.resize_loads,
        tuple((g.target, g.allocation.size, g.pods) for g in problem.running),
        ceiling,
    )
