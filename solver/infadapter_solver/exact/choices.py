"""The table of a target's choices: a row for each size and number of pods."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.candidates import Requirement, pods_at_hand, unit_cost_ratio
from infadapter_solver.exact.curves import points_of, served_at
from infadapter_solver.exact.pareto import undominated
from infadapter_solver.problem import Allocation, Problem, Target, Variant

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

COST, CAPACITY, STARTS, PODS, TARGETS, USE = range(6)
"""
Columns of a table of choices, or of sums of choices; from USE on, one per resource. Cost is a share
of the budget's cost, capacity is in requests per second.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The choices of one target."""

    target: Target
    sizes: tuple[Allocation, ...]  # by choice but the first
    choices: Floats  # by choice and column; the first is to run none
    loading_s: Floats  # by choice
    rates: Floats  # by choice and operating point, the most accurate first; the last may repeat
    gains: Floats  # the same: accuracy times rate


def table_of(
    problem: Problem,
    ceiling: Requirement,
    target: Target,
    sizes: Sequence[Allocation],
    counts: Sequence[int],
    variant: Variant,
) -> Table:
    """Return the table; `counts` are the largest numbers of pods by size."""
    of = np.repeat(np.arange(len(sizes)), counts)
    choices = _choices(problem, target, sizes, counts, of)
    of_pod = [size.segments(variant.accuracy) for size in sizes]
    at_accuracies = choices[:, [PODS]] * served_at(of_pod, _accuracies(variant, sizes))[of]
    useful = _useful(choices, ceiling, at_accuracies)
    none = np.zeros((1, choices.shape[1]))
    choices = np.concatenate([none, choices[useful]])
    rates, gains = points_of(of_pod)
    pods, size_of = choices[:, [PODS]], np.concatenate([[0], of[useful]])
    return Table(
        target=target,
        sizes=tuple(sizes[of[row]] for row in useful),
        choices=choices,
        loading_s=np.where(choices[:, STARTS] > 0, variant.load_time_s, 0.0),
        rates=pods * rates[size_of],
        gains=pods * gains[size_of],
    )


def _accuracies(variant: Variant, sizes: Sequence[Allocation]) -> list[float]:
    """
    Return the accuracies of the points; empty without points, since then everything is served at
    the variant's.
    """
    points = {point.accuracy for size in sizes for point in size.points}
    return sorted(points | {variant.accuracy}) if points else []


def _choices(
    problem: Problem,
    target: Target,
    sizes: Sequence[Allocation],
    counts: Sequence[int],
    of: Rows,
) -> Floats:
    """Return rows for every number of pods of each size; `of` is the size's index, by row."""
    pods = np.concatenate([np.arange(1.0, most + 1) for most in counts])
    use = np.array([[a.resources.get(name, 0) for name in problem.budget] for a in sizes])
    rows = np.empty((len(pods), USE + len(problem.budget)))
    rows[:, COST] = pods * np.array([unit_cost_ratio(problem, a) for a in sizes])[of]
    rows[:, CAPACITY] = pods * np.array([a.capacity_rps for a in sizes])[of]
    at_hand = np.array([pods_at_hand(problem, target, a) for a in sizes])
    rows[:, STARTS] = np.maximum(pods - at_hand[of], 0.0)
    rows[:, PODS] = pods
    rows[:, TARGETS] = 1.0
    rows[:, USE:] = pods[:, None] * use[of]
    return rows


def _useful(choices: Floats, ceiling: Requirement, at_accuracies: Floats) -> Rows:
    """
    Return the rows without dominated ones: rows that use and start as much as another and serve
    less, in total and at no less than the mean accuracy of each point. A row that serves as much at
    all of these is as accurate at every rate.
    """
    columns = [
        np.minimum(choices[:, CAPACITY], ceiling.capacity_rps),
        *at_accuracies.T,
        -choices[:, STARTS],
        *(-choices[:, USE:].T),
    ]
    if ceiling.min_replicas > 1:
        columns.append(choices[:, PODS])
    return undominated(np.stack(columns, axis=1))
