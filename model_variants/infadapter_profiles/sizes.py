"""
Pod sizes, their capacities, and variants: the types that every plan is built from.

Amounts are whole units and hashable, so that sizes are keys and two plans compare exactly.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

CPU = "cpu"
"""The one resource every allocation has. Counted in millicores; all others in whole units."""

Resources = Mapping[str, int]
"""Resource name to amount: `{"cpu": 4000, "nvidia.com/gpu": 1}` is four cores and a GPU."""


class Target(NamedTuple):
    """The unit that has a Deployment: a variant on one kind ("cpu" or an extended resource)."""

    variant: str
    kind: str = CPU


@dataclass(frozen=True, kw_only=True)
class PodSize:
    """
    The resources of one pod and the largest batch that it computes at once. Derived values are
    cached, because one plan compares and looks up sizes thousands of times.
    """

    resources: Resources = field(default_factory=dict)
    batch_size: int = 1

    @cached_property
    def kind(self) -> str:
        """The extended resource's name, or "cpu" when there is none (a pod has at most one)."""
        return next((name for name in sorted(self.resources) if name != CPU), CPU)

    @property
    def cpu_millicores(self) -> int:
        return self.resources.get(CPU, 0)

    @cached_property
    def but_cpu(self) -> tuple[tuple[str, int], ...]:
        """The parts of the size that an in-place resize can't change: all but CPU."""
        return tuple(item for item in self.key if item[0] != CPU)

    @cached_property
    def key(self) -> tuple[tuple[str, int], ...]:
        """The whole size as one value, for hashing and sorting."""
        return (*sorted(self.resources.items()), ("batch", self.batch_size))

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: "PodSize") -> bool:
        return self.key < other.key


@dataclass(frozen=True, slots=True, kw_only=True)
class PointCapacity:
    """
    The capacity of a pod that answers all requests with one operating point.

    It is relative to the allocation's capacity, so that calibrating that applies to all points.
    """

    name: str
    accuracy: float  # a fraction
    capacity_ratio: float  # of the allocation's capacity; 1 for the fastest point


class Segment(NamedTuple):
    """The rate that a pod serves beyond the previous segment, and its marginal accuracy."""

    rps: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """
    A pod size and its capacity: the largest rate that it serves within the latency SLO.

    With operating points, `capacity_rps` is that of the fastest point. `points` are those that
    `frontier` keeps, most accurate first. Without, every answer has the variant's accuracy.
    """

    size: PodSize
    capacity_rps: float
    points: tuple[PointCapacity, ...] = ()

    @property
    def best_rps(self) -> float:
        """The rate that the pod serves at its most accurate operating point."""
        return self.capacity_rps * (self.points[0].capacity_ratio if self.points else 1.0)

    @property
    def resources(self) -> Resources:
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

    def segments(self, accuracy: float) -> tuple[Segment, ...]:
        """
        Return the pod's capacity as segments by falling marginal accuracy.

        Without points it is one segment, of the variant's `accuracy`. Between the rates of two
        points a pod mixes them; at a point's full rate it uses that point alone. So beyond the most
        accurate point's rate a request's marginal accuracy is below the next point's accuracy,
        since it moves other requests to that point; it may even be negative.
        """
        if not self.points or not self.capacity_rps:
            return (Segment(self.capacity_rps, accuracy),)
        rates = [point.capacity_ratio * self.capacity_rps for point in self.points]
        found = [Segment(rates[0], self.points[0].accuracy)]
        for (slow, slow_rps), (fast, fast_rps) in pairwise(zip(self.points, rates, strict=True)):
            gained = fast_rps * fast.accuracy - slow_rps * slow.accuracy
            found.append(Segment(fast_rps - slow_rps, gained / (fast_rps - slow_rps)))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model that can answer the service's requests."""

    name: str
    accuracy: float  # a fraction
    load_time_s: float
    allocations: tuple[Allocation, ...]

    @cached_property
    def key(self) -> Hashable:
        """The whole variant as one hashable value, for caches."""
        sizes = tuple(
            (a.capacity_rps, a.batch_size, a.points, *a.resources.items()) for a in self.allocations
        )
        return self.name, self.accuracy, self.load_time_s, sizes

    def of_sizes(self, wanted: Callable[[Allocation], bool]) -> "Variant":
        """Return the variant with the wanted allocations only.

        If all are wanted it returns itself, whose key is cached.
        """
        found = tuple(a for a in self.allocations if wanted(a))
        return self if len(found) == len(self.allocations) else replace(self, allocations=found)

    def segments(self, allocation: Allocation) -> tuple[Segment, ...]:
        return allocation.segments(self.accuracy)


def mean_accuracy(segments: Sequence[Segment], rps: float) -> float:
    """Return the mean accuracy of a pod's answers at this rate, capped at its capacity."""
    if len(segments) == 1 or rps <= segments[0].rps:
        return segments[0].accuracy
    left_rps, gained = rps, 0.0
    for segment in segments:
        taken_rps = min(left_rps, segment.rps)
        left_rps, gained = left_rps - taken_rps, gained + taken_rps * segment.accuracy
    return gained / (rps - left_rps)
