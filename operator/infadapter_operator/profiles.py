"""From a VariantProfile, as it is written, to what the solver computes capacities from."""

from infadapter_operator.api import VariantProfile
from infadapter_operator.api_profile import ProfileAllocation
from infadapter_operator.quantities import parse_amounts
from infadapter_solver.profiles import KnownCapacity, Point, Profile, ProfiledAllocation


def measured(document: VariantProfile, variant: str | None = None) -> Profile:
    """For the variant that names the profile; its own name if it stands alone in a file."""
    spec = document.spec
    return Profile(
        variant=variant or document.metadata.name,
        accuracy=spec.accuracy,
        load_time_s=spec.load_seconds,
        allocations=tuple(_allocation(allocation) for allocation in spec.allocations),
    )


def _allocation(allocation: ProfileAllocation) -> ProfiledAllocation:
    points = tuple(
        Point(
            rps=point.rps,
            latency_s={p: ms / 1000 for p, ms in point.latency_ms.items()},
            refused_ratio=point.refused_ratio,
        )
        for point in allocation.points or ()
    )
    capacity = tuple(
        KnownCapacity(
            latency_s=known.latency_milliseconds / 1000,
            percentile=known.percentile,
            rps=known.rps,
        )
        for known in allocation.capacity or ()
    )
    return ProfiledAllocation(
        resources=parse_amounts(allocation.resources),
        batch_size=allocation.batch_size,
        saturation_rps=allocation.saturation_rps,
        points=points,
        capacity=capacity,
    )
