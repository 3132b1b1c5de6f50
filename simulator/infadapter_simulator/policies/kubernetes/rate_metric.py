"""
A rate as Prometheus computes it: `rate(requests_total[window])` over scrapes.

It is the mean over the time between the first and the last sample inside the window; with fewer
than two samples there is none (Prometheus 0.316, promql/functions.go).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from infadapter_simulator.policies.kubernetes.hpa_rules import average_value_proposal
from infadapter_simulator.policies.kubernetes.replicas import Deployment, live_pods, pods_for
from infadapter_simulator.policies.ticking import Ticker, ticker
from infadapter_simulator.world.metrics import arrived
from infadapter_simulator.world.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class RateMetric:
    scrape_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class ScrapedRate:
    """The rate of one counter; `before_rps` is the rate before the run."""

    metric: RateMetric
    scrapes: Ticker
    before_rps: float

    def span_s(self, now_s: float, lag_s: float) -> tuple[float, float] | None:
        """
        Return the times of the first and last sample in the window; a sample is available `lag_s`
        later.
        """
        last_s = self.scrapes.last_s(now_s - lag_s)
        first_s = self.scrapes.last_s(now_s - self.metric.window_s)
        if first_s < now_s - self.metric.window_s - 1e-9:
            first_s += self.metric.scrape_s
        return (first_s, last_s) if last_s > first_s + 1e-9 else None

    def rps(self, world: World) -> float:
        """Return the rate, or 0 without one, as by KEDA's ignoreNullValues."""
        span = self.span_s(world.now_s, world.scenario.scrape_delay_s)
        if span is None:
            return 0.0
        from_s, to_s = span
        count = arrived(world.traffic, max(from_s, 0.0), max(to_s, 0.0))
        before_s = max(0.0, min(0.0, to_s) - min(0.0, from_s))
        return (count + self.before_rps * before_s) / (to_s - from_s)


@dataclass(slots=True)
class Rps:
    """An external metric with AverageValue: the service's rate over the target rate per pod."""

    rate: ScrapedRate
    per_pod_rps: float

    def first_pods(self, mean_rps: float) -> int:
        return pods_for(mean_rps, self.per_pod_rps)

    def proposal(self, world: World) -> int | None:
        return average_value_proposal(self.rate.rps(world), self.per_pod_rps, len(live_pods(world)))


def rps_metric(metric: RateMetric) -> Callable[[World, Deployment, float, float], Rps]:
    """Return a metric whose target is a share of a pod's capacity within the SLO."""

    def metric_of(world: World, pods: Deployment, target: float, mean_rps: float) -> Rps:
        rng = np.random.default_rng([world.seed, 24])
        scraped = ScrapedRate(metric, ticker(rng, metric.scrape_s), mean_rps)
        return Rps(scraped, max(round(target * pods.allocation.capacity_rps, 3), 0.001))

    return metric_of
