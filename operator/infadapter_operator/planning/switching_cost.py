"""
What a switch is worth: the objective over the time that a plan is expected to last, less what the
way to it costs.

A plan is not only where it leads. While its pods start, old and new are paid for, and what is not
served is lost; so a little more accuracy for a few seconds is no reason to move pods, and neither
is it to give up one that has nearly loaded.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

from infadapter_operator.delays import RESIZE_S, START_S
from infadapter_operator.domain.observed import Observed, Pod
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.capacity import (
    allocations_of,
    fits,
    held,
    load_time_s,
    plus,
    ready_capacity_rps,
    resizable,
    running_groups,
)
from infadapter_operator.planning.making_way import given_up_rps
from infadapter_solver import CPU, Plan, PodGroup, Problem, Resources, evaluate
from infadapter_solver.problem import Target


@dataclass(frozen=True, kw_only=True)
class Switch:
    """What runs, and what another plan in its place is worth; `problem` is that of now."""

    service: Service
    observed: Observed
    problem: Problem
    now_s: float
    dwell_s: float
    beside: dict[tuple[Target, bool, float], tuple[PodGroup, ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )  # what was found beside a standby, by what it is to serve

    def worth(self, plan: Plan) -> float:
        """In objective, a mean over the time that the plan is expected to last."""
        way_s = min(self._way_s(plan), self.dwell_s)
        part = way_s / self.dwell_s
        return part * self._worth_meanwhile(plan) + (1 - part) * self._worth_there(plan)

    def _worth_there(self, plan: Plan) -> float:
        served = sum(plan.served_rps.values()) / self.problem.demand_rps
        accuracy = self.problem.objective.accuracy_weight * plan.accuracy * min(1.0, served)
        return accuracy - self.problem.objective.cost_weight * plan.cost_ratio

    def _worth_meanwhile(self, plan: Plan) -> float:
        """
        Both are held, and what serves is what is Ready, grown as far as there is room; where there
        is none, less what makes way in a round: for a whole pod at least, unless one of its sizes
        has room, at which it starts.
        """
        started = self._started(plan)
        left = max(0, self._room.get(CPU, 0) - started.get(CPU, 0))
        able_rps = self._ready_rps + left * self._most_rps_per_millicore
        makes_way = self._makes_way(plan)
        able_rps = max(0.0, able_rps - makes_way * self._ready_rps / self._ready_millicores)
        served = min(1.0, able_rps / self.problem.demand_rps)
        accuracy = self.problem.objective.accuracy_weight * self._ready_accuracy * served
        held = self.service.objective.price_of(plus(self._held, started))
        return accuracy - self.problem.objective.cost_weight * held / self._whole

    def given_up_rps(self, plan: Plan) -> float:
        """Of Ready capacity, what makes way in a round, pod by pod."""
        lacking = self._makes_way(plan)
        return given_up_rps(self.service, self.ready, plan, lacking) if lacking else 0.0

    def _makes_way(self, plan: Plan) -> float:
        """Millicores in a round that have no room."""
        started = self._started(plan)
        at_once = max(started.get(CPU, 0) / self._rounds(started), self._largest_start(plan))
        return max(0.0, at_once - max(0, self._room.get(CPU, 0)))

    def _largest_start(self, plan: Plan) -> int:
        """Of those that have room at none of the sizes at which they may start."""
        room, least = self._room.get(CPU, 0), self.first_starts(plan)
        sizes = {group.target: group.allocation.cpu_millicores for group in plan.groups}
        return max((sizes[t] for t, start in least.items() if start[CPU] > room), default=0)

    def first_starts(self, plan: Plan) -> dict[Target, Resources]:
        """By target of which pods are missing, the least that the next one may start with."""
        missing = [g for g in plan.groups if len(self._there(g.target)) < g.pods]
        return {
            group.target: {**group.allocation.resources, CPU: self._least_millicores(group)}
            for group in missing
        }

    def _least_millicores(self, group: PodGroup) -> int:
        """The first of a target starts at the largest size that has room."""
        size = group.allocation.size
        able = allocations_of(self.service, group.target) if not self._there(group.target) else ()
        sizes = [a.cpu_millicores for a in able if a.capacity_rps and resizable(a.size, size)]
        return min(sizes, default=group.allocation.cpu_millicores)

    def _way_s(self, plan: Plan) -> float:
        """Until its last pod is Ready; in rounds, where not all that starts has room at once."""
        started = self._started(plan)
        waits_s = [RESIZE_S]
        for group in plan.groups:
            there = self._there(group.target)[: group.pods]
            waits_s += [self._left_s(pod) for pod in there]
            if len(there) < group.pods:
                rounds = max(self._rounds(started), self._pods_in_turn(group, len(there)))
                waits_s.append(self.start_s(group.target) * rounds)
        return max(waits_s)

    def _pods_in_turn(self, group: PodGroup, there: int) -> int:
        """
        New pods come up as those of their target do: where these are larger than planned, and too
        many of that size have no room, all are replaced in turn.
        """
        template = self.observed.templates.get(group.target)
        if template is None or fits(template.resources, group.allocation.resources):
            return 1
        missing = group.pods - there
        needed = {name: missing * amount for name, amount in template.resources.items()}
        return 1 if fits(needed, self._room) else group.pods

    def _started(self, plan: Plan) -> Resources:
        total: Resources = {}
        for group in plan.groups:
            missing = group.pods - len(self._there(group.target))
            if missing > 0:
                total = plus(total, group.allocation.resources, missing)
        return total

    def _rounds(self, started: Resources) -> int:
        """Half of what has no room makes way for the other half, at best."""
        shares = [n / max(self._room.get(name, 0), n / 4) for name, n in started.items() if n]
        return max(1, *(math.ceil(share) for share in shares), 1)

    def _there(self, target: Target) -> list[Pod]:
        pods = [pod for pod in self.observed.of(target) if not pod.leaving]
        return sorted(pods, key=lambda pod: (not pod.ready, pod.created_at_s))

    def _left_s(self, pod: Pod) -> float:
        begun_s = self.now_s - pod.created_at_s
        return 0.0 if pod.ready else max(0.0, self.start_s(pod.target) - begun_s)

    def start_s(self, target: Target) -> float:
        return START_S + load_time_s(self.service, target)

    @cached_property
    def _held(self) -> Resources:
        return held(self.observed.pods)

    @cached_property
    def _room(self) -> Resources:
        return plus(plus(self.service.budget, self.service.max_surge), self._held, -1)

    @cached_property
    def _whole(self) -> float:
        return self.service.objective.price_of(self.problem.budget) or 1.0

    @cached_property
    def ready(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.observed.pods if pod.ready and not pod.leaving)

    @cached_property
    def _ready_rps(self) -> float:
        return ready_capacity_rps(self.service, self.ready)

    @cached_property
    def _ready_millicores(self) -> int:
        return sum(pod.size.cpu_millicores for pod in self.ready) or 1

    @cached_property
    def _ready_accuracy(self) -> float:
        return evaluate(self.problem, running_groups(self.service, self.ready)).accuracy

    @cached_property
    def _most_rps_per_millicore(self) -> float:
        """Of the variants that serve: how fast a bridge grows."""
        targets = {pod.target for pod in self.ready}
        rates = [
            a.capacity_rps / a.cpu_millicores
            for target in targets
            for a in allocations_of(self.service, target)
            if a.cpu_millicores
        ]
        return max(rates, default=0.0)
