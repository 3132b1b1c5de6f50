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

from infadapter_solver.offers import (
    Goal,
    most_pods,
    offers,
    pods_at_hand,
    unit_cost_ratio,
)
from infadapter_solver.pareto import undominated
from infadapter_solver.problem import Allocation, Problem, Target

Floats = NDArray[np.float64]

KEPT = 64
"""Tables kept at a time: some services, with the plans they move between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Ways to run a target, or several targets' one after the other; one row each."""

    capacity_rps: Floats
    use: Floats  # by row and resource
    cost: Floats  # share of what the whole budget costs
    pods: Floats
    starts: Floats
    loading_s: Floats

    def rows(self, rows: NDArray[np.intp]) -> "Choices":
        return Choices(
            capacity_rps=self.capacity_rps[rows],
            use=self.use[rows],
            cost=self.cost[rows],
            pods=self.pods[rows],
            starts=self.starts[rows],
            loading_s=self.loading_s[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    target: Target
    sizes: tuple[Allocation, ...]  # by choice but the first
    choices: Choices  # the first is to run none


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    layers: tuple[Layer, ...]  # most accurate first
    accuracy: Floats  # by layer
    budget: Floats  # by resource
    every: Choices  # of all layers
    first: NDArray[np.intp]  # by layer: its first row in `every`
    layer: NDArray[np.intp]  # by row in `every`
    rps_per_unit: Floats  # by layer and resource: what a unit can add in the layers after it
    later_rps: Floats  # by layer: what all layers after it can add


def layers_for(problem: Problem, wanted: Goal) -> Layers | None:
    """None if nothing may run at all."""
    ceiling = Goal(_power_of_two(wanted.capacity_rps), 0.0, wanted.min_replicas)
    return _kept(_Tables(_key(problem, ceiling), problem, ceiling))


@dataclass(frozen=True, slots=True)
class _Tables:
    key: Hashable
    problem: Problem = field(compare=False)
    ceiling: Goal = field(compare=False)


@lru_cache(maxsize=KEPT)
def _kept(tables: _Tables) -> Layers | None:
    accuracy = {variant.name: variant.accuracy for variant in tables.problem.variants}
    layers = tuple(
        _layer(tables, target, allocations)
        for target, allocations in offers(tables.problem).items()
    )
    if not layers:
        return None
    lengths = np.array([len(layer.sizes) for layer in layers])
    every = _together([layer.choices.rows(np.arange(1, len(layer.sizes) + 1)) for layer in layers])
    per_unit, later_rps = _reach(every, lengths)
    return Layers(
        layers=layers,
        accuracy=np.array([accuracy[layer.target.variant] for layer in layers]),
        budget=np.array([float(amount) for amount in tables.problem.budget.values()]),
        every=every,
        first=np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.intp),
        layer=np.repeat(np.arange(len(layers)), lengths),
        rps_per_unit=per_unit,
        later_rps=later_rps,
    )


def _layer(tables: _Tables, target: Target, allocations: tuple[Allocation, ...]) -> Layer:
    problem, ceiling = tables.problem, tables.ceiling
    load_s = next(v.load_time_s for v in problem.variants if v.name == target.variant)
    sizes = sorted(allocations, key=lambda allocation: allocation.size)
    per_size = [
        _of_size(problem, target, size, np.arange(1.0, most_pods(problem, ceiling, size) + 1))
        for size in sizes
    ]
    choices = _together(per_size)
    choices.loading_s[choices.starts > 0] = load_s
    kept = _useful(choices, ceiling)
    of = [size for size, own in zip(sizes, per_size, strict=True) for _ in own.pods]
    none = _of_size(problem, target, sizes[0], np.zeros(1))
    return Layer(
        target=target,
        sizes=tuple(of[row] for row in kept),
        choices=_together([none, choices.rows(kept)]),
    )


def _of_size(problem: Problem, target: Target, size: Allocation, pods: Floats) -> Choices:
    one = np.array([float(size.resources.get(name, 0)) for name in problem.budget])
    at_hand = pods_at_hand(problem, target, size)
    return Choices(
        capacity_rps=pods * size.capacity_rps,
        use=pods[:, None] * one,
        cost=pods * unit_cost_ratio(problem, size),
        pods=pods,
        starts=np.maximum(pods - at_hand, 0.0),
        loading_s=np.zeros(len(pods)),
    )


def _useful(choices: Choices, ceiling: Goal) -> NDArray[np.intp]:
    """Without those that use as much as another, start as much and serve less."""
    columns = [
        np.minimum(choices.capacity_rps, ceiling.capacity_rps),
        -choices.starts,
        *(-choices.use.T),
    ]
    if ceiling.min_replicas > 1:
        columns.append(choices.pods)
    return undominated(np.stack(columns, axis=1))


def _together(parts: list[Choices]) -> Choices:
    return Choices(
        capacity_rps=np.concatenate([part.capacity_rps for part in parts]),
        use=np.concatenate([part.use for part in parts]),
        cost=np.concatenate([part.cost for part in parts]),
        pods=np.concatenate([part.pods for part in parts]),
        starts=np.concatenate([part.starts for part in parts]),
        loading_s=np.concatenate([part.loading_s for part in parts]),
    )


def _reach(every: Choices, lengths: NDArray[np.int_]) -> tuple[Floats, Floats]:
    """What the layers after each can still serve: per unit of a resource, and all in all."""
    with np.errstate(divide="ignore"):
        ratio = every.capacity_rps[:, None] / every.use
    first = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.intp)
    best = np.maximum.reduceat(ratio, first)
    most = np.maximum.reduceat(every.capacity_rps, first)
    after, later = np.zeros_like(best), np.zeros_like(most)
    after[:-1] = np.maximum.accumulate(best[::-1])[::-1][1:]
    later[:-1] = np.cumsum(most[::-1])[::-1][1:]
    return after, later


def _power_of_two(rps: float) -> float:
    return 2.0 ** math.ceil(math.log2(rps)) if rps > 0 else 1.0


def _key(problem: Problem, ceiling: Goal) -> Hashable:
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
        tuple(problem.prices.items()),
        problem.max_pods_per_target,
        problem.resize_loads,
        tuple((g.target, g.allocation.size, g.pods) for g in problem.running),
        ceiling,
    )
