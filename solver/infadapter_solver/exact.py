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
    TooLarge,
    layers_for,
)
from infadapter_solver.offers import Goal, goal, relaxed
from infadapter_solver.pareto import undominated
from infadapter_solver.problem import Plan, PodGroup, Problem
from infadapter_solver.terms import Terms, served_alone, terms_of
from infadapter_solver.value import ROUNDING, TIE, best, evaluate, running_plan, score

MOST_BRANCHES, MOST_LABELS = 500_000, 10_000
"""In one layer. Beyond that the programme is faster (benchmarks/solver.py)."""

FEW = 48
"""So many labels are branched sooner than compared."""

MANY, DIVE = 150, 64
"""With more choices than MANY, DIVE labels a layer find a plan to beat before all are followed."""

Groups = tuple[PodGroup, ...]
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


@dataclass(frozen=True, slots=True)
class Complete:
    """Labels that serve all that is wanted."""

    depth: int
    labels: Labels
    worth: Floats


@dataclass(frozen=True, slots=True)
class Found:
    history: list[Labels]  # by depth: the labels that were branched there
    complete: list[Complete]
    known: float  # what the best is worth


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
    known = max([guess(terms), *(score(problem, plan) for plan in running)])
    if len(layers.every) > MANY:
        known = _search(terms, known, DIVE).known
    found = _chosen(terms, _search(terms, known))
    return [evaluate(problem, groups) for groups in found] + running


def _most_served_rps(problem: Problem, layers: Layers, wanted: Goal) -> float:
    terms = served_alone(terms_of(problem, layers, Goal(wanted.served_rps, 0.0, 0)))
    groups = _chosen(terms, _search(terms, -np.inf))[0]
    return min(sum(group.capacity_rps for group in groups), wanted.served_rps)


def _search(terms: Terms, known: float, most_labels: int | None = None) -> Found:
    """
    All plans as good as `known`, or tied with it. With `most_labels`, only the most promising
    labels are followed: what that finds is a plan, perhaps not the best.
    """
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
        most = _most(terms, depth, labels.sums, worth)
        hopeful = (most > -np.inf) & (most >= known - TIE)
        open_ = np.flatnonzero(hopeful & (terms.partial | ~done))
        if not len(open_):
            break
        if len(open_) > (most_labels or MOST_LABELS):
            if most_labels is None:
                raise TooLarge(f"more than {MOST_LABELS} half-made plans to compare at once")
            open_ = open_[np.argpartition(-most[open_], most_labels)[:most_labels]]
        labels = labels.rows(open_)
        if len(open_) > FEW:
            labels = labels.rows(_ahead(terms, depth, labels))
    return Found(history, complete, known)


def _root(layers: Layers) -> Labels:
    start = np.zeros(1, dtype=np.intp)
    none = layers.layers[0].choices[:1]
    return Labels(sums=none, gain=np.zeros(1), loading_s=np.zeros(1), parent=start, choice=start)


def _branch(terms: Terms, depth: int, layer: Layer, labels: Labels) -> Labels:
    """Every label with every choice that fits."""
    width, columns = layer.choices.shape
    sums = (labels.sums[:, None] + layer.choices).reshape(-1, columns)
    fits = np.flatnonzero((sums <= terms.limits).all(axis=1))
    if len(fits) > MOST_BRANCHES:
        raise TooLarge(f"more than {MOST_BRANCHES} half-made plans at once")
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


def _most(terms: Terms, depth: int, sums: Floats, worth: Floats) -> Floats:
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
        missing_rps = (wanted.capacity_rps - sums[:, CAPACITY]) * (1 - ROUNDING) - ROUNDING
        open_ &= missing_rps <= layers.later_rps[depth]
        for resource, rps in enumerate(layers.later_rps_per_unit[depth]):
            if np.isfinite(rps):
                open_ &= missing_rps <= left[:, resource] * rps
    most[~open_] = -np.inf
    return most


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


def _chosen(terms: Terms, result: Found) -> list[Groups]:
    """Of those within a tie: the cheapest with fewest starts, and the best for what it is worth."""
    found = [
        (worth, round(cost, 9), starts, at.depth, row)
        for at in result.complete
        for row, (worth, (cost, _, starts)) in enumerate(
            zip(at.worth.tolist(), at.labels.sums[:, : STARTS + 1].tolist(), strict=True)
        )
        if worth >= result.known - TIE
    ]
    if not found:
        return []
    labels = {at.depth: at.labels for at in result.complete}
    cheapest = min(plan[1:3] for plan in found)
    picked = {*(plan for plan in found if plan[1:3] == cheapest), max(found)}
    return [_groups(terms, result.history, labels[depth], depth, row) for *_, depth, row in picked]


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
