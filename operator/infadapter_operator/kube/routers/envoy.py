"""
The `Router` port on Kubernetes: an Envoy that polls the operator for its weights.

Weights may change in any cycle, and exist only in Envoy and in this process. The set of pods
changes with the plan and is stored in a ConfigMap, from which both routers and the operator start.
After a restart the operator learns the weights from the routers, which report what they obey.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infadapter_operator.domain.names import TEMPLATE_ANNOTATION, router_name
from infadapter_operator.domain.observed import RouterView
from infadapter_operator.domain.steps import SetWeights
from infadapter_operator.envoy.endpoints import recall
from infadapter_operator.envoy.xds import XdsServer
from infadapter_operator.kube.client import Json, KubeApi
from infadapter_operator.kube.objects import Owner
from infadapter_operator.kube.observe import belongs_to, refuse_stranger, selector_text
from infadapter_operator.kube.paths import core, deployments
from infadapter_operator.kube.read import annotation
from infadapter_operator.kube.refusal import ApiRefusal
from infadapter_operator.kube.routers.objects import (
    LAST_GOOD_FILE,
    build_config,
    build_front,
    build_router,
    service_key,
)
from infadapter_operator.kube.statuses import part
from infadapter_operator.kube.troubles import refusal_of, trouble_of
from infadapter_operator.reporting.condition import Condition, false, unknown
from infadapter_operator.settings import Settings

_logger = logging.getLogger(__name__)
_NOTHING: Json = {"backends": []}


@dataclass(slots=True, kw_only=True)
class EnvoyRouter:
    api: KubeApi
    owner: Owner
    xds: XdsServer
    settings: Settings
    slo_s: float
    floors: Mapping[str, float] = field(default_factory=dict)  # of accuracy, by variant
    _kept: Json | None = None  # content of the ConfigMap; None: not read yet

    async def view(self) -> RouterView:
        """Return the weights in force. Raises PlatformUnavailable."""
        return self.xds.view(service_key(self.owner))

    async def set_weights(self, step: SetWeights) -> None:
        """
        Publish the weights. Raises StepRefused or PlatformUnavailable, but only after publishing.
        """
        self.xds.publish(service_key(self.owner), step.backends)
        wanted = self._to_keep()
        if wanted is not self._kept and wanted["backends"]:
            try:
                await self._write_config(wanted)
            except ApiRefusal as refusal:
                raise refusal.as_step_refused() from None

    async def ensure(self) -> None:
        """
        Ensure the router's objects; writes nothing if they are as intended. Raises like a step.
        """
        try:
            await self._ensure_config()
            await self._ensure_router()
        except ApiRefusal as refusal:
            raise refusal.as_step_refused() from None

    async def trouble(self) -> Condition | None:
        """
        Return why the router does not come or does not poll, in the platform's words. Raises
        ApiRefusal, or like a read.
        """
        _, path, _ = self._paths()
        router = await self.api.get(path)
        if router is None:
            return None
        if part(router, "status").get("availableReplicas"):
            return self._silence()
        selector = selector_text(router["spec"]["selector"])
        pods = await self.api.items(core(self.owner.namespace, "pods"), selector)
        found = next(filter(None, (refusal_of(router), *map(trouble_of, pods))), None)
        if found is None:
            return None
        return false(
            "Serving",
            found.cause.value,
            f"no router pod starts, Deployment {router['metadata']['name']}: {found.message}:"
            " its image, pull secrets, CPU and nodes are the operator's router settings",
        )

    def _silence(self) -> Condition | None:
        """
        Return the condition for routers that run but do not poll. They keep their old weights.
        """
        if self.xds.routers(service_key(self.owner)):
            return None
        return unknown(
            "Serving",
            "RouterSilent",
            "the router runs but does not poll for its weights: it polls"
            f" {self.settings.xds_host}:{self.settings.xds_port} (INFADAPTER_XDS_HOST), which must"
            " be this operator, with no NetworkPolicy in between",
        )

    async def exists(self) -> bool:
        """Whether this service has a bundled router. Raises PlatformUnavailable."""
        there = await self.api.get(self._paths()[1])
        return there is not None and belongs_to(there, self.owner)

    async def remove(self) -> None:
        """Remove the bundled router, because traffic takes another way now."""
        for path in self._paths():
            there = await self.api.get(path)
            if there is not None and belongs_to(there, self.owner):
                await self.api.delete(path)
        self.xds.forget(service_key(self.owner))

    async def _ensure_config(self) -> None:
        """Write the ConfigMap with the published pods, also after an earlier write failed."""
        config, _, _ = self._paths()
        there = await self.api.get(config) or {}
        if there:
            refuse_stranger(there, self.owner)
        written = there.get("data") or {}
        if self._kept is None:
            await self._restore(_readable(written.get(LAST_GOOD_FILE, json.dumps(_NOTHING))))
        self.xds.require(service_key(self.owner), self.floors)
        wanted = self._to_keep()
        if written != self._config(wanted)["data"]:
            await self._write_config(wanted)

    async def _restore(self, kept: Json) -> None:
        """Restore the weights from before a restart, which the routers still obey."""
        self._kept = kept
        if kept["backends"]:
            self.xds.restore(service_key(self.owner), kept)
            await self.xds.heard(service_key(self.owner))

    def _to_keep(self) -> Json:
        """
        Return what to store. It changes with the pods and their accuracy floors, not with their
        weights.
        """
        kept, published = self._kept or _NOTHING, self.xds.last_good(service_key(self.owner))
        other_pods = published["backends"] and _pods(published) != _pods(kept)
        return published if other_pods else kept

    async def _ensure_router(self) -> None:
        _, router, front = self._paths()
        wanted = build_router(self.owner, self.settings, self.slo_s)
        there = await self.api.get(router)
        if there is not None:
            refuse_stranger(there, self.owner)
            # keep a user's replica count when the SLO changes
            wanted["spec"]["replicas"] = max(1, there["spec"].get("replicas", 1))
        if there is None or annotation(there, TEMPLATE_ANNOTATION) != annotation(
            wanted, TEMPLATE_ANNOTATION
        ):
            await self.api.apply(router, wanted, force=True)
        service = await self.api.get(front)
        if service is None:
            await self.api.apply(front, build_front(self.owner), force=True)
        else:
            refuse_stranger(service, self.owner)

    async def _write_config(self, last_good: Json) -> None:
        config, _, _ = self._paths()
        await self.api.apply(config, self._config(last_good), force=True)
        self._kept = last_good

    def _config(self, last_good: Json) -> Json:
        return build_config(self.owner, self.settings, self.slo_s, last_good)

    def _paths(self) -> tuple[str, str, str]:
        namespace, name = self.owner.namespace, router_name(self.owner.name)
        return (
            core(namespace, "configmaps", name),
            deployments(namespace, name),
            core(namespace, "services", self.owner.name),
        )


def _pods(last_good: Mapping[str, Any]) -> set[tuple[str, str, float]]:
    return {(b.pod, b.address, b.accuracy_floor) for b in recall(last_good)}


def _readable(text: str) -> Json:
    try:
        kept: Json = json.loads(text)
        recall(kept)
    except (ValueError, TypeError, RecursionError):
        _logger.warning("A router's ConfigMap can't be read; its routers are configured anew.")
        return dict(_NOTHING)
    return kept
