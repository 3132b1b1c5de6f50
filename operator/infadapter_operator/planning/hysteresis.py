"""
When to keep the running plan: where a better one would only follow the noise of the load. Every new
plan moves pods, and at rest nothing should move.
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
A new plan must bring this much objective. It is about a core of the paper's twenty at a cost weight
of 0.05: less than that, and pods would be moved for what the next interval takes back.
"""

UP_SIGMAS = 0.5
DOWN_SIGMAS = 3.0
"""
How far demand may be above and below what the plan serves, in standard deviations of a bucket's
mean under Poisson arrivals, and count as the same demand: at rest it moves by so much. Less
upwards, as being late costs more than being dear; and never is a plan kept that the rate of now
exceeds.
"""


OUTGROWN_IN_A_RISE = 2
"""
So many plans in turn, each outgrown before it could be reached, are a load that goes on to rise; a
step that falls between two cycles outgrows one.
"""


@dataclass(frozen=True, kw_only=True)
class CurrentPlan:
    """The plan in force, in the light of today's spec, pods and demand."""

    service: Service
    observed: Observed
    demand: PlanningDemand
    plan: Plan
    groups: tuple[PodGroup, ...]  # the plan's, with today's capacities; empty if the spec forbids

    @property
    def capacity_rps(self) -> float:
        return sum(group.capacity_rps for group in self.groups)

    @cached_property
    def _fixed_rps(self) -> float:
        """What pods serve that another controller scales."""
        return untouchable_rps(self.service, self.observed)

    @property
    def is_outgrown(self) -> bool:
        """The rate of now is more than it serves."""
        return self.demand.now_rps > self.capacity_rps + self._fixed_rps

    def is_in_a_rise(self, outgrown: int) -> bool:
        """
        Whether so many plans in turn tell of one. While surge is held, one does: a plan that is
        outgrown in its turn would have its pods start beside those of two others.
        """
        return outgrown >= (1 if self._holds_surge else OUTGROWN_IN_A_RISE)

    @property
    def is_kept_by_the_window(self) -> bool:
        """The load has fallen, by more than noise, from what the stabilisation window saw."""
        return self.demand.kept_rps - self.demand.rps > DOWN_SIGMAS * self._noise_rps

    def still_holds(self, best: Plan) -> bool:
        """Whether to keep it although `best` is, for the demand as it is now, the best."""
        if not self.may_stay(best):
            return False
        if not best.feasible:
            return self._gain(best, self.demand.rps) < WORTH_MOVING
        return self._gain(best, self.demand.rps) < WORTH_MOVING or self._is_for_this_demand()

    def unbeaten(self, problem: Problem) -> Plan | None:
        """
        The plan as it is kept, where some plan does for `problem` and none brings enough: that is
        known in less time than the best one.
        """
        if not self._is_allowed:
            return None
        now = self.problem(self.demand.rps)
        as_it_is = evaluate(now, self.groups)  # what does for this does for less
        if not (as_it_is.feasible or self._at(self.least_rps).feasible):
            return None
        if not is_unbeaten(problem, score(now, as_it_is) + WORTH_MOVING):
            return None
        return self._kept(feasible=True)

    def may_stay(self, best: Plan) -> bool:
        """Whether it does for the demand of now, or serves as much as any plan could."""
        if not self._is_allowed:
            return False
        if best.feasible:
            return self._at(self.least_rps).feasible
        return self._serves_as_much(best)

    def kept_for(self, problem: Problem, best: Plan) -> Plan:
        """The plan as it is, where `best` would bring too little for the same demand."""
        as_it_is = evaluate(problem, self.groups)
        is_worse = not as_it_is.feasible or not self._is_allowed
        if is_worse or score(problem, best) - score(problem, as_it_is) > WORTH_MOVING:
            return best
        same = self.plan.groups == self.groups and self.plan.feasible
        return self.plan if same else as_it_is

    def kept(self, best: Plan) -> Plan:
        """The same object where nothing about it changed, so that nobody reports it anew."""
        return self._kept(feasible=best.feasible)

    def _kept(self, *, feasible: bool) -> Plan:
        if self.plan.groups == self.groups and self.plan.feasible == feasible:
            return self.plan
        return self._at(self.least_rps if feasible else self.demand.rps)

    def for_what_it_serves(self) -> Plan:
        """As it is, made for no more than that: who bears a shortage is told of no overload."""
        if self.plan.groups == self.groups and self.plan.feasible:
            return self.plan
        return self._at(self.capacity_rps * (1 - 1e-9) + self._fixed_rps)

    @cached_property
    def _is_allowed(self) -> bool:
        """What exceeds a budget that has been cut does not stay, however much it serves."""
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
        """What it must serve: the rate of now, and what is planned for but for its noise."""
        expected_rps = self.demand.least_rps - UP_SIGMAS * self._noise_rps
        return max(self.demand.now_rps, self.service.minimum_rps, expected_rps)

    def _is_for_this_demand(self) -> bool:
        """Whether it was made, and is right still, for a demand that can't be told from today's."""
        made_for_rps = sum(self.plan.served_rps.values()) + self._fixed_rps
        excess_rps = made_for_rps - self.demand.rps
        if not self.plan.feasible or excess_rps > DOWN_SIGMAS * self._noise_rps:
            return False
        if self._has_points and -excess_rps > slack_rps(made_for_rps):
            return False  # it serves far more than it was made for, and less accurately
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
        """Several are asked, which differ in these alone."""
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
