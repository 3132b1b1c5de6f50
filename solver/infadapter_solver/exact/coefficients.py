"""
The problem as numbers for the exact method, and upper bounds on what a label can become.

The bound is the linear relaxation of what is still open. A request that later targets have to serve
gains at most the best accuracy less cost over all their sizes. A scarce resource gets a shadow
price, which makes its use more expensive and its remainder valuable. Every price gives a valid
bound; that of the relaxation of the whole problem a tight one.
"""

from dataclasses import dataclass, replace

import numpy as np

from infadapter_solver.candidates import Requirement, longest_load_s
from infadapter_solver.exact.choices import CAPACITY, COST, TARGETS, USE, Floats
from infadapter_solver.exact.tables import Tables
from infadapter_solver.problem import Problem

MOST_PIVOTS = 50
"""
Limit on simplex steps, far more than needed. If it should cycle, the last prices still give a valid
bound.
"""

LEAST_GAIN = 1e-9
"""Gain in the objective below which no further simplex step is made."""


@dataclass(frozen=True, slots=True)
class Bound:
    """
    The most that a request gains at these shadow prices: over all targets, and over those after
    each.
    """

    anywhere_per_rps: float
    per_rps: Floats
    shadow: Floats  # by resource: of one unit, in the objective


@dataclass(frozen=True, slots=True)
class Relaxation:
    bounds: tuple[Bound, ...]
    serving: tuple[int, ...]  # by place in the tables: the targets that serve in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    tables: Tables
    wanted: Requirement
    rate: Floats  # by target: what serving a request per second gains
    cost_weight: float
    loading_weight: float  # per second
    limits: Floats  # by column
    bounds: tuple[Bound, ...]
    relaxed: tuple[int, ...]  # the targets that the linear relaxation serves with
    partial: bool = False  # any label is an answer: what counts is how much it serves

    @property
    def ceiling(self) -> float:
        """No plan is worth more."""
        return min(
            self.wanted.served_rps * bound.anywhere_per_rps
            + float(self.tables.budget @ bound.shadow)
            for bound in self.bounds
        )


def coefficients_of(problem: Problem, tables: Tables, wanted: Requirement) -> Coefficients:
    rate = problem.objective.accuracy_weight * tables.accuracy / wanted.served_rps
    limits = np.full(USE + len(tables.budget), np.inf)
    limits[TARGETS] = problem.max_targets
    limits[USE:] = tables.budget
    relaxation = relax(tables, rate, problem.objective.cost_weight, wanted.served_rps)
    return Coefficients(
        tables=tables,
        wanted=wanted,
        rate=rate,
        cost_weight=problem.objective.cost_weight,
        loading_weight=problem.objective.loading_weight / (longest_load_s(problem) or 1.0),
        limits=limits,
        bounds=relaxation.bounds,
        relaxed=relaxation.serving,
    )


def served_alone(coefficients: Coefficients) -> Coefficients:
    """
    Return coefficients with accuracy 1 and no costs, so that the objective is the share served.
    """
    most_rps = coefficients.wanted.served_rps
    rate = np.full(len(coefficients.rate), 1.0 / most_rps)
    return replace(
        coefficients,
        rate=rate,
        cost_weight=0.0,
        loading_weight=0.0,
        bounds=relax(coefficients.tables, rate, 0.0, most_rps, partial=True).bounds,
        partial=True,
    )


def relax(
    tables: Tables, rate: Floats, cost_weight: float, served_rps: float, *, partial: bool = False
) -> Relaxation:
    """
    Return the relaxation. `rate` is the gain in accuracy of a request per second, by target. With
    `partial` some demand may stay unserved.
    """
    every = tables.every
    use = every[:, USE:] / every[:, [CAPACITY]]  # for a request per second
    gain = rate[tables.target] - cost_weight * every[:, COST] / every[:, CAPACITY]
    budget = np.maximum(tables.budget, 1.0)
    unserved = 0.0 if partial else -10 * float(np.abs(gain).max()) * served_rps - 1
    prices, rows = dual(gain * served_rps, use * served_rps / budget, unserved)
    found = [_bound(tables, gain, np.zeros(len(budget)), partial)]
    if prices.any():
        shadow = prices / budget
        found.append(_bound(tables, gain - use @ shadow, shadow, partial))
    return Relaxation(tuple(found), tuple(sorted({int(tables.target[row]) for row in rows})))


def _bound(tables: Tables, gain: Floats, shadow: Floats, partial: bool) -> Bound:
    best = np.maximum.reduceat(gain, tables.first)
    later = np.full(len(best), -np.inf)
    later[:-1] = np.maximum.accumulate(best[::-1])[::-1][1:]
    return Bound(float(best.max()), np.maximum(later, 0.0) if partial else later, shadow)


def dual(gain: Floats, use: Floats, unserved: float) -> tuple[Floats, list[int]]:
    """
    Return the resource prices of max gain·x, sum x = 1, use·x <= 1, x >= 0, and the positive x.

    Simplex method. The basis has one row for the demand and one per resource, two or three in all,
    so each step is one pass over the choices. It starts from serving nothing.
    """
    size = 1 + use.shape[1]
    columns = np.concatenate([np.ones((len(gain), 1)), use], axis=1)
    tableau = np.concatenate([np.eye(size), np.ones((size, 1))], axis=1)  # inverse basis, values
    worth = np.zeros(size)
    worth[0] = unserved
    basis = [-1] * size
    for _ in range(MOST_PIVOTS):
        dual = worth @ tableau[:, :size]
        better = gain - columns @ dual
        enters, slack = int(better.argmax()), int(dual[1:].argmin())
        if dual[1 + slack] < min(-LEAST_GAIN, -better[enters]):
            column, value, name = np.eye(size)[1 + slack], 0.0, -1
        elif better[enters] > LEAST_GAIN:
            column, value, name = columns[enters], gain[enters], enters
        else:
            break
        row = _pivot(tableau, column)
        worth[row], basis[row] = value, name
    return np.maximum(dual[1:], 0.0), [row for row in basis if row >= 0]


def _pivot(tableau: Floats, column: Floats) -> int:
    """
    Bring the column into the basis and return the leaving row, the first whose value reaches 0.
    """
    along = tableau[:, :-1] @ column
    room = np.full(len(along), np.inf)
    np.divide(tableau[:, -1], along, out=room, where=along > 1e-12)
    row = int(room.argmin())
    tableau[row] /= along[row]
    along[row] = 0.0
    tableau -= along[:, None] * tableau[row]
    return row
