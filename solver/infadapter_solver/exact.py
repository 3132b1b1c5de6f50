"""
The exact path: a label for every half-made plan that may still become the best.

Targets are taken one after the other, most accurate first, and each label branches into the
target's choices. Traffic fills in the same order, so a label's gain in accuracy is final. Labels go

- when the budget or the number of targets is exceeded, or what is left cannot serve the rest;
- when their upper bound (`bounds`) is below the best complete plan;
- when another label has used no more of anything, serves no less, and would still be ahead if the
  next target's accuracy were given to every request it serves less of: whatever completes the one
  completes the other.

A label that serves everything is complete: what is added can only cost. Nothing is rounded and
nothing is left out, so the best complete label is the optimum.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.guess import enough, guess
from infadapter_solver.layers import (
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
    layers_for,
)
from infadapter_solver.offers import Goal, goal, relaxed
from infadapter_solver.pareto import undominated
from infadapter_solver.problem import Plan, PodGroup, Problem
from infadapter_solver.terms import Terms, served_alone, terms_of
from infadapter_solver.value import ROUNDING, TIE, best, evaluate, running_plan, score

MOST_LABELS = 500_000
"""Beyond that the programme is faster (benchmarks/solver.py)."""

FEW = 48
"""So many labels are branched sooner than compared."""

Groups = tuple[PodGroup, ...]
Mask = NDArray[np.bool_]


class TooLarge(Exception):
    """More labels than the exact path is good for."""


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


@dataclass(frozen=True, slots=True)
class Complete:
    """Labels that serve all that is wanted."""

    depth: int
    labels: Labels
    worth: Floats


def solve_exact(problem: Problem) -> Plan:
    """The optimum, or the best effort. Raises TooLarge where the programme should be asked."""
    wanted = goal(problem)
    layers = layers_for(problem, wanted)
    if layers is None:
        return evaluate(problem, ())
    plans = _optima(problem, layers, wanted)
    if not plans:
        most_rps = _most_served_rps(problem, layers, wanted)
        goals = iter(relaxed(problem, most_rps))
        while not plans:
            plans = _optima(problem, layers, next(goals))
    return best(problem, plans)


def _optima(problem: Problem, layers: Layers, wanted: Goal) -> list[Plan]:
    """Plans that reach what is wanted: the best, all that may tie with it, and what runs."""
    terms = terms_of(problem, layers, wanted)
    running = running_plan(problem, wanted)
    known = max((score(problem, plan) for plan in running), default=-np.inf)
    found = _search(terms, max(known, guess(terms)))
    return [evaluate(problem, groups) for groups in found] + running


def _most_served_rps(problem: Problem, layers: Layers, wanted: Goal) -> float:
    terms = terms_of(problem, layers, Goal(wanted.served_rps, 0.0, 0))
    groups = _search(served_alone(terms), -np.inf)[0]
    return min(sum(group.capacity_rps for group in groups), wanted.served_rps)


def _search(terms: Terms, known: float) -> list[Groups]:
    """The complete plans within a tie of the best; no plan worse than `known` is looked for."""
    history: list[Labels] = []
    complete: list[Complete] = []
    labels = _root(terms.layers)
    for depth, layer in enumerate(terms.layers.layers):
        history.append(labels)
        labels = _branch(terms, depth, layer, labels)
        worth = labels.gain - terms.cost_weight * labels.sums[:, COST]
        if terms.loading_weight:
            worth -= terms.loading_weight * labels.loading_s
        done = _done(terms, labels)
        known = float(worth[done].max(initial=known))
        ties = np.flatnonzero(done & (worth >= known - TIE))
        if len(ties):
            complete.append(Complete(depth, labels.rows(ties), worth[ties]))
        open_ = (terms.partial | ~done) & _promising(terms, depth, labels.sums, worth, known)
        labels = labels.rows(np.flatnonzero(open_))
        if not len(labels.gain):
            break
        if len(labels.gain) > FEW:
            labels = labels.rows(_ahead(terms, depth, labels))
    return _chosen(terms, history, complete, known)


def _root(layers: Layers) -> Labels:
    start = np.zeros(1, dtype=np.intp)
    none = layers.layers[0].choices[:1]
    return Labels(sums=none, gain=np.zeros(1), loading_s=np.zeros(1), parent=start, choice=start)


def _branch(terms: Terms, depth: int, layer: Layer, labels: Labels) -> Labels:
    """Every label with every choice that fits."""
    width, columns = layer.choices.shape
    sums = (labels.sums[:, None] + layer.choices).reshape(-1, columns)
    fits = np.flatnonzero((sums <= terms.limits).all(axis=1))
    if len(fits) > MOST_LABELS:
        raise TooLarge(f"more than {MOST_LABELS} plans to compare at once")
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


def _done(terms: Terms, labels: Labels) -> Mask:
    return (
        np.ones(len(labels.gain), dtype=np.bool_)
        if terms.partial
        else enough(terms.wanted, labels.sums)
    )


def _promising(terms: Terms, depth: int, sums: Floats, worth: Floats, known: float) -> Mask:
    """Those that may still reach a plan as good as `known`, or tie with it."""
    layers, wanted = terms.layers, terms.wanted
    if depth == len(layers.layers) - 1:
        return np.zeros(len(worth), dtype=np.bool_)
    left_rps = wanted.served_rps - np.minimum(sums[:, CAPACITY], wanted.served_rps)
    left = layers.budget - sums[:, USE:]
    open_: Mask = sums[:, TARGETS] < terms.limits[TARGETS]
    for bound in terms.bounds:
        open_ &= worth + left_rps * bound.per_rps[depth] + left @ bound.shadow >= known - TIE
    if not terms.partial:
        missing_rps = (wanted.capacity_rps - sums[:, CAPACITY]) * (1 - ROUNDING) - ROUNDING
        open_ &= missing_rps <= layers.later_rps[depth]
        for resource, rps in enumerate(layers.later_rps_per_unit[depth]):
            if np.isfinite(rps):
                open_ &= missing_rps <= left[:, resource] * rps
    return open_


def _ahead(terms: Terms, depth: int, labels: Labels) -> Rows:
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


def _chosen(
    terms: Terms, history: list[Labels], complete: list[Complete], known: float
) -> list[Groups]:
    """Of those within a tie: the cheapest with fewest starts, and the best for what it is worth."""
    found = [
        (worth, round(cost, 9), starts, at.depth, row)
        for at in complete
        for row, (worth, (cost, _, starts)) in enumerate(
            zip(at.worth.tolist(), at.labels.sums[:, : STARTS + 1].tolist(), strict=True)
        )
        if worth >= known - TIE
    ]
    if not found:
        return []
    labels = {at.depth: at.labels for at in complete}
    cheapest = min(plan[1:3] for plan in found)
    picked = {*(plan for plan in found if plan[1:3] == cheapest), max(found)}
    return [_groups(terms, history, labels[depth], depth, row) for *_, depth, row in picked]


def _groups(terms: Terms, history: list[Labels], labels: Labels, depth: int, row: int) -> Groups:
    groups = []
    for at in range(depth, -1, -1):
        layer, choice = terms.layers.layers[at], int(labels.choice[row])
        if choice:
            pods = int(layer.choices[choice, PODS])
            size = layer.sizes[choice - 1]
            groups.append(PodGroup(target=layer.target, allocation=size, pods=pods))
        row, labels = int(labels.parent[row]), history[at]
    return tuple(groups)
