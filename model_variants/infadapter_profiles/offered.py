"""The sizes that a variant is offered in: those that were measured, and a grid between them."""

from collections.abc import Iterator

from infadapter_profiles.capacity import capacity_at
from infadapter_profiles.isotonic import interpolate, isotonic
from infadapter_profiles.profile import Profile
from infadapter_profiles.sizes import CPU, Allocation, PodSize, Variant

MOST_SIZES = 40
"""Sizes offered of each variant: fine enough to follow the load, few enough to solve at once."""

FINEST_MILLICORES = 100


def offered(profile: Profile, slo_s: float, percentile: float, *, headroom: float = 1.0) -> Variant:
    """
    The variant in every size that may be planned: the measured ones and a grid of at most 40.

    The one rule, so that what is simulated or asked for is what the operator would do.
    Raises NotMeasured.
    """
    step = grid_millicores(profile)
    return to_variant(profile, slo_s, percentile, headroom=headroom, step_millicores=step)


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
) -> Variant:
    """
    The variant as the solver knows it, on the sizes that were measured.

    With `step_millicores`, also on the multiples of it between the smallest and the largest CPU
    size of each batch size: linear between measured sizes, after isotonic regression.
    Raises NotMeasured.
    """
    measured = [
        Allocation(
            size=allocation.size, capacity_rps=capacity_at(allocation, slo_s, percentile, headroom)
        )
        for allocation in profile.allocations
    ]
    between = _between(measured, step_millicores) if step_millicores else ()
    return Variant(
        name=profile.variant,
        accuracy=profile.accuracy,
        load_time_s=profile.load_time_s,
        allocations=(*measured, *between),
    )


def _between(measured: list[Allocation], step_millicores: int) -> Iterator[Allocation]:
    """CPU sizes between the measured ones, for each batch size."""
    for batch_size in sorted({allocation.batch_size for allocation in measured}):
        own = {
            a.cpu_millicores: a.capacity_rps
            for a in measured
            if a.kind == CPU and a.batch_size == batch_size
        }
        sizes = sorted(own)
        smooth = isotonic([own[size] for size in sizes])
        for millicores in _multiples(sizes, step_millicores):
            if own[max(size for size in sizes if size < millicores)] == 0.0:
                continue  # perhaps as late as the smaller one: not between no and some capacity
            rps = interpolate(sizes, smooth, millicores)
            yield Allocation(
                size=PodSize(resources={CPU: millicores}, batch_size=batch_size), capacity_rps=rps
            )


def _multiples(sizes: list[int], step: int) -> Iterator[int]:
    if sizes:
        first = -(-sizes[0] // step) * step
        yield from (size for size in range(first, sizes[-1], step) if size not in sizes)
