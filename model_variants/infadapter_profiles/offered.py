"""The pod sizes that the solver may choose for a variant: measured sizes and a grid between."""

from collections.abc import Iterator, Mapping

from infadapter_profiles.capacity import capacity_at
from infadapter_profiles.frontier import Served, allocation_of
from infadapter_profiles.isotonic import interpolate, isotonic
from infadapter_profiles.profile import OperatingPoint, Profile
from infadapter_profiles.sizes import CPU, Allocation, PodSize, Variant

MOST_SIZES = 40
"""Limit on grid sizes per variant: enough to follow the load, few enough to solve quickly."""

FINEST_MILLICORES = 100


def offered(
    profile: Profile,
    slo_s: float,
    percentile: float,
    *,
    headroom: float = 1.0,
    accuracy_floor: float = 0.0,
) -> Variant:
    """
    Return the variant with all sizes that may be planned: the measured ones and a grid of up to 40.

    Operator, simulator and command line share this rule, so that they plan with the same sizes.
    Raises NotMeasured.
    """
    return to_variant(
        profile,
        slo_s,
        percentile,
        headroom=headroom,
        step_millicores=grid_millicores(profile),
        accuracy_floor=accuracy_floor,
    )


def grid_millicores(profile: Profile) -> int:
    """Return the step of the CPU grid between measured sizes, a multiple of 100 millicores."""
    sizes = [a.size.cpu_millicores for a in profile.allocations]
    steps = -(-(max(sizes) - min(sizes)) // (MOST_SIZES * FINEST_MILLICORES))
    return FINEST_MILLICORES * max(1, steps)


def to_variant(
    profile: Profile,
    slo_s: float,
    percentile: float,
    *,
    headroom: float = 1.0,
    step_millicores: int | None = None,
    accuracy_floor: float = 0.0,
) -> Variant:
    """
    Return the solver's variant, with an allocation for each measured size.

    With `step_millicores` it also has the multiples of it between the smallest and the largest CPU
    size of each batch size. Their capacity is linear between measured sizes, after isotonic
    regression. If the profile has operating points, each size has those that `frontier` keeps.
    Points below `accuracy_floor` are left out; without any point left there are no allocations.
    Raises NotMeasured.
    """
    only = OperatingPoint(name="", accuracy=profile.accuracy)
    rates = {
        point: _rates(profile, point.name or None, slo_s, percentile, headroom, step_millicores)
        for point in profile.operating_points or (only,)
        if point.accuracy >= accuracy_floor
    }
    sizes = dict.fromkeys(size for of_size in rates.values() for size in of_size)
    return Variant(
        name=profile.variant,
        accuracy=profile.accuracy,
        load_time_s=profile.load_time_s,
        allocations=tuple(_allocation(profile, size, rates) for size in sizes),
    )


def _allocation(
    profile: Profile, size: PodSize, rates: Mapping[OperatingPoint, Mapping[PodSize, float]]
) -> Allocation:
    served = [
        Served(point.name, point.accuracy, of_size[size])
        for point, of_size in rates.items()
        if size in of_size
    ]
    if not profile.operating_points:
        return Allocation(size=size, capacity_rps=served[0].capacity_rps)
    return allocation_of(size, served)


def _rates(
    profile: Profile,
    point: str | None,
    slo_s: float,
    percentile: float,
    headroom: float,
    step_millicores: int | None,
) -> dict[PodSize, float]:
    """Return capacities by size at one operating point: the measured sizes, then the grid."""
    own = {
        allocation.size: capacity_at(allocation, slo_s, percentile, headroom)
        for allocation in profile.allocations
        if allocation.operating_point == point
    }
    return own | (dict(_between(own, step_millicores)) if step_millicores else {})


def _between(
    measured: Mapping[PodSize, float], step_millicores: int
) -> Iterator[tuple[PodSize, float]]:
    """Yield the grid's CPU sizes and their capacities, for each batch size."""
    for batch_size in sorted({size.batch_size for size in measured}):
        own = {
            size.cpu_millicores: rps
            for size, rps in measured.items()
            if size.kind == CPU and size.batch_size == batch_size
        }
        sizes = sorted(own)
        smooth = isotonic([own[size] for size in sizes])
        for millicores in _multiples(sizes, step_millicores):
            if own[max(size for size in sizes if size < millicores)] == 0.0:
                continue  # it may miss the SLO as the smaller size does
            size = PodSize(resources={CPU: millicores}, batch_size=batch_size)
            yield size, interpolate(sizes, smooth, millicores)


def _multiples(sizes: list[int], step: int) -> Iterator[int]:
    if sizes:
        first = -(-sizes[0] // step) * step
        yield from (size for size in range(first, sizes[-1], step) if size not in sizes)
