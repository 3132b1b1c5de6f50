"""
The real speed of pods, from their profiles.

A pod of n cores is a queue with n servers, each busy for a known time with one request, first come,
first served (the paper's servers run batch size 1, one thread a core). It answers at most n /
service time per second.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from infadapter_solver import Allocation, PodSize, Profile, Variant


class Speed(StrEnum):
    """The profile's figure from which a pod's rate at full load is taken."""

    MEASURED = "measured"  # the larger of saturation throughput and capacity
    SATURATION = "saturation"  # saturation throughput alone


class PointSpeed(NamedTuple):
    """An operating point: its accuracy, and the service time of one request on one server."""

    accuracy: float
    service_s: float


@dataclass(frozen=True, slots=True)
class PodSpeed:
    """
    A pod as a queue. Its operating points are ordered by falling accuracy, and each is slower than
    the next. None means that the variant has no operating points.
    """

    servers: int
    service_s: float  # of one request on one server; by the fastest of its points
    points: tuple[PointSpeed, ...] = ()

    @property
    def most_rps(self) -> float:
        return self.servers / self.service_s

    @property
    def longest_s(self) -> float:
        return self.points[0].service_s if self.points else self.service_s

    @classmethod
    def mixing(cls, servers: int, points: Sequence[PointSpeed]) -> "PodSpeed":
        """
        Return the speed for points given by falling accuracy, without those that are no faster than
        a more accurate one. Points that are useful by their capacity may be useless by their rate
        at full load.
        """
        kept: list[PointSpeed] = []
        for point in points:
            if not kept or point.service_s < kept[-1].service_s:
                kept.append(point)
        return cls(servers, kept[-1].service_s, tuple(kept))


def speeds_of(
    profiles: Iterable[Profile], variants: Iterable[Variant], speed: Speed = Speed.MEASURED
) -> dict[tuple[str, PodSize], PodSpeed]:
    """
    Return the speed of each variant's pods by size, interpolated linearly between measured sizes of
    CPU, as their capacity is. A pod uses the operating points that are useful by their capacities.
    """
    own = {profile.variant: profile for profile in profiles}
    return {
        (variant.name, a.size): _pod_speed(own[variant.name], a, speed)
        for variant in variants
        for a in variant.allocations
    }


def _pod_speed(profile: Profile, allocation: Allocation, speed: Speed) -> PodSpeed:
    servers = servers_of(allocation)
    if not allocation.points:
        full_rps = _full_rps(profile, None, allocation.size, allocation.capacity_rps, speed)
        return PodSpeed(servers, servers / max(full_rps, 1e-3))
    points = []
    for point in allocation.points:
        capacity_rps = point.capacity_ratio * allocation.capacity_rps
        full_rps = _full_rps(profile, point.name, allocation.size, capacity_rps, speed)
        points.append(PointSpeed(point.accuracy, servers / max(full_rps, 1e-3)))
    return PodSpeed.mixing(servers, points)


def servers_of(allocation: Allocation) -> int:
    return max(1, math.ceil(allocation.cpu_millicores / 1000))


def _full_rps(
    profile: Profile, point: str | None, size: PodSize, capacity_rps: float, speed: Speed
) -> float:
    """Return the rate at full load; unless `speed` is SATURATION, at least the capacity."""
    saturation = _saturation_rps(profile, point, size)
    if speed is Speed.SATURATION and saturation:
        return saturation
    return max(saturation, capacity_rps)


def _saturation_rps(profile: Profile, point: str | None, size: PodSize) -> float:
    alike = {
        a.size.cpu_millicores: a.saturation_rps or max((p.rps for p in a.points), default=0.0)
        for a in profile.allocations
        if a.size.but_cpu == size.but_cpu and a.operating_point == point
    }
    if not alike:
        return 0.0  # of a size in which no operating point is worth using
    millicores = sorted(alike)
    return float(np.interp(size.cpu_millicores, millicores, [alike[n] for n in millicores]))
