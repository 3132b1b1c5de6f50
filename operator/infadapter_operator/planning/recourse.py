"""
The recourse of a plan: what it is expected to miss when the load rises beyond what its pods can
serve through in-place resizes (as in stochastic programming with recourse).

Where surge is short, a start in such a rise has no room until serving pods are released, for the
ten seconds of a start. The objective of a plan does not show this: pods of one slow variant that
fill the budget look as good as a plan with a growth path. The rises of the last half hour tell what
the difference is worth.
"""

from dataclasses import dataclass
from functools import cached_property

from infadapter_forecasting.forecaster import Array
from infadapter_forecasting.reserve import needs
from infadapter_forecasting.rises import missed_share
from infadapter_operator.delays import RESIZE_S, START_S
from infadapter_operator.planning.capacity import load_time_s
from infadapter_operator.planning.growth_path import vertical_limit_rps, with_standby
from infadapter_operator.planning.hysteresis import WORTH_MOVING
from infadapter_operator.planning.problem import untouchable_rps
from infadapter_operator.planning.switching_cost import Switch
from infadapter_solver import Plan, evaluate
from infadapter_solver.problem import Resources, Target


@dataclass(frozen=True, kw_only=True)
class Recourse:
    """
    Values plans with their recourse. `now` evaluates a plan at the current rate; the future is in
    the recourse.
    """

    now: Switch
    needed_rps: Array  # by second, last half hour, less what untouchable pods serve

    def worth(self, plan: Plan) -> float:
        """Return the objective less the expected misses."""
        return self.now.worth(evaluate(self.now.problem, plan.groups)) - self.cost(plan)

    def cost(self, plan: Plan) -> float:
        """Return the expected misses, weighted by the accuracy of the plan."""
        service, observed = self.now.service, self.now.observed
        limit_rps = vertical_limit_rps(service, observed, plan.groups)
        if limit_rps >= self._most_rps:
            return 0.0
        starting = self._smallest_start
        meanwhile_rps = vertical_limit_rps(service, observed, plan.groups, starting)
        share = missed_share(
            self.needed_rps, limit_rps, meanwhile_rps, self._start_s, service.kept_s
        )
        return service.objective.accuracy_weight * plan.accuracy * share

    @cached_property
    def _most_rps(self) -> float:
        return float(self.needed_rps.max(initial=0.0))

    @cached_property
    def _smallest_start(self) -> Resources:
        able = [a for v in self.now.problem.variants for a in v.allocations if a.capacity_rps > 0]
        price_of = self.now.problem.objective.price_of
        return min((a.resources for a in able), key=price_of, default={})

    @cached_property
    def _start_s(self) -> float:
        targets = {Target(v.name, a.kind) for v in self.now.problem.variants for a in v.allocations}
        loads_s = [load_time_s(self.now.service, target) for target in targets]
        return RESIZE_S + START_S + min(loads_s, default=0.0)


def recourse_of(now: Switch, rates: Array) -> Recourse:
    served_rps = untouchable_rps(now.service, now.observed)
    needed_rps = needs(rates, now.service.slo_s) - served_rps
    return Recourse(now=now, needed_rps=needed_rps.clip(min=0.0))


def with_recourse(best: Plan, kept: Plan | None, switch: Switch, recourse: Recourse) -> Plan:
    """
    Return the best plan, one with a standby, or the current one, by value including the recourse.
    """
    if recourse.cost(best) <= WORTH_MOVING:
        return best
    now_rps = recourse.now.problem.demand_rps
    standbys = (*with_standby(switch), *with_standby(switch, now_rps))
    worth, found = max(
        ((recourse.worth(plan), plan) for plan in (best, *standbys)), key=lambda one: one[0]
    )
    stays = best if kept is None else kept
    return found if worth - recourse.worth(stays) > WORTH_MOVING else stays
