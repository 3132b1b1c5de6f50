"""
Upper bounds for pods with operating points, by Lagrangian relaxation.

Traffic fills the segments of all pods together, so the gain of a target depends on the others. With
prices for a request and for each resource it does not: no plan exceeds the cost of demand and
budget at these prices plus what the points of each target earn beyond prices and cost. The prices
of the linear relaxation give a tight bound; where they do not, neighbouring prices do.
"""

from dataclasses import dataclass

import numpy as np

from infadapter_solver.candidates import Requirement
from infadapter_solver.exact.choices import COST, USE, Floats, Rows
from infadapter_solver.exact.coefficients import dual
from infadapter_solver.exact.tables import Tables
from infadapter_solver.problem import Problem

STEPS = (0.0, 0.01, -0.01, 0.03, -0.03, 0.1, -0.1, 0.3, -0.3)
"""Prices of a request relative to the relaxation's, as accuracies added to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Several sets of prices, each of which bounds the objective."""

    base: Floats  # by set: of the demand and of the budget
    earned: tuple[Floats, ...]  # by target, of choice and set: beyond prices and cost
    later: Floats  # by target and set: the most that those after it earn

    @property
    def ceiling(self) -> float:
        """Upper bound on the objective of any plan."""
        return float(self._most().min())

    def hopeful(self, known: float) -> list[Rows]:
        """Return, by target, the choices with which a plan may reach `known`."""
        most = [self._most() - each.max(axis=0) + each for each in self.earned]
        return [np.flatnonzero(each.min(axis=1) >= known) for each in most]

    def _most(self) -> Floats:
        found: Floats = self.base + self.later[0] + self.earned[0].max(axis=0)
        return found


def prices_of(problem: Problem, tables: Tables, wanted: Requirement) -> Prices:
    weight, rate = problem.objective.cost_weight, problem.objective.accuracy_weight
    rate /= wanted.served_rps
    rows = _Rows(tables, rate, weight)
    budget = np.maximum(tables.budget, 1.0)
    unserved = -10 * float(np.abs(rows.gain).max()) * wanted.served_rps - 1
    scaled = rows.use * wanted.served_rps / budget
    shadow = dual(rows.gain * wanted.served_rps, scaled, unserved)[0] / budget
    relaxed = float((rows.gain - rows.use @ shadow).max())
    sets = [(relaxed + step * rate, rows.shadow(shadow, relaxed + step * rate)) for step in STEPS]
    earned = tuple(
        _earned(table.rates, table.gains * rate, table.choices, weight, sets)
        for table in tables.by_target
    )
    most = np.array([each.max(axis=0) for each in earned])
    later = np.zeros_like(most)
    later[:-1] = most[::-1].cumsum(axis=0)[::-1][1:]
    base = [wanted.served_rps * request + tables.budget @ shadow for request, shadow in sets]
    return Prices(base=np.array(base), earned=earned, later=later)


class _Rows:
    """All choices and points, per request per second."""

    def __init__(self, tables: Tables, rate: float, cost_weight: float) -> None:
        choices = [(t.choices[1:], t.rates[1:], t.gains[1:]) for t in tables.by_target]
        rps = np.concatenate([rates.ravel() for _, rates, _ in choices])
        gain = np.concatenate([gains.ravel() for _, _, gains in choices])
        each = [np.repeat(rows, rates.shape[1], axis=0) for rows, rates, _ in choices]
        all_rows = np.concatenate(each)
        self.use = all_rows[:, USE:] / rps[:, None]
        self.gain = rate * gain / rps - cost_weight * all_rows[:, COST] / rps

    def shadow(self, shadow: Floats, request: float) -> Floats:
        """Scale the shadow prices so that at this price of a request no row earns anything."""
        priced = self.use @ shadow
        if not (priced > 0).any():
            return shadow
        needed = (self.gain - request)[priced > 0] / priced[priced > 0]
        return shadow * max(0.0, float(needed.max()))


def _earned(
    rates: Floats,
    gains: Floats,
    choices: Floats,
    cost_weight: float,
    sets: list[tuple[float, Floats]],
) -> Floats:
    found = [
        np.maximum((gains - request * rates).max(axis=1), 0.0)
        - cost_weight * choices[:, COST]
        - choices[:, USE:] @ shadow
        for request, shadow in sets
    ]
    return np.stack(found, axis=1)
