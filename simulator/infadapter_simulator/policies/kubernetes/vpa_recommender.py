"""
The Vertical Pod Autoscaler's recommender, CPU only (kubernetes/autoscaler, VPA 1.7.1).

recommender/model/aggregations_config.go (buckets, weight, half-life), util/histogram.go,
logic/estimator.go and logic/recommender.go (margin, confidence, percentiles).
"""

import math
from dataclasses import dataclass, field

DAY_S = 86_400.0
SAMPLE_S = 60.0  # --recommender-interval
FIRST_BUCKET_CORES = 0.01
GROWTH = 1.05
BUCKETS = 176
SAMPLE_WEIGHT = 0.1  # constant; never the request
MARGIN = 0.15
FLOOR_MILLICORES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Target and bounds, millicores."""

    target: int
    lower: int
    upper: float  # infinite after the first sample


def start_of(bucket: int) -> float:
    """Return the start of a bucket, cores."""
    return FIRST_BUCKET_CORES / (GROWTH - 1) * (GROWTH**bucket - 1)


def bucket_of(cores: float) -> int:
    if cores < FIRST_BUCKET_CORES:
        return 0
    by_log = math.log(cores * (GROWTH - 1) / FIRST_BUCKET_CORES + 1) / math.log(GROWTH)
    return min(BUCKETS - 1, math.floor(by_log))


@dataclass(slots=True)
class Recommender:
    """One decaying histogram for all pods of a VPA."""

    half_life_s: float = DAY_S
    percentile: float = 0.90
    weights: list[float] = field(default_factory=lambda: [0.0] * BUCKETS)
    total: float = 0.0
    samples: int = 0
    first_s: float = math.inf
    last_s: float = -math.inf

    def add(self, cores: float, at_s: float) -> None:
        """Add a pod's usage in a window that ended at this time, truncated to millicores."""
        weight = SAMPLE_WEIGHT * 2 ** (at_s / self.half_life_s)
        self.weights[bucket_of(math.floor(1000 * cores + 1e-9) / 1000)] += weight
        self.total += weight
        self.samples += 1
        self.first_s, self.last_s = min(self.first_s, at_s), max(self.last_s, at_s)

    def preload(self, cores: float, days: float, now_s: float) -> None:
        """Add constant usage over this many days."""
        for k in range(round(days * DAY_S / SAMPLE_S), 0, -1):
            self.add(cores, now_s - k * SAMPLE_S)

    @property
    def confidence(self) -> float:
        """Return days of history, or days' worth of samples if that is less."""
        return min((self.last_s - self.first_s) / DAY_S, self.samples * SAMPLE_S / DAY_S)

    def recommendation(self, most_millicores: float = math.inf) -> Recommendation | None:
        """Return the recommendation, limited to maxAllowed; None before the first sample."""
        if not self.samples:
            return None
        sure = self.confidence
        lower = math.floor(self._millicores(0.50) * (1 + 0.001 / sure) ** -2) if sure else 0
        upper = math.floor(self._millicores(0.95) * (1 + 1 / sure)) if sure else math.inf
        return Recommendation(
            target=int(_within(self._millicores(self.percentile), most_millicores)),
            lower=int(_within(lower, most_millicores)),
            upper=_within(upper, most_millicores),
        )

    def _millicores(self, percentile: float) -> int:
        """Return the upper edge of the percentile's bucket, with the margin."""
        edge = math.floor(1000 * start_of(self._bucket_at(percentile) + 1))
        return edge + math.floor(MARGIN * edge)

    def _bucket_at(self, percentile: float) -> int:
        seen = 0.0
        for bucket, weight in enumerate(self.weights):
            seen += weight
            if seen >= percentile * self.total:
                return bucket
        return BUCKETS - 1


def flat_target_millicores(cores: float) -> int:
    """Return the target under constant usage."""
    edge = math.floor(1000 * start_of(bucket_of(cores) + 1))
    return max(edge + math.floor(MARGIN * edge), FLOOR_MILLICORES)


def _within(millicores: float, most_millicores: float) -> float:
    return min(max(millicores, FLOOR_MILLICORES), most_millicores)
