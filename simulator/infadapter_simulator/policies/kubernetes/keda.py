"""
KEDA's Prometheus trigger and the HPA that it creates (KEDA 2.21.0, Kubernetes 1.36.3).

With minReplicaCount 1 KEDA only creates the HPA (AverageValue, `behavior` empty,
controllers/keda/hpa.go) and answers each of its syncs with an instant query; the polling interval
and the cooldown have no effect. The threshold is a quantity of three decimals.
"""

from infadapter_simulator.policies.kubernetes.hpa import Hpa
from infadapter_simulator.policies.kubernetes.rate_metric import RateMetric, rps_metric
from infadapter_simulator.policies.kubernetes.replicas import SETTINGS, Setting

PROMETHEUS_RATE = RateMetric(scrape_s=5.0, window_s=30.0)
"""The faster of the usual settings: by default Prometheus scrapes every 60 s."""


def keda(variant: str, setting: Setting) -> Hpa:
    name = f"keda-{variant}{setting}"
    return Hpa(name=name, variant=variant, setting=setting, metric_of=rps_metric(PROMETHEUS_RATE))


def keda_choices(variant: str) -> tuple[Hpa, ...]:
    return tuple(keda(variant, setting) for setting in SETTINGS)
