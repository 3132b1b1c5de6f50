"""
Half-made plans: how they branch, what they can still become, and which are superfluous.

Each is a row of a table; targets are decided one after the other, most accurate first, so that
the traffic that a label serves, and what it gains by that, is final.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.exact.coefficients import Coefficients
from infadapter_solver.exact.incumbent import enough
from infadapter_solver.exact.pareto import undominated
from infadapter_solver.exact.tables import (
    CAPACITY,
    COST,
    PODS,
    STARTS,
    TARGETS,
    USE,
    Floats,
    Layer,
    Layers,
    Rows,
    TooLarge,
)
from infadapter_solver.objective import ROUNDING

MOST_BRANCHES = 1_000_000
"""In one layer: a hundred megabytes, and a good part of a second."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Half-made plans, one a row."""

    sums: Floats  # by column; capacity up to what is wanted
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


def root(layers: Layers) -> Labels:
    start = np.zeros(1, dtype=np.intp)
    none = layers.layers[0].choices[:1]
    return Labels(sums=none, gain=np.zeros(1), loading_s=np.zeros(1), parent=start, choice=start)


def branch(terms: Coefficients, depth: int, layer: Layer, labels: Labels) -> Labels:
    """Every label with every choice that fits."""
    width, columns = layer.choices.shape
    if len(labels.gain) * width > MOST_BRANCHES:
        raise TooLarge(f"more than {MOST_BRANCHES} half-made plans at once")
    sums = (labels.sums[:, None] + layer.choices).reshape(-1, columns)
    fits = np.flatnonzero((sums <= terms.limits).all(axis=1))
    parent, choice = np.divmod(fits, width)
    sums = sums[fits]
    np.minimum(sums[:, CAPACITY], terms.wanted.capacity_rps, out=sums[:, CAPACITY])
    served = np.minimum(sums[:, CAPACITY], terms.wanted.served_rps)
    served -= np.minimum(labels.sums[:, CAPACITY], terms.wanted.served_rps)[parent]
    return Labels(
        sums=sums,
        gain=labels.gain[parent] + terms.rate[depth] * served,
        loading_s=np.maximum(labels.loading_s[parent], layer.loading_s[choice]),
        parent=parent,
        choice=choice,
    )


def worth(terms: Coefficients, labels: Labels) -> Floats:
    """The objective on what the labels serve so far."""
    found = labels.gain - terms.cost_weight * labels.sums[:, COST]
    if terms.loading_weight:
        found -= terms.loading_weight * labels.loading_s
    return found


def done(terms: Coefficients, labels: Labels) -> Mask:
    return (
        np.ones(len(labels.gain), dtype=np.bool_)
        if terms.partial
        else enough(terms.wanted, labels.sums)
    )


def most_worth(terms: Coefficients, depth: int, sums: Floats, worth: Floats) -> Floats:
    """What a plan made from each label can be worth; minus infinity where none can be made."""
    layers, wanted = terms.layers, terms.wanted
    if depth == len(layers.layers) - 1:
        return np.full(len(worth), -np.inf)
    left_rps = wanted.served_rps - np.minimum(sums[:, CAPACITY], wanted.served_rps)
    left = layers.budget - sums[:, USE:]
    most: Floats = worth + left_rps * terms.bounds[0].per_rps[depth]
    for bound in terms.bounds[1:]:
        np.minimum(most, worth + left_rps * bound.per_rps[depth] + left @ bound.shadow, out=most)
    open_ = sums[:, TARGETS] < terms.limits[TARGETS]
    if not terms.partial:
        # Of what `enough` asks for: a share of the rest would be lost in the sum's own rounding.
        missing_rps = wanted.capacity_rps * (1 - 2 * ROUNDING) - sums[:, CAPACITY]
        open_ &= missing_rps <= layers.later_rps[depth]
        for resource, rps in enumerate(layers.later_rps_per_unit[depth]):
            if np.isfinite(rps):
                open_ &= missing_rps <= left[:, resource] * rps
    most[~open_] = -np.inf
    return most


def ahead(terms: Coefficients, depth: int, labels: Labels) -> Rows:
    """Without the labels that another one makes superfluous."""
    sums, layers = labels.sums, terms.layers
    served = np.minimum(sums[:, CAPACITY], terms.wanted.served_rps)
    columns = [
        *(-sums[:, USE:].T),
        sums[:, CAPACITY],
        labels.gain - terms.rate[depth + 1] * served,
        -sums[:, STARTS],
    ]
    if terms.limits[TARGETS] < len(layers.layers):
        columns.append(-sums[:, TARGETS])
    if terms.loading_weight:
        columns.append(-labels.loading_s)
    if terms.wanted.min_replicas > 1:
        columns.append(np.minimum(sums[:, PODS], terms.wanted.min_replicas))
    return undominated(np.stack(columns, axis=1))
