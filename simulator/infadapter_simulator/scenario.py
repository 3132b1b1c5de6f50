"""
The scenario of a simulation: the variants with the real speed of their pods, the SLO, prices,
delays.

A pod is as fast as measured (`speeds.py`). The capacity in its profile is lower, since it keeps a
percentile within the SLO.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from infadapter_operator.domain.deployment import MIN_READY_S
from infadapter_operator.domain.service import Calendar, ForecastMethod
from infadapter_simulator.speeds import PodSpeed, PointSpeed, Speed, speeds_of
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

__all__ = [
    "PodSpeed",
    "PointSpeed",
    "Scenario",
    "Server",
    "Speed",
    "speeds_of",
    "variants_of",
]


class Server(StrEnum):
    """What pods do with requests that they can't answer in time."""

    SAME = "same"  # refuse it at once
    PUBLISHED = "published"  # what each policy's own server does


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
    accuracy_floor: float = 0.0  # variants, speeds and profiles are without what is less accurate
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
        Return the CPU allocation of exactly this size, or the next larger measured one, or the
        largest: what a policy without profiles gets when it requests cores.
        """
        sizes = sorted(
            (a for a in self.variant(name).allocations if a.kind == CPU),
            key=lambda a: a.cpu_millicores,
        )
        return next((a for a in sizes if a.cpu_millicores >= cpu_millicores), sizes[-1])

    def capacity_rps(self, name: str, size: PodSize) -> float:
        """Return the measured rate of a pod of this size; 0 if there is none."""
        sizes = (a.capacity_rps for a in self.variant(name).allocations if a.size == size)
        return next(sizes, 0.0)

    def speed(self, name: str, size: PodSize) -> PodSpeed:
        return self.speeds[name, size]

    def start_s(self, name: str) -> float:
        """Return the time from a pod's creation until it is Ready, s."""
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
        """The surge of our policy, equal to the budget unless specified."""
        return self.budget if self.max_surge is None else self.max_surge

    @property
    def best_accuracy(self) -> float:
        return max(variant.accuracy for variant in self.variants)


def variants_of(
    profiles: Iterable[Profile], slo_s: float, percentile: float
) -> tuple[Variant, ...]:
    """Return the variants. Raises NotMeasured."""
    return tuple(to_variant(profile, slo_s, percentile) for profile in profiles)
