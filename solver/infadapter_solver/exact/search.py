"""
The exact method: branch and bound over labels (partial plans).

For pods with operating points see `mixed`; here each pod answers with one accuracy.

Targets are decided one after the other, most accurate first, and each label branches into the
target's choices. Traffic fills in the same order, so a label's gain in accuracy is final. A label
is dropped - when the budget or the number of targets is exceeded, or the rest cannot serve the
remaining demand; - when its upper bound (`coefficients`) is below the incumbent; - when another
label uses no more of anything, serves no less, and would still be ahead if every request it serves
less got the accuracy of the next target: any completion of the one then completes the other.

A label that serves everything is complete, since any addition only costs. Nothing is rounded or
left out, so the best complete label is the optimum.
"""

from dataclasses import dataclass

import numpy as np

from infadapter_solver.candidates import Requirement, has_points, relaxed, requirement
from infadapter_solver.exact import mixed
from infadapter_solver.exact.choices import CAPACITY, COST, PODS, STARTS, TARGETS, Floats, Rows
from infadapter_solver.exact.coefficients import Coefficients, coefficients_of, served_alone
from infadapter_solver.exact.incumbent import incumbent
from infadapter_solver.exact.labels import Labels, ahead, branch, done, most_worth, root, worth
from infadapter_solver.exact.tables import Tables, TooLarge, tables_for
from infadapter_solver.objective import TIE, best, broken, evaluate, running_plan, score
from infadapter_solver.problem import Plan, PodGroup, Problem

MOST_LABELS = 10_000
"""Limit at one depth. Beyond it the programme is faster (benchmarks/solver.py)."""

LEAST_COMPARED = 48
"""Number of labels below which branching is faster than testing for dominance."""

DIVE_FROM, DIVE_LABELS = 150, 64
"""
With more than DIVE_FROM choices, an incumbent is first searched with DIVE_LABELS labels per depth.
"""

Groups = tuple[PodGroup, ...]


@dataclass(frozen=True, slots=True)
class Complete:
    """Labels that meet the requirement."""

    depth: int
    labels: Labels
    worth: Floats


@dataclass(frozen=True, slots=True)
class Found:
    history: list[Labels]  # by depth: the labels before branching
    complete: list[Complete]
    known: float  # what the best is worth


def solve_exact(problem: Problem) -> Plan:
    """Return the optimum, or the best effort. Raises TooLarge if the programme should be used."""
    wanted = requirement(problem)
    tables = tables_for(problem, wanted)
    if tables is None:
        return evaluate(problem, ())
    plans = _optima(problem, tables, wanted)
    if not plans:
        most = _most_served(problem, tables, wanted)
        requirements = iter(relaxed(problem, sum(most.served_rps.values())))
        while not plans:
            wanted = next(requirements)
            plans = _optima(problem, tables, wanted)
            plans += [] if broken(problem, most, wanted) else [most]
    return best(problem, plans)


def none_beats(problem: Problem, worth: float) -> bool:
    """
    Whether the problem has plans and none of them reaches `worth`.

    Few labels pass a high incumbent, so this is known long before the optimum. Always False for
    pods with operating points and for problems that are too large.
    """
    if has_points(problem):
        return False
    wanted = requirement(problem)
    try:
        tables = tables_for(problem, wanted)
        if tables is None:
            return False
        coefficients = coefficients_of(problem, tables, wanted)
        if not -np.inf < incumbent(coefficients) < worth:
            return False
        return not _search(coefficients, worth).complete
    except TooLarge:
        return False


def dive(problem: Problem, wanted: Requirement) -> tuple[list[Plan], float]:
    """
    Return a good plan from the most promising labels, and an upper bound on every plan's objective;
    no plan and infinity if even that is too large.
    """
    try:
        tables = tables_for(problem, wanted)
        if tables is None:
            return [], np.inf
        found, ceiling = _dive(problem, tables, wanted)
    except TooLarge:
        return [], np.inf
    return [evaluate(problem, groups) for groups in found], ceiling


def _dive(problem: Problem, tables: Tables, wanted: Requirement) -> tuple[list[Groups], float]:
    if has_points(problem):
        return mixed.dive(problem, tables, wanted)
    coefficients = coefficients_of(problem, tables, wanted)
    found = _search(coefficients, -np.inf, DIVE_LABELS)
    return _chosen(coefficients, found), coefficients.ceiling


