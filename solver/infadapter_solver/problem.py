"""
The question and its answer: which variants, on which allocations, with how many pods.

Everything is frozen, hashable where it can be, and in whole units, so that two ways of solving the
same problem can be compared bit by bit. Nothing here knows how a problem is solved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

CPU = "cpu"
"""The one resource every allocation has. Counted in millicores; all others in whole units."""

Amounts = Mapping[str, int]
"""Resource name to amount: `{"cpu": 4000, "nvidia.com/gpu": 1}` is four cores and a GPU."""


class Target(NamedTuple):
    """What has its own Deployment: a variant on one kind ("cpu" or an extended resource)."""

    variant: str
    kind: str = CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSize:
    """What one pod gets: resources, and the largest batch that it computes at once."""

    resources: Amounts = field(default_factory=dict)
    batch_size: int = 1

    @property
    def kind(self) -> str:
        """The extended resource's name, or "cpu" when there is none (a pod has at most one)."""
        return next((name for name in sorted(self.resources) if name != CPU), CPU)

    @property
    def cpu_millicores(self) -> int:
        return self.resources.get(CPU, 0)

    @property
    def but_cpu(self) -> tuple[tuple[str, int], ...]:
        """All that can't be resized in place."""
        return tuple(item for item in self.key if item[0] != CPU)

    @property
    def key(self) -> tuple[tuple[str, int], ...]:
        """As one value, to hash and to sort by."""
        return (*sorted(self.resources.items()), ("batch", self.batch_size))

    def __hash__(self) -> int:
        return hash((frozenset(self.resources.items()), self.batch_size))

    def __lt__(self, other: "PodSize") -> bool:
        return self.key < other.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A pod's size, and the largest rate that it serves at that within the latency SLO."""

    size: PodSize
    capacity_rps: float

    @property
    def resources(self) -> Amounts:
        return self.size.resources

    @property
    def batch_size(self) -> int:
        return self.size.batch_size

    @property
    def kind(self) -> str:
        return self.size.kind

    @property
    def cpu_millicores(self) -> int:
        return self.size.cpu_millicores


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One model that can answer the service's requests."""

    name: str
    accuracy: float  # a fraction
    load_time_s: float
    allocations: tuple[Allocation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup:
    """Pods of one target; all have one size."""

    target: Target
    allocation: Allocation
    pods: int

    @property
    def capacity_rps(self) -> float:
        return self.pods * self.allocation.capacity_rps

    @property
    def resources(self) -> Amounts:
        return {name: self.pods * amount for name, amount in self.allocation.resources.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """
    What is maximised, and within what: α · accuracy − β · cost ÷ cost of the budget − γ · loading
    (InfAdapter, EuroMLSys'23, §3).
    """

    budget: Amounts
    prices: Mapping[str, float] = field(default_factory=dict)  # per core and per unit
    accuracy_weight: float = 1.0  # alpha
    cost_weight: float = 0.05  # beta: what the whole budget is worth in accuracy
    loading_weight: float = 0.0  # gamma: of the longest start there may be

    def price_of(self, amounts: Amounts) -> float:
        """A core is 1 unless the prices say otherwise; every other resource has a price."""
        return sum(
            self.prices.get(name, 1.0) * (amount / 1000 if name == CPU else amount)
            for name, amount in amounts.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    One service's optimisation problem (docs/design.md, after InfAdapter, EuroMLSys'23, §3).

    `running` are the pods there are; only what must start beyond them counts as loading. The
    paper restarts a pod to resize it: `resize_loads` says so. `capacity_floor_rps` is set by a
    burst look, whose plan may not have less capacity than the running one. `pod_limits` says how
    many pods of a target a plan may have: where new ones do not come, those that are Ready.
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
    def budget(self) -> Amounts:
        return self.objective.budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    The answer. When the budget cannot serve the demand, `feasible` is False, `objective` None, and
    the plan is the best effort: it serves as much as it can and then does that as well as it can.
    """

    groups: tuple[PodGroup, ...]
    served_rps: Mapping[Target, float]
    accuracy: float  # of what is served, weighted by rate; a fraction
    cost: float  # at the prices: what runs
    cost_ratio: float  # cost as a share of what the whole budget would cost
    loading_s: float  # the longest load time among what must start
    objective: float | None
    feasible: bool
    gap: float = 0.0  # proven distance to the optimum; above 0 only when time ran out

    @property
    def capacity_rps(self) -> float:
        return sum(group.capacity_rps for group in self.groups)
