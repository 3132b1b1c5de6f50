"""What all services of one operator share: connections, and the objects reported by the watches."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infadapter_operator.envoy.xds import XdsServer
from infadapter_operator.kube.causes import Causes
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.other_autoscalers import OtherAutoscalers
from infadapter_operator.kube.statuses import part, parts, text
from infadapter_operator.prometheus.connection import Prometheus
from infadapter_operator.reporting.metrics import Metrics
from infadapter_operator.settings import Settings


@dataclass(slots=True, kw_only=True)
class Context:
    settings: Settings
    api: KubeApi
    prometheus: Prometheus
    xds: XdsServer
    other_autoscalers: OtherAutoscalers
    metrics: Metrics
    namespaced: Prometheus | None = None  # for custom queries; None: the same one
    profiles: dict[tuple[str, str], Json] = field(default_factory=dict)  # by namespace and name
    services: dict[str, Json] = field(default_factory=dict)  # by uid
    causes: Causes = field(default_factory=Causes)  # of failing starts, over all services

    def profiles_of(self, namespace: str) -> dict[str, Json]:
        return {name: profile for (ns, name), profile in self.profiles.items() if ns == namespace}

    def prometheus_of(self, namespace: str) -> Prometheus:
        """Return the Prometheus for a custom query of a service in this namespace."""
        if self.namespaced is None:
            return self.prometheus
        return replace(self.namespaced, params={"namespace": namespace})

    def older_claim(self, service: Json, deployment: str) -> str | None:
        """Return the older service that names this Deployment as well, if there is one."""
        namespace, mine = service["metadata"]["namespace"], _age(service)
        others = sorted(
            _age(other)
            for other in self.services.values()
            if other["metadata"]["namespace"] == namespace and deployment in _named_by(other)
        )
        return others[0][1] if others and others[0] < mine else None


def _age(service: Mapping[str, Any]) -> tuple[str, str]:
    return text(service["metadata"], "creationTimestamp"), service["metadata"]["name"]


def _named_by(service: Mapping[str, Any]) -> set[str]:
    """
    Return the Deployments that a service names. Tolerates any content, as one faulty service must
    not stop the others.
    """
    references = (part(v, "deploymentRef") for v in parts(part(service, "spec"), "variants"))
    return {text(reference, "name") for reference in references}