def _optima(problem: Problem, tables: Tables, wanted: Requirement) -> list[Plan]:
    """
    Return plans that meet the requirement: the best, those that may tie with it, and the running
    one.
    """
    running = running_plan(problem, wanted)
    worth = [score(problem, plan) for plan in running]
    if has_points(problem):
        found = mixed.optima(problem, tables, wanted, max(worth, default=-np.inf))
        return [evaluate(problem, groups) for groups in found] + running
    coefficients = coefficients_of(problem, tables, wanted)
    known = max([incumbent(coefficients), *worth])
    if len(tables.every) > DIVE_FROM:
        known = _search(coefficients, known, DIVE_LABELS).known
    found = _chosen(coefficients, _search(coefficients, known))
    return [evaluate(problem, groups) for groups in found] + running


def _most_served(problem: Problem, tables: Tables, wanted: Requirement) -> Plan:
    # A share of a far larger demand would vanish within a tie.
    all_rps = tables.later_rps[0] + tables.by_target[0].choices[:, CAPACITY].max()
    most_rps = min(wanted.served_rps, float(all_rps))
    coefficients = served_alone(coefficients_of(problem, tables, Requirement(most_rps, 0.0, 0)))
    plans = [
        evaluate(problem, groups)
        for groups in _chosen(coefficients, _search(coefficients, -np.inf))
    ]
    return max(plans, key=lambda plan: sum(plan.served_rps.values()))


def _search(coefficients: Coefficients, known: float, most_labels: int | None = None) -> Found:
    """
    Return all plans as good as `known` or tied with it. With `most_labels` only the most promising
    labels are followed, and the result may not be the best.
    """
    history: list[Labels] = []
    complete: list[Complete] = []
    labels = root(coefficients.tables)
    for depth, table in enumerate(coefficients.tables.by_target):
        history.append(labels)
        labels = branch(coefficients, depth, table, labels)
        worths, served = worth(coefficients, labels), done(coefficients, labels)
        known = float(worths[served].max(initial=known))
        ties = np.flatnonzero(served & (worths >= known - TIE))
        if len(ties):
            complete.append(Complete(depth, labels.rows(ties), worths[ties]))
        most = most_worth(coefficients, depth, labels.sums, worths)
        hopeful = (most > -np.inf) & (most >= known - TIE) & (coefficients.partial | ~served)
        open_ = _few(np.flatnonzero(hopeful), most, most_labels)
        if not len(open_):
            break
        labels = labels.rows(open_)
        if len(open_) > LEAST_COMPARED:
            labels = labels.rows(ahead(coefficients, depth, labels))
    return Found(history, complete, known)


def _few(rows: Rows, most: Floats, most_labels: int | None) -> Rows:
    if most_labels is None and len(rows) > MOST_LABELS:
        raise TooLarge(f"more than {MOST_LABELS} half-made plans to compare at once")
    if most_labels is None or len(rows) <= most_labels:
        return rows
    return rows[np.argpartition(-most[rows], most_labels)[:most_labels]]


def _chosen(coefficients: Coefficients, result: Found) -> list[Groups]:
    """
    Return the tied plans to compare: the cheapest with the fewest models and starts, and the one of
    the highest objective.
    """
    found = [
        (worth, round(cost, 9), models, starts, at.depth, row)
        for at in result.complete
        for row, (worth, (cost, models, starts)) in enumerate(
            zip(
                at.worth.tolist(),
                at.labels.sums[:, [COST, TARGETS, STARTS]].tolist(),
                strict=True,
            )
        )
        if worth >= result.known - TIE
    ]
    if not found:
        return []
    labels = {at.depth: at.labels for at in result.complete}
    cheapest = min(plan[1:4] for plan in found)
    picked = {*(plan for plan in found if plan[1:4] == cheapest), max(found)}
    return [
        _groups(coefficients, result.history, labels[depth], depth, row)
        for *_, depth, row in picked
    ]


def _groups(
    coefficients: Coefficients, history: list[Labels], labels: Labels, depth: int, row: int
) -> Groups:
    groups = []
    for at in range(depth, -1, -1):
        table, choice = coefficients.tables.by_target[at], int(labels.choice[row])
        if choice:
            pods = int(table.choices[choice, PODS])
            size = table.sizes[choice - 1]
            groups.append(PodGroup(target=table.target, allocation=size, pods=pods))
        row, labels = int(labels.parent[row]), history[at]
    return tuple(groups)
