"""The problem in numbers, as the exact path computes with it."""

from dataclasses import dataclass, replace

import numpy as np

from infadapter_solver.candidates import Requirement, longest_load_s
from infadapter_solver.exact.bounds import Bound, relax
from infadapter_solver.exact.tables import TARGETS, USE, Floats, Tables
from infadapter_solver.problem import Problem


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
    """As if every variant had accuracy 1 and nothing cost anything: worth is the share served."""
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
