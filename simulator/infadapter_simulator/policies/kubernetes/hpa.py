"""
The Horizontal Pod Autoscaler on CPU utilisation or on requests per second (Kubernetes 1.36.3).

`behavior` is absent, limits equal requests, and replicas lie between 1 and the number that fits the
budget. The rules are in hpa_rules.py. A rate has no readiness rules and no saturation: the
strongest plain HPA.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from infadapter_simulator.policies.kubernetes.cpu_metric import cpu_utilisation
from infadapter_simulator.policies.kubernetes.hpa_rules import SYNC_S, Stabiliser
from infadapter_simulator.policies.kubernetes.rate_metric import RateMetric, rps_metric
from infadapter_simulator.policies.kubernetes.replicas import (
    SETTINGS,
    Deployment,
    Setting,
    deployment,
    live_pods,
    no_limit,
)
from infadapter_simulator.policies.ticking import Ticker, ticker
from infadapter_simulator.world.world import World

ADAPTER_RATE = RateMetric(scrape_s=1.0, window_s=15.0)
"""The metric of an external metrics adapter, with the same scrapes of the router as ours."""


class Metric(Protocol):
    """The metric that an HPA scales on."""

    def first_pods(self, mean_rps: float) -> int:
        """Return the steady number of pods under this load."""
        ...

    def proposal(self, world: World) -> int | None:
        """Return the proposed number of pods; None if the metric is unknown."""
        ...


MetricOf = Callable[[World, Deployment, float, float], Metric]
"""Makes a metric from the world, the pods, the target utilisation and the rate before the run."""


@dataclass(slots=True, kw_only=True)
class Hpa:
    """One HPA with one metric."""

    name: str
    variant: str
    setting: Setting
    metric_of: MetricOf
    _run: "_Run | None" = field(default=None, init=False)

    def begin(self, world: World, mean_rps: float) -> None:
        pods = deployment(world.scenario, self.variant, self.setting.pod_cores)
        rng = np.random.default_rng([world.seed, 21])
        metric = self.metric_of(world, pods, self.setting.target, mean_rps)
        self._run = _Run(pods, metric, ticker(rng, SYNC_S))
        pods.begin(world, metric.first_pods(mean_rps))

    def next_act_s(self, now_s: float) -> float:
        return self._run.syncs.next_s(now_s) if self._run else now_s

    def act(self, world: World) -> None:
        if self._run and self._run.syncs.is_due(world.now_s):
            self._run.sync(world)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return no_limit(world.scenario, self.variant)


@dataclass(slots=True)
class _Run:
    pods: Deployment
    metric: Metric
    syncs: Ticker
    stabiliser: Stabiliser = field(default_factory=Stabiliser)

    def sync(self, world: World) -> None:
        current = len(live_pods(world))
        proposal = self.metric.proposal(world)
        if proposal is not None:
            wanted = self.stabiliser.pods(world.now_s, current, proposal, self.pods.most_pods)
            self.pods.scale(world, wanted)


def hpa_cpu(variant: str, setting: Setting) -> Hpa:
    name = f"hpa-cpu-{variant}{setting}"
    return Hpa(name=name, variant=variant, setting=setting, metric_of=cpu_utilisation)


def hpa_rps(variant: str, setting: Setting) -> Hpa:
    name = f"hpa-rps-{variant}{setting}"
    return Hpa(name=name, variant=variant, setting=setting, metric_of=rps_metric(ADAPTER_RATE))


def hpa_cpu_choices(variant: str) -> tuple[Hpa, ...]:
    return tuple(hpa_cpu(variant, setting) for setting in SETTINGS)


def hpa_rps_choices(variant: str) -> tuple[Hpa, ...]:
    return tuple(hpa_rps(variant, setting) for setting in SETTINGS)
