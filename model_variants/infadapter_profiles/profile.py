"""The profile of a variant: a latency curve, or known capacities, for each pod size."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from infadapter_profiles.quantities import amounts_as_quantities
from infadapter_profiles.sizes import PodSize, Resources

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Latency percentiles and refused ratio at one arrival rate."""

    rps: float
    latency_s: Mapping[float, float]  # by percentile, of the requests that were answered
    refused_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCapacity:
    """
    The goodput for one SLO: the largest rate at which at most `missed_ratio` of the requests are
    refused, late or failed. It replaces a latency curve or comes in addition to one.

    `low_rps` to `high_rps` is a 95 % prediction interval for the next measurement, on a machine
    that drifts as it did during this one.
    """

    latency_s: float
    percentile: float
    rps: float
    low_rps: float | None = None
    high_rps: float | None = None
    missed_ratio: float | None = None  # None: 1 - percentile / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A network, SubNet or depth with which a variant's server can answer, and its accuracy."""

    name: str
    accuracy: float  # a fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledAllocation:
    """Measurements of one pod size, at one operating point if the variant has any."""

    size: PodSize
    operating_point: str | None = None
    saturation_rps: float | None = None
    points: tuple[Point, ...] = ()
    capacity: tuple[KnownCapacity, ...] = ()
    memory_bytes: int | None = None  # peak of all server processes

    @property
    def resources(self) -> Resources:
        return self.size.resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All measurements of one variant."""

    variant: str
    accuracy: float  # a fraction
    load_time_s: float
    allocations: tuple[ProfiledAllocation, ...]
    warm_load_time_s: float | None = None  # with all files in the page cache
    operating_points: tuple[OperatingPoint, ...] = ()  # empty: `accuracy` applies to every answer


def check_profile(profile: Profile) -> None:
    """Check that rows are distinct and operating points are consistent. Raises ValueError."""
    check_distinct((row.size, row.operating_point) for row in profile.allocations)
    check_operating_points(profile)


def check_distinct(rows: Iterable[tuple[PodSize, str | None]]) -> None:
    """Refuse two rows of one size and operating point as ambiguous. Raises ValueError."""
    for size, point in twice(rows):
        at = f" at operating point {point}" if point else ""
        raise ValueError(f"there are two allocations of {size_text(size)}{at}: keep one of them")


def size_text(size: PodSize) -> str:
    quantities = amounts_as_quantities(size.resources)
    amounts = ", ".join(f"{name}={amount}" for name, amount in quantities.items())
    return f"{amounts}, batch size {size.batch_size}"


def check_operating_points(profile: Profile) -> None:
    """Check that points have names and rows, and rows name known points. Raises ValueError."""
    known = {point.name: point.accuracy for point in profile.operating_points}
    for allocation in profile.allocations:
        point = allocation.operating_point
        if (point is None) != (not known) or (point is not None and point not in known):
            named = f"names the operating point {point}" if point else "names no operating point"
            raise ValueError(f"an allocation {named}; there are {', '.join(known) or 'none'}")
    if known:
        _check_names(profile, known)


def _check_names(profile: Profile, known: Mapping[str, float]) -> None:
    if "" in known:
        raise ValueError("an operating point has no name")
    for name in twice(point.name for point in profile.operating_points):
        raise ValueError(f"there are two operating points called {name}")
    measured = {allocation.operating_point for allocation in profile.allocations}
    for name in (name for name in known if name not in measured):
        raise ValueError(
            f"no allocation is of the operating point {name}: measure it, or leave it out"
        )
    if max(known.values()) != profile.accuracy:
        raise ValueError("accuracy is not that of the most accurate operating point")


def twice(items: Iterable[T]) -> Iterator[T]:
    """Yield the items that occurred before."""
    seen: set[T] = set()
    for item in items:
        if item in seen:
            yield item
        seen.add(item)
