"""
The value of a switch: the objective over the expected dwell of a plan, less the cost of the
transition.

While the pods of a new plan start, old and new ones are paid for, and unserved requests are lost. A
little more accuracy for a few seconds is no reason to move pods, nor to give up a pod that has
nearly loaded.
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
from infadapter_operator.planning.making_way import released_capacity_rps
from infadapter_solver import CPU, Plan, PodGroup, Problem, Resources, evaluate
from infadapter_solver.problem import Target


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The running pods and the current problem, against which plans are valued."""

    service: Service
    observed: Observed
    problem: Problem
    now_s: float
    dwell_s: float
    beside: dict[tuple[Target, bool, float], tuple[PodGroup, ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )  # cache of plans beside a standby, by the rate they serve

    def worth(self, plan: Plan) -> float:
        """
        Return the mean objective over the time that the plan is expected to last, its transition
        included.
        """
        way_s = min(self._way_s(plan), self.dwell_s)
        part = way_s / self.dwell_s
        return part * self._worth_meanwhile(plan) + (1 - part) * self._worth_there(plan)

    def _worth_there(self, plan: Plan) -> float:
        served = sum(plan.served_rps.values()) / self.problem.demand_rps
        accuracy = self.problem.objective.accuracy_weight * plan.accuracy * min(1.0, served)
        return accuracy - self.problem.objective.cost_weight * plan.cost_ratio

    def _worth_meanwhile(self, plan: Plan) -> float:
        """
        Return the objective during the transition.

        Old and new pods are both held. Serving capacity is that of the Ready pods, grown as far as
        there is room. If there is no room, the capacity released in one round is subtracted: that
        for a whole pod at least, unless a smaller start size fits.
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

    def released_capacity_rps(self, plan: Plan) -> float:
        """
        Return the Ready capacity that is released in one round, rps, in whole steps of the pods'
        sizes.
        """
        lacking = self._makes_way(plan)
        return released_capacity_rps(self.service, self.ready, plan, lacking) if lacking else 0.0

    def _makes_way(self, plan: Plan) -> float:
        """Return the CPU that has to be released in one round, millicores."""
        started = self._started(plan)
        at_once = max(started.get(CPU, 0) / self._rounds(started), self._largest_start(plan))
        return max(0.0, at_once - max(0, self._room.get(CPU, 0)))

    def _largest_start(self, plan: Plan) -> int:
        """
        Return the size of the largest new pod that has room at none of its start sizes, millicores.
        """
        room, least = self._room.get(CPU, 0), self.first_starts(plan)
        sizes = {group.target: group.allocation.cpu_millicores for group in plan.groups}
        return max((sizes[t] for t, start in least.items() if start[CPU] > room), default=0)

    def first_starts(self, plan: Plan) -> dict[Target, Resources]:
        """Return the smallest start of each target that lacks pods."""
        missing = [g for g in plan.groups if len(self._there(g.target)) < g.pods]
        return {
            group.target: {**group.allocation.resources, CPU: self._least_millicores(group)}
            for group in missing
        }

    def _least_millicores(self, group: PodGroup) -> int:
        """
        Return the smallest size at which a pod may start. Only a target's first pod can choose its
        size.
        """
        size = group.allocation.size
        able = allocations_of(self.service, group.target) if not self._there(group.target) else ()
        sizes = [a.cpu_millicores for a in able if a.capacity_rps and resizable(a.size, size)]
        return min(sizes, default=group.allocation.cpu_millicores)

    def _way_s(self, plan: Plan) -> float:
        """
        Return the time until the last pod of the plan is Ready, s. If not all starts fit at once,
        they happen in rounds.
        """
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
        Return how many pods must be replaced one after the other.

        New pods start at the size of their target's template. If that is larger than planned, and
        too many of that size do not fit, all pods are rolled.
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
        """
        Return the number of rounds: at best half of what has no room is released for the other
        half.
        """
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
        """Capacity per millicore of the best serving variant: how fast a stopgap grows."""
        targets = {pod.target for pod in self.ready}
        rates = [
            a.capacity_rps / a.cpu_millicores
            for target in targets
            for a in allocations_of(self.service, target)
            if a.cpu_millicores
        ]
        return max(rates, default=0.0)
