"""
The exact method for pods with operating points.

Targets are decided one after the other, and a label is followed while it may still be the best at
all prices (`prices`). Labels that meet the requirement are evaluated exactly: their segments filled
by marginal accuracy. Nothing is rounded or left out.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from infadapter_solver.candidates import Requirement, longest_load_s
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
from infadapter_solver.exact.curves import filled
from infadapter_solver.exact.incumbent import enough
from infadapter_solver.exact.prices import Prices, prices_of
from infadapter_solver.exact.tables import Tables, TooLarge
from infadapter_solver.objective import ROUNDING, TIE
from infadapter_solver.problem import PodGroup, Problem

MOST_LABELS, MOST_BRANCHES = 20_000, 400_000
"""Limits at one depth. Beyond them the programme is used."""

FEW_LABELS = 64
"""Number of most promising labels that are followed first, to find an incumbent."""

VALUED = 4096
"""Number of labels that are evaluated before the others, to raise the incumbent."""

Groups = tuple[PodGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Partial plans, one per row."""

    chosen: Rows  # by target
    sums: Floats  # by column
    loading_s: Floats
    earned: Floats  # by set of prices


@dataclass(slots=True)
class Search:
    problem: Problem
    tables: Tables
    wanted: Requirement
    prices: Prices
    known: float  # what the best is worth
    complete: list[tuple[float, float, float, float, tuple[int, ...]]] = field(default_factory=list)

    def run(self, most_labels: int | None = None) -> None:
        """
        Find all plans as good as the incumbent or tied with it; with `most_labels`, perhaps not
        all.
        """
        labels, choices = self._root(), self.prices.hopeful(self.known - TIE)
        for depth, table in enumerate(self.tables.by_target):
            labels, most = self._branch(depth, table, labels, choices[depth])
            labels = self._followed(labels, most, most_labels)

    def _followed(self, labels: Labels, most: Floats, most_labels: int | None) -> Labels:
        """
        Return the labels that may still be the best, after the most promising ones were evaluated.
        """
        valued = _most(most, VALUED)
        self._complete(_rows(labels, valued))
        hopeful = np.flatnonzero(most >= self.known - TIE)
        if most_labels is not None:
            return _rows(labels, hopeful[_most(most[hopeful], most_labels)])
        if len(hopeful) > MOST_LABELS:
            raise TooLarge(f"more than {MOST_LABELS} half-made plans to compare at once")
        self._complete(_rows(labels, np.setdiff1d(hopeful, valued)))
        return _rows(labels, hopeful)

    def found(self) -> list[Groups]:
        """
        Return, of the plans within a tie, the cheapest with fewest variants and starts, and the
        best.
        """
        ties = [plan for plan in self.complete if plan[0] >= self.known - TIE]
        if not ties:
            return []
        cheapest = min(plan[1:4] for plan in ties)
        picked = {*(plan for plan in ties if plan[1:4] == cheapest), max(ties)}
        return [self._groups(chosen) for *_, chosen in picked]

    def _root(self) -> Labels:
        return Labels(
            chosen=np.zeros((1, 0), dtype=np.intp),
            sums=self.tables.by_target[0].choices[:1],
            loading_s=np.zeros(1),
            earned=np.zeros((1, len(self.prices.base))),
        )

    def _branch(
        self, depth: int, table: Table, labels: Labels, choices: Rows
    ) -> tuple[Labels, Floats]:
        """
        Return every label with every choice that fits and may be the best, and their upper bounds.
        """
        width = len(choices)
        if len(labels.sums) * width > MOST_BRANCHES:
            raise TooLarge(f"more than {MOST_BRANCHES} half-made plans at once")
        sums = (labels.sums[:, None] + table.choices[choices]).reshape(-1, labels.sums.shape[1])
        fits = np.flatnonzero(self._fit(depth, sums))
        parent, choice, sums = fits // width, choices[fits % width], sums[fits]
        loading_s = np.maximum(labels.loading_s[parent], table.loading_s[choice])
        earned = labels.earned[parent] + self.prices.earned[depth][choice]
        most = (earned + self.prices.later[depth] + self.prices.base).min(axis=1)
        most -= self._loading_weight() * loading_s
        kept = np.flatnonzero(most >= self.known - TIE)
        chosen = np.concatenate([labels.chosen[parent[kept]], choice[kept, None]], axis=1)
        branched = Labels(
            chosen=chosen, sums=sums[kept], loading_s=loading_s[kept], earned=earned[kept]
        )
        return branched, most[kept]

    def _fit(self, depth: int, sums: Floats) -> NDArray[np.bool_]:
        missing_rps = self.wanted.capacity_rps * (1 - 2 * ROUNDING) - sums[:, CAPACITY]
        fits: NDArray[np.bool_] = missing_rps <= self.tables.later_rps[depth]
        fits &= (sums[:, USE:] <= self.tables.budget).all(axis=1)
        return fits & (sums[:, TARGETS] <= self.problem.max_targets)

    def _complete(self, labels: Labels) -> None:
        """
        Evaluate the labels that meet the requirement with their last target, and not already before
        it.
        """
        rows = np.flatnonzero(enough(self.wanted, labels.sums) & (labels.chosen[:, -1] > 0))
        labels = _rows(labels, rows)
        worth = self._worth(labels)
        self.known = float(worth.max(initial=self.known))
        ties = np.flatnonzero(worth >= self.known - TIE)
        for row in ties.tolist():
            sums = labels.sums[row]
            self.complete.append(
                (
                    float(worth[row]),
                    round(float(sums[COST]), 9),
                    float(sums[TARGETS]),
                    float(sums[STARTS]),
                    tuple(labels.chosen[row].tolist()),
                )
            )

    def _worth(self, labels: Labels) -> Floats:
        objective = self.problem.objective
        own = list(zip(self.tables.by_target, labels.chosen.T, strict=False))
        gained = filled(
            [table.rates[rows] for table, rows in own],
            [table.gains[rows] for table, rows in own],
            self.wanted.served_rps,
        )
        return (
            objective.accuracy_weight * gained / self.wanted.served_rps
            - objective.cost_weight * labels.sums[:, COST]
            - self._loading_weight() * labels.loading_s
        )

    def _loading_weight(self) -> float:
        return self.problem.objective.loading_weight / (longest_load_s(self.problem) or 1.0)

    def _groups(self, chosen: tuple[int, ...]) -> Groups:
        return tuple(
            PodGroup(
                target=table.target,
                allocation=table.sizes[choice - 1],
                pods=int(table.choices[choice, PODS]),
            )
            for table, choice in zip(self.tables.by_target, chosen, strict=False)
            if choice
        )


def _rows(labels: Labels, rows: Rows) -> Labels:
    return Labels(
        chosen=labels.chosen[rows],
        sums=labels.sums[rows],
        loading_s=labels.loading_s[rows],
        earned=labels.earned[rows],
    )


def _most(most: Floats, count: int) -> Rows:
    """Return the rows with the highest values."""
    return np.arange(len(most)) if len(most) <= count else np.argpartition(-most, count)[:count]


def optima(problem: Problem, tables: Tables, wanted: Requirement, known: float) -> list[Groups]:
    """Return the best plans and those that may tie with them. Raises TooLarge."""
    search = Search(problem, tables, wanted, prices_of(problem, tables, wanted), known)
    search.run(FEW_LABELS)
    search.run()
    return search.found()


def dive(problem: Problem, tables: Tables, wanted: Requirement) -> tuple[list[Groups], float]:
    """
    Return good plans from the most promising labels only, and an upper bound on every plan's
    objective.
    """
    search = Search(problem, tables, wanted, prices_of(problem, tables, wanted), -np.inf)
    search.run(FEW_LABELS)
    return search.found(), search.prices.ceiling
