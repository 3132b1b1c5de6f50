"""
The common loop of research systems: periodic plans, carried out by new pods beside the old.

Create before destroy, as in InfAdapter's published adapter (adapter/main.py): start the plan's
missing pods, check every 0.5 s whether all are Ready, then set the router's weights, then delete
the other pods. The pause until the next decision begins after that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from infadapter_simulator.policies.fleet import Fleet, first_fleet
from infadapter_simulator.policies.papers.patience import Patience
from infadapter_simulator.world.world import World
from infadapter_solver import Plan, PodGroup

POLL_S = 0.5
PER_MILLE = 1000
"""Sum of the weights for systems that do not define their own resolution."""

Groups = tuple[PodGroup, ...]
QueueLimits = Mapping[tuple[str, int], int]


class Rule(Protocol):
    """A system's decision rule; carrying it out is not its concern."""

    def first_demand_rps(self, mean_rps: float) -> float:
        """Return the demand that it would plan for under a constant load."""
        ...

    def demand_rps(self, world: World) -> float: ...

    def plan(self, demand_rps: float, running: Groups) -> Plan: ...

    def weights_total(self, demand_rps: float) -> int: ...


@dataclass(slots=True, kw_only=True)
class Planned:
    """
    Decides by a rule at its own times, and moves its pods to each new plan.

    After `stable_rounds` consecutive decisions for no more than the planned demand, the next may
    plan for less; an increase is applied at once. `start` replaces its initial plan. It was started
    within an interval before the first request; the seed draws when, which determines how long a
    step of the load goes unnoticed.
    """

    name: str
    rule: Rule
    interval_s: float
    first_decision_s: float  # after it is started
    stable_rounds: int = 0
    start: Plan | None = None
    server: QueueLimits | None = None
    _run: "_Run | None" = field(default=None, init=False)

    def begin(self, world: World, mean_rps: float) -> None:
        demand_rps = self.rule.first_demand_rps(mean_rps)
        if self.start:
            demand_rps = self.start.capacity_rps
        plan = self.start or self.rule.plan(demand_rps, ())
        fleet = first_fleet(world, plan)
        world.route(fleet.weights(self.rule.weights_total(demand_rps)), at_once=True)
        world.plan_changes_s = []
        self._run = _Run(self, fleet, demand_rps, Patience(self.stable_rounds))

    def next_act_s(self, now_s: float) -> float:
        return max(self._run.due_s, now_s + 1e-3) if self._run else now_s

    def act(self, world: World) -> None:
        if self._run:
            self._run.act(world)

    def queue_limits(self, world: World) -> QueueLimits | None:
        return self.server


@dataclass(slots=True)
class _Run:
    settings: Planned
    fleet: Fleet
    demand_rps: float  # planned demand
    patience: Patience
    due_s: float = -1.0  # next decision, or next check of new pods
    coming: Fleet | None = None

    def act(self, world: World) -> None:
        if self.due_s < 0:
            self.due_s = world.now_s + self.settings.first_decision_s - self._earlier_s(world)
        elif self.coming:
            self._switch(world, self.coming)
        elif world.now_s >= self.due_s - 1e-6:
            self._decide(world)

    def _earlier_s(self, world: World) -> float:
        rng = np.random.default_rng([world.seed, 51])
        return float(rng.uniform(0, self.settings.interval_s))

    def _decide(self, world: World) -> None:
        self.due_s = world.now_s + self.settings.interval_s
        demand_rps = self.settings.rule.demand_rps(world)
        if self.patience.waits(self.demand_rps, demand_rps):
            return
        self.demand_rps = demand_rps
        plan = self.settings.rule.plan(demand_rps, self.fleet.plan.groups)
        if _shape(plan) != _shape(self.fleet.plan) and world.plan_changes_s is not None:
            world.plan_changes_s.append(world.now_s)
        self._switch(world, self.fleet.moved_to(world, plan))

    def _switch(self, world: World, coming: Fleet) -> None:
        if not coming.is_ready:
            self.coming, self.due_s = coming, world.now_s + POLL_S
            return
        coming.take_over(world, self.settings.rule.weights_total(self.demand_rps))
        self.fleet, self.coming = coming, None
        self.due_s = world.now_s + self.settings.interval_s


def _shape(plan: Plan) -> list[tuple[object, ...]]:
    """Return the pods of the plan, whatever they are expected to serve."""
    return sorted((g.target, g.allocation.size, g.pods) for g in plan.groups)
