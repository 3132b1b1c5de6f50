"""From a VariantProfile, as it is written, to what the solver computes capacities from."""

from infadapter_operator.api.objects import VariantProfile
from infadapter_operator.api.profiles import ProfileAllocation, VariantProfileSpec
from infadapter_profiles.profile import KnownCapacity, Point, Profile, ProfiledAllocation
from infadapter_solver.problem import PodSize


def profile_from(variant: str, spec: VariantProfileSpec) -> Profile:
    """The profile as the solver's own module reads it."""
    return Profile(
        variant=variant,
        accuracy=spec.accuracy,
        load_time_s=spec.load_seconds,
        allocations=tuple(_allocation(allocation) for allocation in spec.allocations),
    )


def measured(document: VariantProfile) -> Profile:
    """One that stands alone in a file: it bears the profile's own name."""
    return profile_from(document.metadata.name, document.spec)


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
        size=PodSize(resources=allocation.amounts, batch_size=allocation.batch_size),
        saturation_rps=allocation.saturation_rps,
        points=points,
        capacity=capacity,
    )
