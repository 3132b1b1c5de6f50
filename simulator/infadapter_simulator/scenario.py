"""
What is simulated: the variants with what their pods really do, the SLO, the money, the delays.

A pod of n cores is n servers, each busy for a known time with one request, first come, first served
(the paper's servers run batch size 1, one thread a core). It answers n / service time per second at
most; what the profile calls its capacity is less, as that keeps a percentile within the SLO.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from infadapter_operator.domain.deployment import MIN_READY_S
from infadapter_operator.domain.service import Calendar, ForecastMethod
from infadapter_simulator.world.faults import Faults
from infadapter_solver import (
    CPU,
    Allocation,
    Objective,
    PodSize,
    Profile,
    Resources,
    Variant,
    to_variant,
)


class Server(StrEnum):
    """What the pods do with a request that they can't answer in time."""

    SAME = "same"  # refuse it at once
    PUBLISHED = "published"  # what each policy's own server does


class Speed(StrEnum):
    """What a pod's rate at full load is taken from."""

    MEASURED = "measured"  # the larger of saturation throughput and capacity
    SATURATION = "saturation"  # saturation throughput alone


class PointSpeed(NamedTuple):
    """An operating point: how accurate it is, and how long one request takes on one server."""

    accuracy: float
    service_s: float


@dataclass(frozen=True, slots=True)
class PodSpeed:
    """
    A pod as a queue. Its operating points, the most accurate first, are worth using: each is slower
    than the next. None: its variant has none.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that is the same for every policy. Times in seconds."""

    variants: tuple[Variant, ...]  # as they were measured: capacities at the SLO
    speeds: Mapping[tuple[str, PodSize], PodSpeed]
    slo_s: float = 0.75
    percentile: float = 99.0
    objective: Objective = field(
        default_factory=lambda: Objective(budget={CPU: 20_000}, loading_weight=0.001)
    )
    forecast: ForecastMethod = ForecastMethod.AUTO  # ours foresees by it …
    calendar: Calendar = field(default_factory=Calendar)  # … and by this
    max_surge: Resources | None = None  # ours may hold that beyond the budget; None: as much again
    profiles: Mapping[str, Profile] = field(default_factory=dict)  # by variant, where there are any
    server: Server = Server.SAME
    start_overhead_s: float = 2.0  # from a pod's creation to the beginning of its load time
    resize_s: float = 1.0
    scrape_lag_s: float = 0.5  # a second's count is known so long after it
    weights_lag_s: float = 0.5  # until a router obeys new weights
    drain_s: float = 0.5  # from the order to stop to the end, with no request left
    min_ready_s: float = MIN_READY_S  # of a new pod, until an old one goes in a rolling change
    service_sigma: float = 0.0  # of the lognormal that each service time is multiplied by
    weighs_at_random: bool = False  # as an HTTPRoute does, in place of a smooth round robin
    failures_per_pod_hour: float = 0.0
    faults: Faults = field(default_factory=Faults)

    def variant(self, name: str) -> Variant:
        return next(variant for variant in self.variants if variant.name == name)

    def allocation(self, name: str, cpu_millicores: int) -> Allocation:
        """
        The CPU allocation of exactly this size, or the smallest measured one above it, or the
        largest: what a policy that knows no profile gets when it asks for cores.
        """
        sizes = sorted(
            (a for a in self.variant(name).allocations if a.kind == CPU),
            key=lambda a: a.cpu_millicores,
        )
        return next((a for a in sizes if a.cpu_millicores >= cpu_millicores), sizes[-1])

    def capacity_rps(self, name: str, size: PodSize) -> float:
        """What was measured of a pod of this size; 0 where nothing was."""
        sizes = (a.capacity_rps for a in self.variant(name).allocations if a.size == size)
        return next(sizes, 0.0)

    def speed(self, name: str, size: PodSize) -> PodSpeed:
        return self.speeds[name, size]

    def start_s(self, name: str) -> float:
        """From a pod's creation until it is Ready."""
        told_s = self.start_overhead_s + self.variant(name).load_time_s
        return told_s * self.faults.start_factor

    @property
    def resize_delay_s(self) -> float:
        return self.resize_s * self.faults.resize_factor

    @property
    def scrape_delay_s(self) -> float:
        return self.scrape_lag_s * self.faults.lag_factor

    @property
    def budget(self) -> Resources:
        return self.objective.budget

    @property
    def surge(self) -> Resources:
        """What ours may hold beyond the budget, as much again unless something else is said."""
        return self.budget if self.max_surge is None else self.max_surge

    @property
    def best_accuracy(self) -> float:
        return max(variant.accuracy for variant in self.variants)


def variants_of(
    profiles: Iterable[Profile], slo_s: float, percentile: float
) -> tuple[Variant, ...]:
    """Raises NotMeasured."""
    return tuple(to_variant(profile, slo_s, percentile) for profile in profiles)


def speeds_of(
    profiles: Iterable[Profile], variants: Iterable[Variant], speed: Speed = Speed.MEASURED
) -> dict[tuple[str, PodSize], PodSpeed]:
    """
    How fast pods are, from what was measured of them; between two measured sizes of CPU by a line,
    as their capacity is taken to be. A pod uses those of its operating points that are worth using
    by their capacities, and no slower one than is also less accurate when it is under full load.
    """
    own = {profile.variant: profile for profile in profiles}
    return {
        (variant.name, a.size): _pod_speed(own[variant.name], a, speed)
        for variant in variants
        for a in variant.allocations
    }


def _pod_speed(profile: Profile, allocation: Allocation, speed: Speed) -> PodSpeed:
    servers = max(1, math.ceil(allocation.cpu_millicores / 1000))
    if not allocation.points:
        full_rps = _full_rps(profile, None, allocation.size, allocation.capacity_rps, speed)
        return PodSpeed(servers, servers / max(full_rps, 1e-3))
    points: list[PointSpeed] = []
    for point in reversed(allocation.points):
        capacity_rps = point.capacity_ratio * allocation.capacity_rps
        full_rps = _full_rps(profile, point.name, allocation.size, capacity_rps, speed)
        found = PointSpeed(point.accuracy, servers / max(full_rps, 1e-3))
        if not points or found.service_s > points[-1].service_s:
            points.append(found)
        else:
            points[-1] = found  # it is as fast, and more accurate
    return PodSpeed(servers, points[0].service_s, tuple(reversed(points)))


def _full_rps(
    profile: Profile, point: str | None, size: PodSize, capacity_rps: float, speed: Speed
) -> float:
    """The rate at full load; by `speed`, no less than the capacity."""
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
    millicores = sorted(alike)
    return float(np.interp(size.cpu_millicores, millicores, [alike[n] for n in millicores]))
