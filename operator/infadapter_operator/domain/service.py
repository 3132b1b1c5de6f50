"""One InferenceService as the loop sees it: plain numbers in one unit, parsed once at the edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from infadapter_operator.domain.error_budget import WINDOW_S
from infadapter_profiles.profile import Profile
from infadapter_solver.problem import Allocation, Objective, PodSize, Resources, Target, Variant

ACCURACY_ROUNDING = 1e-5
"""Profiles are written with five digits: a server's own accuracy may be a little less."""

KEPT_LOAD_TIMES = 2.0
"""In load times of the slowest variant, how long what it took to start is kept at least."""


class Mode(StrEnum):
    AUTO = "Auto"
    RECOMMEND = "Recommend"  # plans and reports, writes only status
    PAUSED = "Paused"  # not even that


class ForecastMethod(StrEnum):
    AUTO = "Auto"  # what the next seconds may need
    LAST_MAXIMUM = "LastMaximum"
    EXPONENTIAL = "Exponential"
    SEASONAL_NAIVE = "SeasonalNaive"
    QUANTILE_NETWORK = "QuantileNetwork"


class Season(StrEnum):
    DAY = "Day"
    WEEK = "Week"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """After what the load repeats itself, and by whose clocks."""

    season: Season = Season.WEEK
    zone: str = "UTC"  # of the IANA database
    began_s: float = 0.0  # the loop's second 0, since 1970: another one in virtual time only


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what does not come is waited for, and how often it is tried again."""

    start_s: float = 60.0  # a pod that can't be pulled, configured, kept running or scheduled
    ready_loads: float = 3.0  # a pod that runs and is not Ready: in load times, and …
    ready_s: float = 60.0  # … at least so long
    resize_s: float = 10.0  # a resize that waits, while there is a shortage
    retry_first_s: float = 30.0  # until what was left is tried again, doubled each time …
    retry_most_s: float = 600.0  # … up to this; and forgotten after as long without trouble

    def ready_within_s(self, load_time_s: float) -> float:
        return max(self.ready_s, self.ready_loads * load_time_s)


class Priced(NamedTuple):
    """What capacity for a request more costs, by an objective."""

    objective: Objective
    of_a_request: float


@dataclass(slots=True)
class Derived:
    """
    What was computed from a service's variants, for as long as these are the same objects. A
    service is replaced at every cycle, since its mode may have changed; its variants seldom are.
    """

    variants: tuple[Variant, ...] = ()
    fitted: dict[tuple[Target, PodSize], Allocation | None] = field(default_factory=dict)
    calibrated: dict[frozenset[tuple[Target, float]], "Calibrated"] = field(default_factory=dict)
    levelled: dict[float, "Calibrated"] = field(default_factory=dict)  # by the trade allowed
    priced: Priced | None = None
    limits_rps: dict[object, float] = field(default_factory=dict)  # vertical, of pods and room

    def of(self, variants: tuple[Variant, ...]) -> "Derived":
        if self.variants is not variants:
            self.variants, self.fitted, self.calibrated = variants, {}, {}
            self.levelled = {}
            self.priced = None
            self.limits_rps = {}
        return self


class Calibrated(NamedTuple):
    """Variants with the capacities that their pods deliver, and what was derived of them."""

    variants: tuple[Variant, ...]
    derived: Derived


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What `decide` and `rollout` need to know of the spec and of the profiles it names."""

    namespace: str
    name: str
    slo_s: float
    percentile: float  # of the latency, 1 … 99.99
    variants: tuple[Variant, ...]  # capacities are those at (slo_s, percentile)
    objective: Objective  # its budget bounds plans
    max_surge: Resources  # bounds what may run beyond the budget while pods are replaced
    accuracy_floor: float = 0.0  # less accurate variants have no allocations
    minimum_rps: float = 0.0
    forecast: ForecastMethod = ForecastMethod.AUTO
    quantile: float = 0.95
    horizon_s: float = 60.0
    calendar: Calendar = field(default_factory=Calendar)
    interval_s: float = 5.0
    stabilization_s: float = 20.0  # scale down only after this long below
    min_replicas: int = 1
    mode: Mode = Mode.AUTO
    error_budget_window_s: float = WINDOW_S  # over which the percentile must be met
    patience: Patience = field(default_factory=Patience)
    profiles: Mapping[str, Profile] = field(default_factory=dict)  # by variant: for latencies
    derived: Derived = field(default_factory=Derived, repr=False, compare=False)

    @property
    def planning_horizon_s(self) -> float:
        """Long enough that what is started now is ready before its demand is over."""
        return max(self.horizon_s, self.interval_s + self.slowest_load_s)

    @property
    def kept_s(self) -> float:
        """How long capacity is kept for the load that was: what is dear to start is kept longer."""
        return max(self.stabilization_s, self.interval_s, KEPT_LOAD_TIMES * self.slowest_load_s)

    @property
    def slowest_load_s(self) -> float:
        return max((variant.load_time_s for variant in self.variants), default=0.0)

    @property
    def floors(self) -> Mapping[str, float]:
        """
        What servers are asked for, by variant: the floor, less what accuracies in profiles are
        rounded by. Those that are not offered for it are on their way out, and asked for nothing.
        """
        floor = self.accuracy_floor - ACCURACY_ROUNDING
        return {v.name: floor for v in self.variants if v.allocations and floor > 0}

    @property
    def budget(self) -> Resources:
        return self.objective.budget
