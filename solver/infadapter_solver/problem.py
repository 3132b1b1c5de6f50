"""
The problem and its solution: which variants, with which allocations and how many pods.

Everything is frozen, hashable where possible, and in whole units, so that two methods can be
compared bit by bit. Nothing here depends on how a problem is solved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infadapter_profiles.sizes import CPU, Allocation, PodSize, Resources, Target, Variant

__all__ = [
    "CPU",
    "Allocation",
    "Objective",
    "Plan",
    "PodGroup",
    "PodSize",
    "Problem",
    "Resources",
    "Target",
    "Variant",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup:
    """Pods of one target; all have the same size."""

    target: Target
    allocation: Allocation
    pods: int

    @property
    def capacity_rps(self) -> float:
        return self.pods * self.allocation.capacity_rps

    @property
    def resources(self) -> Resources:
        return {name: self.pods * amount for name, amount in self.allocation.resources.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """
    The objective and its budget: α · accuracy − β · cost ÷ cost of the budget − γ · loading
    (InfAdapter, EuroMLSys'23, §3).
    """

    budget: Resources
    prices: Mapping[str, float] = field(default_factory=dict)  # per core and per unit
    accuracy_weight: float = 1.0  # alpha
    cost_weight: float = 0.05  # beta: what the whole budget is worth in accuracy
    loading_weight: float = 0.0  # gamma: of the longest start there may be

    def price_of(self, amounts: Resources) -> float:
        """
        Return the price of these resources. A core costs 1 unless the prices say otherwise; other
        resources have a price.
        """
        return sum(
            self.prices.get(name, 1.0) * (amount / 1000 if name == CPU else amount)
            for name, amount in amounts.items()
        )

    def within(self, budget: Resources) -> "Objective":
        """
        Return the objective for part of the budget. The price of a core in accuracy stays the same.
        """
        whole = self.price_of(self.budget)
        part = self.price_of(budget) / whole if whole else 1.0
        return replace(self, budget=budget, cost_weight=self.cost_weight * part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    The optimisation problem of one service (docs/design.md, after InfAdapter, EuroMLSys'23, §3).

    `running` are the existing pods; only pods that must start beyond them count as loading. The
    paper restarts a pod to resize it (`resize_loads`). `capacity_floor_rps` is set in a burst, when
    a plan may not have less capacity than the running one. `pod_limits` is the largest number of
    pods by target: where new pods fail to start, the Ready ones.
    """

    variants: tuple[Variant, ...]
    demand_rps: float
    objective: Objective
    min_replicas: int = 1
    max_pods_per_target: int | None = None  # the paper: 1
    pod_limits: Mapping[Target, int] = field(default_factory=dict)  # 0: none; absent: no limit
    max_targets: int = 16  # what an HTTPRoute can weigh
    resize_loads: bool = False
    running: tuple[PodGroup, ...] = ()
    capacity_floor_rps: float = 0.0

    @property
    def budget(self) -> Resources:
        return self.objective.budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    The solution.

    If the budget cannot serve the demand, `feasible` is False, `objective` None, and the plan is a
    best effort: it serves as much as possible, and among such plans has the best objective.
    """

    groups: tuple[PodGroup, ...]
    served_rps: Mapping[Target, float]
    accuracy: float  # of what is served, weighted by rate; a fraction
    cost: float  # of the pods, at the prices
    cost_ratio: float  # cost as a share of what the whole budget would cost
    loading_s: float  # longest load time among pods that must start
    objective: float | None
    feasible: bool
    gap: float = 0.0  # proven distance to the optimum; above 0 only after a timeout

    @property
    def capacity_rps(self) -> float:
        return sum(group.capacity_rps for group in self.groups)
