"""Rescale the shipped profiles to this machine by its calibration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from infadapter_local.measure import BATCH_SIZE
from infadapter_profiles.profile import Point, Profile, ProfiledAllocation
from infadapter_solver.problem import CPU

_NEAR = 0.8  # tolerance for the smallest size, about the variation of the calibration


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a variant's calibration on this machine."""

    load_s: float
    saturation_rps: Mapping[int, float]  # by millicores


def rescaled(profile: Profile, check: Check) -> Profile:
    """
    Return the profile for this machine: measured rates at calibrated sizes, and in between rates in
    proportion to the quota, since the servers are CPU-bound. A larger size serves no less than a
    smaller one: a lower rate was a disturbance's.

    Latencies increase on a slower machine. On a faster one they are kept, since much of them is
    waiting for the quota's next period, which is as long on any machine. A quota on a machine of
    speed s < 1 corresponds to s times that quota on the profile's machine. Sizes that are below the
    smallest measured one by this rule are left out, for the reason for which they were not
    measured.

    Raises ValueError if no calibrated size is in the profile.
    """
    sizes, rates = zip(*sorted(_checked(profile, check).items()), strict=True)
    at_least = np.maximum.accumulate((0.0, *rates))
    smallest = min(a.resources[CPU] for a in profile.allocations)

    def rows() -> Iterator[ProfiledAllocation]:
        for own in profile.allocations:
            millicores = own.resources[CPU]
            saturation_rps = float(np.interp(millicores, (0, *sizes), at_least))
            speed = saturation_rps / (own.saturation_rps or saturation_rps or 1.0)
            if millicores * speed >= _NEAR * smallest:
                yield _as_measured(rescaled_row(own, saturation_rps))

    return replace(profile, load_time_s=check.load_s, allocations=tuple(rows()))


def speed_of(profile: Profile, check: Check) -> float:
    """
    Return this machine's rate over that of the profile, over all calibrated sizes.

    Raises ValueError if no calibrated size is in the profile.
    """
    checked = _checked(profile, check)
    known = {a.resources[CPU]: a.saturation_rps or 0.0 for a in profile.allocations}
    return sum(checked.values()) / sum(known[millicores] for millicores in checked)


def _checked(profile: Profile, check: Check) -> dict[int, float]:
    known = {a.resources[CPU] for a in profile.allocations if a.saturation_rps}
    checked = {size: rps for size, rps in check.saturation_rps.items() if size in known}
    if not checked:
        raise ValueError(f"The profile of {profile.variant} lacks the sizes that are checked.")
    return checked


def rescaled_row(allocation: ProfiledAllocation, saturation_rps: float) -> ProfiledAllocation:
    """Rescale one size to a saturation rate."""
    if not allocation.saturation_rps:
        return allocation
    speed = saturation_rps / allocation.saturation_rps
    slower = max(1.0, 1.0 / speed)
    points = tuple(
        replace(
            point,
            rps=point.rps * speed,
            latency_s={p: latency * slower for p, latency in point.latency_s.items()},
        )
        for point in _undisturbed(allocation.points)
    )
    return replace(allocation, points=points, saturation_rps=saturation_rps)


def _undisturbed(points: Sequence[Point]) -> Sequence[Point]:
    """
    Lower each point's latency to that of any higher rate, since a disturbance only increases it.
    Plans assume that latency never falls with the rate, so one disturbed minute at a low rate would
    raise it at all rates, and on a slower machine several times over.
    """
    least_s: dict[float, float] = {}
    undisturbed = []
    for point in sorted(points, key=lambda point: -point.rps):
        least_s |= {p: min(s, least_s.get(p, s)) for p, s in point.latency_s.items()}
        own_s = {p: least_s[p] for p in point.latency_s}
        undisturbed.append(replace(point, latency_s=own_s))
    return undisturbed[::-1]


def _as_measured(allocation: ProfiledAllocation) -> ProfiledAllocation:
    """Set the batch limit that was calibrated; shipped profiles may have another."""
    return replace(allocation, size=replace(allocation.size, batch_size=BATCH_SIZE))
