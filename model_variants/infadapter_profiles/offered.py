"""The sizes that a variant is offered in: those that were measured, and a grid between them."""

from collections.abc import Iterator, Mapping

from infadapter_profiles.capacity import capacity_at
from infadapter_profiles.frontier import Served, allocation_of
from infadapter_profiles.isotonic import interpolate, isotonic
from infadapter_profiles.profile import OperatingPoint, Profile
from infadapter_profiles.sizes import CPU, Allocation, PodSize, Variant

MOST_SIZES = 40
"""Sizes offered of each variant: fine enough to follow the load, few enough to solve at once."""

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
    The variant in every size that may be planned: the measured ones and a grid of at most 40.

    The one rule, so that what is simulated or asked for is what the operator would do.
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
    """The step between the CPU sizes offered beside the measured ones, a multiple of 100 m."""
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
    The variant as the solver knows it, on the sizes that were measured.

    With `step_millicores`, also on the multiples of it between the smallest and the largest CPU
    size of each batch size: linear between measured sizes, after isotonic regression. Where the
    profile has operating points, each size has those that are worth using in it. A point below
    `accuracy_floor` is none; a variant that has no other is offered in no size.
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
    """Capacities at an operating point, or at the only one: the measured sizes, then the grid."""
    own = {
        allocation.size: capacity_at(allocation, slo_s, percentile, headroom)
        for allocation in profile.allocations
        if allocation.operating_point == point
    }
    return own | (dict(_between(own, step_millicores)) if step_millicores else {})


def _between(
    measured: Mapping[PodSize, float], step_millicores: int
) -> Iterator[tuple[PodSize, float]]:
    """CPU sizes between the measured ones, for each batch size."""
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
                continue  # perhaps as late as the smaller one: not between no and some capacity
            size = PodSize(resources={CPU: millicores}, batch_size=batch_size)
            yield size, interpolate(sizes, smooth, millicores)


def _multiples(sizes: list[int], step: int) -> Iterator[int]:
    if sizes:
        first = -(-sizes[0] // step) * step
        yield from (size for size in range(first, sizes[-1], step) if size not in sizes)
