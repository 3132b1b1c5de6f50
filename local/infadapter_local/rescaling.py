"""
Rescales the profiles that ship to the machine of whoever runs the demo, by what was seen of each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from infadapter_local.measure import BATCH_SIZE
from infadapter_profiles.profile import Point, Profile, ProfiledAllocation
from infadapter_solver.problem import CPU

_NEAR = 0.8  # of a measured size, what calibration may take for it: it varies by about as much


@dataclass(frozen=True, slots=True)
class Check:
    """What a short look found of a variant on this machine."""

    load_s: float
    saturation_rps: Mapping[int, float]  # by millicores


def rescaled(profile: Profile, check: Check) -> Profile:
    """
    Return the profile as it is on this machine: what was checked, and between that in proportion
    to the quota, which is what CPU-bound servers do.

    Latencies are longer where it is slower. A faster machine's are left: much of them is waiting
    for the next period of the quota, which lasts as long on any machine. A quota on a machine of
    speed s < 1 is s times that quota on the profile's: what is so below the smallest size that was
    measured is left out, for the reason for which it was not measured.

    Raises ValueError where nothing was checked that the profile has.
    """
    sizes, rates = zip(*sorted(_checked(profile, check).items()), strict=True)
    per_millicore = np.array(rates) / sizes
    smallest = min(a.resources[CPU] for a in profile.allocations)

    def rows() -> Iterator[ProfiledAllocation]:
        for own in profile.allocations:
            millicores = own.resources[CPU]
            saturation_rps = millicores * float(np.interp(millicores, sizes, per_millicore))
            speed = saturation_rps / (own.saturation_rps or saturation_rps or 1.0)
            if millicores * speed >= _NEAR * smallest:
                yield _as_measured(rescaled_row(own, saturation_rps))

    return replace(profile, load_time_s=check.load_s, allocations=tuple(rows()))


def speed_of(profile: Profile, check: Check) -> float:
    """
    The rate of this machine over that of the profile's, over all sizes that were checked.

    Raises ValueError where nothing was checked that the profile has.
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
    """One size, by what was seen of it."""
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
    By rate, each no later than a higher rate was answered: a disturbance only makes it later.

    A profile is planned with as if latency never fell, so that one disturbed minute at a low rate
    would count at all rates, and on a slower machine as many times as long.
    """
    least_s: dict[float, float] = {}
    undisturbed = []
    for point in sorted(points, key=lambda point: -point.rps):
        least_s |= {p: min(s, least_s.get(p, s)) for p, s in point.latency_s.items()}
        own_s = {p: least_s[p] for p in point.latency_s}
        undisturbed.append(replace(point, latency_s=own_s))
    return undisturbed[::-1]


def _as_measured(allocation: ProfiledAllocation) -> ProfiledAllocation:
    """Profiles that ship may be of servers with another batch limit than that which was checked."""
    return replace(allocation, size=replace(allocation.size, batch_size=BATCH_SIZE))
