"""
Detect other autoscalers: HorizontalPodAutoscaler, KEDA's ScaledObject, VerticalPodAutoscaler.

Two controllers on one Deployment would undo each other's work, so a target that one of these names
is left alone.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.paths import custom
from infadapter_operator.kube.statuses import part


class _Scaler(NamedTuple):
    group: str
    version: str
    resource: str
    reference: str  # spec field that names the scaled object


_SCALERS = (
    _Scaler("autoscaling", "v2", "horizontalpodautoscalers", "scaleTargetRef"),
    _Scaler("keda.sh", "v1alpha1", "scaledobjects", "scaleTargetRef"),
    _Scaler("autoscaling.k8s.io", "v1", "verticalpodautoscalers", "targetRef"),
)


@dataclass(slots=True)
class OtherAutoscalers:
    """The autoscalers by namespace, cached for `refresh_s`."""

    api: KubeApi
    refresh_s: float = 20.0
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, Mapping[str, str]]] = field(default_factory=dict)

    async def of(self, namespace: str) -> Mapping[str, str]:
        """Return which autoscaler controls each Deployment, by the Deployment's name."""
        read_at_s, scaled = self._known.get(namespace, (float("-inf"), {}))
        if self.clock() - read_at_s < self.refresh_s:
            return scaled
        found: dict[str, str] = {}
        for scaler in _SCALERS:
            path = custom(scaler.group, scaler.version, namespace, scaler.resource)
            found |= dict(_scaled(await self.api.items(path), scaler))
        self._known[namespace] = (self.clock(), found)
        return found


def _scaled(objects: list[Json], scaler: _Scaler) -> Iterator[tuple[str, str]]:
    for scaling in objects:
        spec = part(scaling, "spec")
        reference = part(spec, scaler.reference)
        if reference.get("kind", "Deployment") == "Deployment" and not _only_recommends(spec):
            name = scaling["metadata"]["name"]
            yield reference.get("name", ""), f"{scaler.resource}.{scaler.group}/{name}"


def _only_recommends(spec: Mapping[str, Any]) -> bool:
    """Whether a VerticalPodAutoscaler has updateMode Off and so writes nothing."""
    return part(spec, "updatePolicy").get("updateMode") == "Off"
