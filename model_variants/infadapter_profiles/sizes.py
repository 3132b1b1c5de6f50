"""
How large a pod is, and what it serves at that: the words that every plan is written in.

In whole units and hashable, so that sizes are keys, and two plans can be compared bit by bit.
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
    """What has its own Deployment: a variant on one kind ("cpu" or an extended resource)."""

    variant: str
    kind: str = CPU


@dataclass(frozen=True, kw_only=True)
class PodSize:
    """
    What one pod gets: resources, and the largest batch that it computes at once. What follows from
    these is kept: sizes are compared and looked up thousands of times in a plan.
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
        """All that can't be resized in place."""
        return tuple(item for item in self.key if item[0] != CPU)

    @cached_property
    def key(self) -> tuple[tuple[str, int], ...]:
        """As one value, to hash and to sort by."""
        return (*sorted(self.resources.items()), ("batch", self.batch_size))

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: "PodSize") -> bool:
        return self.key < other.key


@dataclass(frozen=True, slots=True, kw_only=True)
class PointCapacity:
    """
    An operating point of a pod: what the pod serves when it answers all requests with it.

    As a part of the allocation's capacity, so that what calibration makes of that holds for all.
    """

    name: str
    accuracy: float  # a fraction
    capacity_ratio: float  # of the allocation's capacity; 1 for the fastest point


class Segment(NamedTuple):
    """Requests that a pod serves beyond those before, and the accuracy that each of them adds."""

    rps: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """
    A pod's size, and the largest rate that it serves at that within the latency SLO.

    Where its server has operating points, that is the rate of the fastest one; `points` are those
    that are worth using, the most accurate first. None: all is answered at the variant's accuracy.
    """

    size: PodSize
    capacity_rps: float
    points: tuple[PointCapacity, ...] = ()

    @property
    def best_rps(self) -> float:
        """What it serves at its highest accuracy."""
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
        What a pod of this size serves, by falling marginal accuracy: one segment without points,
        of the variant's `accuracy`.

        Between two points a pod mixes them, and at a point's whole rate it has none but that. So
        beyond the most accurate point's rate each request adds less than the next point's accuracy,
        since it takes accuracy from others; it may even add less than nothing.
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
        """All of it, as one value to look up by."""
        sizes = tuple(
            (a.capacity_rps, a.batch_size, a.points, *a.resources.items()) for a in self.allocations
        )
        return self.name, self.accuracy, self.load_time_s, sizes

    def of_sizes(self, wanted: Callable[[Allocation], bool]) -> "Variant":
        """With these allocations alone; itself, whose key is known, where that is all of them."""
        found = tuple(a for a in self.allocations if wanted(a))
        return self if len(found) == len(self.allocations) else replace(self, allocations=found)

    def segments(self, allocation: Allocation) -> tuple[Segment, ...]:
        """Those of a pod of this size."""
        return allocation.segments(self.accuracy)


def mean_accuracy(segments: Sequence[Segment], rps: float) -> float:
    """Of what a pod answers at this rate; of a rate beyond what it serves, as at its capacity."""
    if len(segments) == 1 or rps <= segments[0].rps:
        return segments[0].accuracy
    left_rps, gained = rps, 0.0
    for segment in segments:
        taken_rps = min(left_rps, segment.rps)
        left_rps, gained = left_rps - taken_rps, gained + taken_rps * segment.accuracy
    return gained / (rps - left_rps)
