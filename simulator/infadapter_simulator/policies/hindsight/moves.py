"""Transitions between plans: their cost, and the time until the next one is possible."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from infadapter_simulator.policies.hindsight.pareto_plans import (
    ABSENT,
    Plans,
    Slot,
    sizes_of,
)
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.queues import Floats, Ints
from infadapter_solver import CPU, Resources

MARGIN_S = 0.05
"""Time between a pod's last possible answer and its termination, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Delays that a schedule has to know, s."""

    step_s: float  # plans change at multiples of it
    resize_s: float
    start_s: Floats  # by slot
    leave_s: float  # from its last request until a pod holds nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Transitions by target plan: those to plan p are first[p] up to, excluding, first[p + 1]."""

    first: Ints
    source: Ints
    before: Ints  # steps at the source while pods start beside it, including the first
    after: Ints  # steps at the goal in which terminating pods may still hold resources
    cost: Floats  # at the prices, in addition to the plans' own costs


def step_s(scenario: Scenario) -> float:
    """Return the step: a resize is in force before the next may be requested."""
    return float(max(1, ceil(scenario.resize_delay_s)))


def times_of(scenario: Scenario, slots: tuple[Slot, ...]) -> Times:
    return Times(
        step_s=step_s(scenario),
        resize_s=scenario.resize_delay_s,
        start_s=np.array(
            [max(scenario.start_s(s.target.variant), scenario.resize_delay_s) for s in slots]
        ),
        leave_s=max(scenario.slo_s, scenario.drain_s) + MARGIN_S,
    )


def moves_of(scenario: Scenario, plans: Plans) -> Moves:
    """Return all transitions that respect budget and surge at every moment."""
    every = _Ways(scenario, plans)
    found = [every.to(goal) for goal in range(len(plans))]
    return Moves(
        first=np.cumsum([0, *(len(source) for source, *_ in found)]),
        source=np.concatenate([source for source, *_ in found]),
        before=np.concatenate([before for _, before, _, _ in found]),
        after=np.concatenate([after for *_, after, _ in found]),
        cost=np.concatenate([cost for *_, cost in found]),
    )


def _most(scenario: Scenario) -> Resources:
    """Return the limit on resources held at once, budget and surge."""
    return {name: n + scenario.surge.get(name, 0) for name, n in scenario.budget.items()}


class _Ways:
    """
    Transitions in which a pod starts as small as possible and is resized just before it serves.
    """

    def __init__(self, scenario: Scenario, plans: Plans) -> None:
        self._plans = plans
        self._times = times_of(scenario, plans.slots)
        self._least = np.array([min(sizes_of(scenario, slot)) for slot in plans.slots])
        most = _most(scenario)
        self._names = tuple(most)
        self._most = np.array([most[name] for name in self._names])
        self._fixed = np.array(  # by resource and slot, without CPU
            [[dict(slot.but_cpu).get(name, 0) for slot in plans.slots] for name in self._names]
        )
        self._prices = np.array(
            [scenario.objective.price_of({name: 1}) for name in self._names], dtype=np.float64
        )

    def to(self, goal: int) -> tuple[Ints, Ints, Ints, Floats]:
        """Return sources, steps before and after, and costs."""
        had, has = self._plans.millicores, self._plans.millicores[goal]
        new = (had == ABSENT) & (has != ABSENT)
        gone = (had != ABSENT) & (has == ABSENT)
        starting = np.where(new, self._least, had)
        leaving = np.where(gone, self._least, has)
        full = np.maximum(starting, has)
        fits = self._fits(starting) & self._fits(full) & self._fits(leaving)
        fits[goal] = True
        source = np.flatnonzero(fits)
        cost = self._times.resize_s * (self._price(full) - self._price(starting))
        cost += (new * self._unit_prices(self._least) * self._times.start_s).sum(axis=1)
        cost += (gone * self._unit_prices(self._least) * self._times.leave_s).sum(axis=1)
        before = np.maximum(1, self._steps((new * self._times.start_s).max(axis=1)))
        after = self._steps(gone.any(axis=1) * self._times.leave_s)
        return source, before[source], after[source], cost[source]

    def _steps(self, seconds: Floats) -> Ints:
        return np.ceil(seconds / self._times.step_s - 1e-9).astype(np.int64)

    def _held(self, millicores: Ints) -> Ints:
        """Return resources held, by row and resource."""
        there = (millicores != ABSENT).astype(np.int64)
        cpu = np.maximum(millicores, 0).sum(axis=1)
        rest = there @ self._fixed.T
        return np.asarray(np.where(np.array(self._names) == CPU, cpu[:, None], rest))

    def _fits(self, millicores: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        return np.asarray((self._held(millicores) <= self._most).all(axis=1))

    def _price(self, millicores: Ints) -> Floats:
        return np.asarray(self._held(millicores) @ self._prices, dtype=np.float64)

    def _unit_prices(self, millicores: Ints) -> Floats:
        """Return prices by slot."""
        each = np.where(np.eye(len(millicores), dtype=np.bool_), millicores, ABSENT)
        return self._price(each)
