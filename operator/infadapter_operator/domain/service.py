"""One InferenceService as the loop sees it: plain numbers in one unit, parsed once at the edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from infadapter_operator.domain.error_budget import WINDOW_S
from infadapter_profiles.profile import Profile
from infadapter_solver.problem import Allocation, Objective, PodSize, Resources, Target, Variant

ACCURACY_ROUNDING = 1e-5
"""
Tolerance for accuracies: profiles have five digits, so a server's own accuracy may be slightly
lower.
"""

KEPT_LOAD_TIMES = 2.0
"""
Minimum time for which capacity is kept after a fall in load, in load times of the slowest variant.
"""


class Mode(StrEnum):
    AUTO = "Auto"
    RECOMMEND = "Recommend"  # plans and reports, writes only the status
    PAUSED = "Paused"  # neither plans nor writes


class ForecastMethod(StrEnum):
    AUTO = "Auto"  # the reserve for the next seconds
    LAST_MAXIMUM = "LastMaximum"
    EXPONENTIAL = "Exponential"
    SEASONAL_NAIVE = "SeasonalNaive"
    QUANTILE_NETWORK = "QuantileNetwork"


class Season(StrEnum):
    DAY = "Day"
    WEEK = "Week"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The season after which the load repeats, and the time zone of its clocks."""

    season: Season = Season.WEEK
    zone: str = "UTC"  # IANA name
    began_s: float = 0.0  # Unix time of the loop's second 0; differs from 0 in virtual time only


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long pods and resizes are awaited, and how often a failed target is retried."""

    start_s: float = (
        60.0  # for a pod that fails to be pulled, configured, kept running or scheduled
    )
    ready_loads: float = 3.0  # for a pod that runs and is not Ready, in load times …
    ready_s: float = 60.0  # … and at least this long
    resize_s: float = 10.0  # for a deferred resize while capacity is short
    retry_first_s: float = 30.0  # first back-off, doubled with each attempt …
    retry_most_s: float = 600.0  # … up to this; forgotten after as long without failures

    def ready_within_s(self, load_time_s: float) -> float:
        return max(self.ready_s, self.ready_loads * load_time_s)


class Priced(NamedTuple):
    """The price of capacity for one more request per second, under an objective."""

    objective: Objective
    of_a_request: float


@dataclass(slots=True)
class Derived:
    """
    Values computed from a service's variants, cached while the variants are the same objects. A
    service is replaced in every cycle, because its mode may have changed; its variants rarely
    change.
    """

    variants: tuple[Variant, ...] = ()
    fitted: dict[tuple[Target, PodSize], Allocation | None] = field(default_factory=dict)
    calibrated: dict[frozenset[tuple[Target, float]], "Calibrated"] = field(default_factory=dict)
    levelled: dict[float, "Calibrated"] = field(default_factory=dict)  # by the trade allowed
    priced: Priced | None = None
    limits_rps: dict[object, float] = field(default_factory=dict)  # vertical, by pods and room

    def of(self, variants: tuple[Variant, ...]) -> "Derived":
        if self.variants is not variants:
            self.variants, self.fitted, self.calibrated = variants, {}, {}
            self.levelled = {}
            self.priced = None
            self.limits_rps = {}
        return self


class Calibrated(NamedTuple):
    """Variants with the capacities that their pods deliver, and the values derived from them."""

    variants: tuple[Variant, ...]
    derived: Derived


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that planning and rollout need from the spec and the profiles that it names."""

    namespace: str
    name: str
    slo_s: float
    percentile: float  # of the latency, 1 … 99.99
    variants: tuple[Variant, ...]  # capacities are those at (slo_s, percentile)
    objective: Objective  # its budget bounds plans
    max_surge: Resources  # limits what may run beyond the budget while pods are replaced
    accuracy_floor: float = 0.0  # less accurate variants have no allocations
    minimum_rps: float = 0.0
    forecast: ForecastMethod = ForecastMethod.AUTO
    quantile: float = 0.95
    horizon_s: float = 60.0
    calendar: Calendar = field(default_factory=Calendar)
    interval_s: float = 5.0
    stabilization_s: float = 20.0  # scale down only after the load was lower for this long
    min_replicas: int = 1
    mode: Mode = Mode.AUTO
    error_budget_window_s: float = WINDOW_S  # window in which the percentile must be met
    patience: Patience = field(default_factory=Patience)
    profiles: Mapping[str, Profile] = field(default_factory=dict)  # by variant: for latencies
    derived: Derived = field(default_factory=Derived, repr=False, compare=False)

    @property
    def planning_horizon_s(self) -> float:
        """
        The forecast horizon, s, long enough that a pod started now is Ready before its demand is
        over.
        """
        return max(self.horizon_s, self.interval_s + self.slowest_load_s)

    @property
    def kept_s(self) -> float:
        """
        How long capacity is kept for a load that has fallen, s: longer for models that load slowly.
        """
        return max(self.stabilization_s, self.interval_s, KEPT_LOAD_TIMES * self.slowest_load_s)

    @property
    def slowest_load_s(self) -> float:
        return max((variant.load_time_s for variant in self.variants), default=0.0)

    @property
    def floors(self) -> Mapping[str, float]:
        """
        The accuracy floor that servers are asked for, by variant, less the rounding of profiled
        accuracies. Variants without allocations are being removed and have none.
        """
        floor = self.accuracy_floor - ACCURACY_ROUNDING
        return {v.name: floor for v in self.variants if v.allocations and floor > 0}

    @property
    def budget(self) -> Resources:
        return self.objective.budget
