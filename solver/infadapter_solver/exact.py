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

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.bounds import Bound, bounds
from infadapter_solver.layers import Choices, Floats, Layers, layers_for
from infadapter_solver.offers import Goal, goal, longest_load_s, relaxed
from infadapter_solver.pareto import undominated
from infadapter_solver.problem import Plan, PodGroup, Problem
from infadapter_solver.value import ROUNDING, TIE, best, evaluate, running_plan, score

MOST_LABELS = 500_000
"""Beyond that the programme is faster (benchmarks/solver.py)."""

FEW = 48
"""So many labels are branched sooner than compared."""

Groups = tuple[PodGroup, ...]
Rows = NDArray[np.intp]


class TooLarge(Exception):
    """More labels than the exact path is good for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The problem in numbers; `rate` is what serving a request per second gains, by layer."""

    layers: Layers
    wanted: Goal
    rate: Floats
    cost_weight: float
    loading_weight: float  # per second
    max_targets: int
    bounds: list[Bound]
    partial: bool = False  # any label is an answer: what counts is how much it serves


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Half-made plans, one a row."""

    sums: Choices
    gain: Floats
    targets: Floats
    parent: Rows  # in the labels of the layer before
    choice: Rows

    def rows(self, rows: Rows) -> "Labels":
        return Labels(
            sums=self.sums.rows(rows),
            gain=self.gain[rows],
            targets=self.targets[rows],
            parent=self.parent[rows],
            choice=self.choice[rows],
        )


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
    terms = _terms(problem, layers, wanted)
    running = running_plan(problem, wanted)
    known = max((score(problem, plan) for plan in running), default=-np.inf)
    found = _search(terms, max(known, _single(terms)))
    return [evaluate(problem, groups) for groups in found] + running


def _terms(problem: Problem, layers: Layers, wanted: Goal) -> Terms:
    rate = problem.accuracy_weight * layers.accuracy / wanted.served_rps
    return Terms(
        layers=layers,
        wanted=wanted,
        rate=rate,
        cost_weight=problem.cost_weight,
        loading_weight=problem.loading_weight / (longest_load_s(problem) or 1.0),
        max_targets=problem.max_targets,
        bounds=bounds(layers, rate, problem.cost_weight, wanted.served_rps),
    )


def _most_served_rps(problem: Problem, layers: Layers, wanted: Goal) -> float:
    """As accuracy 1 for every variant, and nothing costs anything."""
    terms = _terms(problem, layers, Goal(wanted.served_rps, 0.0, 0))
    rate = np.full(len(terms.rate), 1.0 / wanted.served_rps)
    found = bounds(layers, rate, 0.0, wanted.served_rps)
    found = [replace(bound, per_rps=np.maximum(bound.per_rps, 0.0)) for bound in found]
    served = replace(terms, rate=rate, cost_weight=0.0, loading_weight=0.0, partial=True)
    groups = _search(replace(served, bounds=found), -np.inf)[0]
    return min(sum(group.capacity_rps for group in groups), wanted.served_rps)


def _single(terms: Terms) -> float:
    """The best that one target alone is worth: the first bar for the bounds."""
    every, wanted = terms.layers.every, terms.wanted
    enough = every.capacity_rps >= wanted.capacity_rps * (1 - ROUNDING)
    enough &= every.pods >= wanted.min_replicas
    worth = terms.rate[terms.layers.layer] * wanted.served_rps
    worth -= terms.cost_weight * every.cost + terms.loading_weight * every.loading_s
    return float(worth[enough].max(initial=-np.inf))


def _search(terms: Terms, known: float) -> list[Groups]:
    """The complete plans within a tie of the best; no plan worse than `known` is looked for."""
    history: list[Labels] = []
    complete: list[tuple[Labels, Floats]] = []
    labels = _root(terms.layers)
    last = len(terms.layers.layers) - 1
    for depth in range(last + 1):
        history.append(labels)
        labels = _branch(terms, depth, labels)
        worth = _worth(terms, labels)
        done = _done(terms, labels)
        known = float(worth[done].max(initial=known))
        ties = np.flatnonzero(done & (worth >= known - TIE))
        complete.append((labels.rows(ties), worth[ties]))
        if depth == last:
            break
        open_ = _promising(terms, depth, labels, worth, known) & (terms.partial | ~done)
        labels = labels.rows(np.flatnonzero(open_))
        if not len(labels.gain):
            break
        labels = labels.rows(_ahead(terms, depth, labels))
    return _chosen(terms, history, complete, known)


def _root(layers: Layers) -> Labels:
    none = layers.layers[0].choices.rows(np.zeros(1, dtype=np.intp))
    start = np.zeros(1, dtype=np.intp)
    return Labels(sums=none, gain=np.zeros(1), targets=np.zeros(1), parent=start, choice=start)


def _branch(terms: Terms, depth: int, labels: Labels) -> Labels:
    """Every label with every choice that fits; capacity counts up to what is wanted."""
    own = terms.layers.layers[depth].choices
    width = len(own.pods)
    use = (labels.sums.use[:, None, :] + own.use).reshape(-1, own.use.shape[1])
    fits = np.flatnonzero((use <= terms.layers.budget).all(axis=1))
    if len(fits) > MOST_LABELS:
        raise TooLarge(f"{len(fits)} labels")
    parent, choice = np.divmod(fits, width)
    had = labels.sums.capacity_rps[parent]
    capacity = np.minimum(had + own.capacity_rps[choice], terms.wanted.capacity_rps)
    served = np.minimum(capacity, terms.wanted.served_rps) - np.minimum(
        had, terms.wanted.served_rps
    )
    return Labels(
        sums=Choices(
            capacity_rps=capacity,
            use=use[fits],
            cost=labels.sums.cost[parent] + own.cost[choice],
            pods=labels.sums.pods[parent] + own.pods[choice],
            starts=labels.sums.starts[parent] + own.starts[choice],
            loading_s=np.maximum(labels.sums.loading_s[parent], own.loading_s[choice]),
        ),
        gain=labels.gain[parent] + terms.rate[depth] * served,
        targets=labels.targets[parent] + (choice > 0),
        parent=parent,
        choice=choice,
    )


def _worth(terms: Terms, labels: Labels) -> Floats:
    return (
        labels.gain
        - terms.cost_weight * labels.sums.cost
        - terms.loading_weight * labels.sums.loading_s
    )


def _done(terms: Terms, labels: Labels) -> NDArray[np.bool_]:
    if terms.partial:
        return np.ones(len(labels.gain), dtype=np.bool_)
    enough = labels.sums.capacity_rps >= terms.wanted.capacity_rps * (1 - ROUNDING)
    return enough & (labels.sums.pods >= terms.wanted.min_replicas)


def _promising(
    terms: Terms, depth: int, labels: Labels, worth: Floats, known: float
) -> NDArray[np.bool_]:
    """Those that may still reach a plan as good as `known`, or tie with it."""
    layers, sums = terms.layers, labels.sums
    left_rps = terms.wanted.served_rps - np.minimum(sums.capacity_rps, terms.wanted.served_rps)
    left = layers.budget - sums.use
    open_ = labels.targets < terms.max_targets
    for bound in terms.bounds:
        most = worth + left_rps * bound.per_rps[depth] + left @ bound.shadow
        open_ &= most >= known - TIE
    if not terms.partial:
        missing_rps = (terms.wanted.capacity_rps - sums.capacity_rps) * (1 - 2 * ROUNDING)
        open_ &= missing_rps <= layers.later_rps[depth]
        for resource, rps in enumerate(layers.rps_per_unit[depth]):
            if np.isfinite(rps):
                open_ &= missing_rps <= left[:, resource] * rps
    return open_


def _ahead(terms: Terms, depth: int, labels: Labels) -> Rows:
    """Without the labels that another one makes superfluous."""
    if len(labels.gain) <= FEW:
        return np.arange(len(labels.gain))
    sums, rate = labels.sums, terms.rate[depth + 1]
    served = np.minimum(sums.capacity_rps, terms.wanted.served_rps)
    columns = [
        *(-sums.use.T),
        sums.capacity_rps,
        labels.gain - rate * served,
        -sums.starts,
        -labels.targets,
    ]
    if terms.loading_weight:
        columns.append(-sums.loading_s)
    if terms.wanted.min_replicas > 1:
        columns.append(np.minimum(sums.pods, terms.wanted.min_replicas))
    return undominated(np.stack(columns, axis=1))


def _chosen(
    terms: Terms, history: list[Labels], complete: list[tuple[Labels, Floats]], known: float
) -> list[Groups]:
    """Of those within a tie: the cheapest with fewest starts, and the best for what it is worth."""
    found = [
        (worth[row], round(labels.sums.cost[row], 9), labels.sums.starts[row], depth, row)
        for depth, (labels, worth) in enumerate(complete)
        for row in np.flatnonzero(worth >= known - TIE)
    ]
    if not found:
        return []
    cheapest = min((cost, starts) for _, cost, starts, _, _ in found)
    picked = [f for f in found if f[1:3] == cheapest] + [max(found)]
    return [_groups(terms, history, complete[d][0], d, int(row)) for *_, d, row in picked]


def _groups(terms: Terms, history: list[Labels], labels: Labels, depth: int, row: int) -> Groups:
    groups = []
    while True:
        layer, choice = terms.layers.layers[depth], labels.choice[row]
        if choice:
            pods = int(layer.choices.pods[choice])
            size = layer.sizes[choice - 1]
            groups.append(PodGroup(target=layer.target, allocation=size, pods=pods))
        if depth == 0:
            return tuple(groups)
        row, labels, depth = labels.parent[row], history[depth], depth - 1
