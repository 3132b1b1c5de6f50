"""
Labels (partial plans): how they branch, their upper bounds, and which ones are dominated.

Each label is a row of a table. Targets are decided one after the other, most accurate first, so
that the traffic a label serves, and its gain, are final.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.exact.choices import (
    CAPACITY,
    COST,
    PODS,
    STARTS,
    TARGETS,
    USE,
    Floats,
    Rows,
    Table,
)
from infadapter_solver.exact.coefficients import Coefficients
from infadapter_solver.exact.incumbent import enough
from infadapter_solver.exact.pareto import undominated
from infadapter_solver.exact.tables import Tables, TooLarge
from infadapter_solver.objective import ROUNDING

MOST_BRANCHES = 1_000_000
"""Largest number of branches at one depth: a hundred megabytes, and a good part of a second."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Partial plans, one per row."""

    sums: Floats  # by column; capacity cut off at the requirement
    gain: Floats
    loading_s: Floats
    parent: Rows  # in the labels that were branched
    choice: Rows

    def rows(self, rows: Rows) -> "Labels":
        return Labels(
            sums=self.sums[rows],
            gain=self.gain[rows],
            loading_s=self.loading_s[rows],
            parent=self.parent[rows],
            choice=self.choice[rows],
        )


def root(tables: Tables) -> Labels:
    start = np.zeros(1, dtype=np.intp)
    none = tables.by_target[0].choices[:1]
    return Labels(sums=none, gain=np.zeros(1), loading_s=np.zeros(1), parent=start, choice=start)


def branch(coefficients: Coefficients, depth: int, table: Table, labels: Labels) -> Labels:
    """Return every label combined with every choice that fits."""
    width, columns = table.choices.shape
    if len(labels.gain) * width > MOST_BRANCHES:
        raise TooLarge(f"more than {MOST_BRANCHES} half-made plans at once")
    sums = (labels.sums[:, None] + table.choices).reshape(-1, columns)
    fits = np.flatnonzero((sums <= coefficients.limits).all(axis=1))
    parent, choice = np.divmod(fits, width)
    sums = sums[fits]
    np.minimum(sums[:, CAPACITY], coefficients.wanted.capacity_rps, out=sums[:, CAPACITY])
    served = np.minimum(sums[:, CAPACITY], coefficients.wanted.served_rps)
    served -= np.minimum(labels.sums[:, CAPACITY], coefficients.wanted.served_rps)[parent]
    return Labels(
        sums=sums,
        gain=labels.gain[parent] + coefficients.rate[depth] * served,
        loading_s=np.maximum(labels.loading_s[parent], table.loading_s[choice]),
        parent=parent,
        choice=choice,
    )


def worth(coefficients: Coefficients, labels: Labels) -> Floats:
    """Return the objective of what the labels serve so far."""
    found = labels.gain - coefficients.cost_weight * labels.sums[:, COST]
    if coefficients.loading_weight:
        found -= coefficients.loading_weight * labels.loading_s
    return found


def done(coefficients: Coefficients, labels: Labels) -> Mask:
    return (
        np.ones(len(labels.gain), dtype=np.bool_)
        if coefficients.partial
        else enough(coefficients.wanted, labels.sums)
    )


def most_worth(coefficients: Coefficients, depth: int, sums: Floats, worth: Floats) -> Floats:
    """Return an upper bound on the objective of any completion; minus infinity if there is none."""
    tables, wanted = coefficients.tables, coefficients.wanted
    if depth == len(tables.by_target) - 1:
        return np.full(len(worth), -np.inf)
    left_rps = wanted.served_rps - np.minimum(sums[:, CAPACITY], wanted.served_rps)
    left = tables.budget - sums[:, USE:]
    most: Floats = worth + left_rps * coefficients.bounds[0].per_rps[depth]
    for bound in coefficients.bounds[1:]:
        np.minimum(most, worth + left_rps * bound.per_rps[depth] + left @ bound.shadow, out=most)
    open_ = sums[:, TARGETS] < coefficients.limits[TARGETS]
    if not coefficients.partial:
        # Relative to the whole requirement: a tolerance on the remainder would be lost in rounding.
        missing_rps = wanted.capacity_rps * (1 - 2 * ROUNDING) - sums[:, CAPACITY]
        open_ &= missing_rps <= tables.later_rps[depth]
        for resource, rps in enumerate(tables.later_rps_per_unit[depth]):
            if np.isfinite(rps):
                open_ &= missing_rps <= left[:, resource] * rps
    most[~open_] = -np.inf
    return most


def ahead(coefficients: Coefficients, depth: int, labels: Labels) -> Rows:
    """Return the labels that no other label dominates."""
    sums = labels.sums
    served = np.minimum(sums[:, CAPACITY], coefficients.wanted.served_rps)
    columns = [
        *(-sums[:, USE:].T),
        sums[:, CAPACITY],
        labels.gain - coefficients.rate[depth + 1] * served,
        -sums[:, STARTS],
        -sums[:, TARGETS],
    ]
    if coefficients.loading_weight:
        columns.append(-labels.loading_s)
    if coefficients.wanted.min_replicas > 1:
        columns.append(np.minimum(sums[:, PODS], coefficients.wanted.min_replicas))
    return undominated(np.stack(columns, axis=1))
