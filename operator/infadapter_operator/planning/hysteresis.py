"""
Hysteresis: when to keep the current plan although a better one exists.

A better plan may only follow the noise of the load. Every new plan moves pods, and at a steady load
no pod should move.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from infadapter_forecasting.noise import noise_rps
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import fits, held, total
from infadapter_operator.planning.planning_demand import PlanningDemand
from infadapter_operator.planning.problem import (
    OVERLOAD_TOLERANCE,
    budget_for,
    known_groups,
    problem_for,
    solved,
    untouchable_rps,
)
from infadapter_operator.planning.rates import BUCKET_S
from infadapter_operator.planning.slack import slack_rps
from infadapter_solver import Plan, PodGroup, Problem, evaluate, is_unbeaten, score
from infadapter_solver.candidates import LEAST_DEMAND_RPS

WORTH_MOVING = 0.002
"""
Objective that a new plan must gain. It corresponds to about one core of the paper's twenty at a
cost weight of 0.05; for less, pods would be moved for what the next interval reverts.
"""

UP_SIGMAS = 0.5
DOWN_SIGMAS = 3.0
"""
How far the demand may be above (UP_SIGMAS) and below what the plan serves and count as unchanged,
in standard deviations of a bucket's mean under Poisson arrivals. The upper limit is smaller, as
late answers cost more than idle cores; and no plan is kept that the current rate exceeds.
"""


OUTGROWN_IN_A_RISE = 2
"""
Number of consecutive plans, each outgrown before it could be reached, that make a rise. A step that
falls between two cycles outgrows one.
"""


@dataclass(frozen=True, kw_only=True)
class CurrentPlan:
    """The plan in force, evaluated with the current spec, pods and demand."""

    service: Service
    observed: Observed
    demand: PlanningDemand
    plan: Plan
    groups: tuple[PodGroup, ...]  # with current capacities; empty if the spec forbids one

    @property
    def capacity_rps(self) -> float:
        return sum(group.capacity_rps for group in self.groups)

    @cached_property
    def _fixed_rps(self) -> float:
        """Capacity of the pods that another controller scales, rps."""
        return untouchable_rps(self.service, self.observed)

    @property
    def is_outgrown(self) -> bool:
        """Whether the current rate exceeds what the plan serves."""
        return self.demand.now_rps > self.capacity_rps + self._fixed_rps

    def is_in_a_rise(self, outgrown: int) -> bool:
        """
        Whether `outgrown` plans in a row mean that the load keeps rising. While surge is held, one
        suffices: otherwise the pods of a third plan would start beside those of two others.
        """
        return outgrown >= (1 if self._holds_surge else OUTGROWN_IN_A_RISE)

    @property
    def is_kept_by_the_window(self) -> bool:
        """Whether the load has fallen by more than noise from what the stabilisation window saw."""
        return self.demand.kept_rps - self.demand.rps > DOWN_SIGMAS * self._noise_rps

    def still_holds(self, best: Plan) -> bool:
        """Whether to keep the plan although `best` is better for the current demand."""
        if not self.may_stay(best):
            return False
        if not best.feasible:
            return self._gain(best, self.demand.rps) < WORTH_MOVING
        return self._gain(best, self.demand.rps) < WORTH_MOVING or self._is_for_this_demand()

    def unbeaten(self, problem: Problem) -> Plan | None:
        """
        Return the plan to keep if no plan for `problem` gains enough, else None. That is proven
        faster than the best plan is found.
        """
        if not self._is_allowed:
            return None
        now = self.problem(self.demand.rps)
        as_it_is = evaluate(now, self.groups)  # what serves this demand serves less as well
        if not (as_it_is.feasible or self._at(self.least_rps).feasible):
            return None
        if not is_unbeaten(problem, score(now, as_it_is) + WORTH_MOVING):
            return None
        return self._kept(feasible=True)

    def may_stay(self, best: Plan) -> bool:
        """Whether the plan serves the current demand, or as much of it as any plan could."""
        if not self._is_allowed:
            return False
        if best.feasible:
            return self._at(self.least_rps).feasible
        return self._serves_as_much(best)

    def kept_for(self, problem: Problem, best: Plan) -> Plan:
        """
        Return the current plan if `best` gains too little over it for the same demand, else `best`.
        """
        as_it_is = evaluate(problem, self.groups)
        is_worse = not as_it_is.feasible or not self._is_allowed
        if is_worse or score(problem, best) - score(problem, as_it_is) > WORTH_MOVING:
            return best
        same = self.plan.groups == self.groups and self.plan.feasible
        return self.plan if same else as_it_is

    def kept(self, best: Plan) -> Plan:
        """
        Return the current plan; the same object if nothing about it changed, so that nothing is
        reported.
        """
        return self._kept(feasible=best.feasible)

    def _kept(self, *, feasible: bool) -> Plan:
        if self.plan.groups == self.groups and self.plan.feasible == feasible:
            return self.plan
        return self._at(self.least_rps if feasible else self.demand.rps)

    def for_what_it_serves(self) -> Plan:
        """
        Return the current plan, evaluated for no more than it serves. A plan that bears a shortage
        on purpose is then not reported as infeasible.
        """
        if self.plan.groups == self.groups and self.plan.feasible:
            return self.plan
        return self._at(self.capacity_rps * (1 - 1e-9) + self._fixed_rps)

    @cached_property
    def _is_allowed(self) -> bool:
        """
        Whether the plan fits the current budget. One that exceeds a reduced budget is not kept.
        """
        budget = budget_for(self.service, self.observed)
        return bool(self.groups) and fits(total(g.resources for g in self.groups), budget)

    @property
    def _holds_surge(self) -> bool:
        return not fits(held(self.observed.pods), self.service.budget)

    @property
    def _noise_rps(self) -> float:
        return noise_rps(self.demand.rps, BUCKET_S)

    @property
    def least_rps(self) -> float:
        """
        The least that the plan must serve to be kept, rps: the current rate, and the planned demand
        less its noise.
        """
        expected_rps = self.demand.least_rps - UP_SIGMAS * self._noise_rps
        return max(self.demand.now_rps, self.service.minimum_rps, expected_rps)

    def _is_for_this_demand(self) -> bool:
        """
        Whether the plan was made for a demand indistinguishable from the current one, and is still
        right for it.
        """
        made_for_rps = sum(self.plan.served_rps.values()) + self._fixed_rps
        excess_rps = made_for_rps - self.demand.rps
        if not self.plan.feasible or excess_rps > DOWN_SIGMAS * self._noise_rps:
            return False
        if self._has_points and -excess_rps > slack_rps(made_for_rps):
            return False  # it serves far more than planned, and so less accurately
        made_with_rps = made_for_rps + slack_rps(made_for_rps)
        return self._gain(solved(self.problem(made_with_rps)), made_for_rps) < WORTH_MOVING

    @property
    def _has_points(self) -> bool:
        return any(group.allocation.points for group in self.groups)

    def _serves_as_much(self, best: Plan) -> bool:
        kept_rps = sum(self._at(self.demand.rps).served_rps.values())
        return kept_rps >= sum(best.served_rps.values()) * (1 - OVERLOAD_TOLERANCE)

    def _gain(self, best: Plan, demand_rps: float) -> float:
        return score(self.problem(demand_rps), best) - score(
            self.problem(demand_rps), self._at(demand_rps)
        )

    def _at(self, demand_rps: float) -> Plan:
        return evaluate(self.problem(demand_rps), self.groups)

    def problem(self, demand_rps: float, capacity_floor_rps: float = 0.0) -> Problem:
        """
        Return the problem for this demand. The problems of one decision differ in these values
        only.
        """
        left_rps = max(demand_rps - self._fixed_rps, LEAST_DEMAND_RPS)
        return replace(
            self._any_problem, demand_rps=left_rps, capacity_floor_rps=capacity_floor_rps
        )

    @cached_property
    def _any_problem(self) -> Problem:
        return problem_for(self.service, self.observed, 0.0)


def previous_plan(
    service: Service, observed: Observed, demand: PlanningDemand, plan: Plan
) -> CurrentPlan:
    return CurrentPlan(
        service=service,
        observed=observed,
        demand=demand,
        plan=plan,
        groups=known_groups(service, observed, plan.groups),
    )
