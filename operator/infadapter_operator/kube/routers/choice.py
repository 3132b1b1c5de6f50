"""Choose the router of a service, the bundled one or a gateway, and switch between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.context import Context
from infadapter_operator.kube.prepare import Prepared
from infadapter_operator.kube.routers.envoy import EnvoyRouter
from infadapter_operator.kube.routers.gateway import GatewayRouter
from infadapter_operator.reporting.condition import Condition


@dataclass(slots=True)
class Routers:
    """The routers of one service. `current` is None until the first `ensure`."""

    context: Context
    cluster: KubeCluster
    current: EnvoyRouter | GatewayRouter | None = None
    left: GatewayRouter | None = None  # its route may still exist

    async def ensure(self, prepared: Prepared) -> None:
        """
        Ensure the router that the spec asks for, and remove another. Raises StepRefused, ApiRefusal
        or PlatformUnavailable.
        """
        if prepared.traffic is None:
            await self._ensure_bundled(prepared)
        else:
            await self._ensure_gateway(prepared, prepared.traffic)

    async def trouble(self) -> Condition | None:
        """
        Return why the router does not serve although it exists. Raises ApiRefusal or
        PlatformUnavailable.
        """
        return await self.current.trouble() if self.current else None

    def of(self, prepared: Prepared) -> EnvoyRouter | GatewayRouter:
        """
        Return the router in use. If nothing may be written, it is one that has no weights in force.
        """
        return self.current or self._bundled(prepared)

    async def _ensure_bundled(self, prepared: Prepared) -> None:
        """
        Use the bundled router. An earlier HTTPRoute is removed once a router has taken over the
        traffic.
        """
        if not isinstance(self.current, EnvoyRouter):
            self.current, self.left = self._bundled(prepared), self._gateway({})
        self.current.slo_s, self.current.floors = prepared.service.slo_s, prepared.service.floors
        await self.current.ensure()
        if self.left and (await self.current.view()).obeys:
            await self.left.remove()
            self.left = None

    async def _ensure_gateway(self, prepared: Prepared, traffic: Mapping[str, Any]) -> None:
        """Use a gateway. An earlier bundled router is removed once all gateways obey the route."""
        if not isinstance(self.current, GatewayRouter):
            self.current = self._gateway(traffic)
            bundled = self._bundled(prepared)
            self.current.before = bundled if await bundled.exists() else None
        self.current.traffic, self.current.floors = traffic, prepared.service.floors
        await self.current.ensure()
        if self.current.before and await self.current.is_obeyed():
            await self.current.before.remove()
            self.current.before = None

    def _bundled(self, prepared: Prepared) -> EnvoyRouter:
        return EnvoyRouter(
            api=self.context.api,
            owner=self.cluster.owner,
            xds=self.context.xds,
            settings=self.context.settings,
            slo_s=prepared.service.slo_s,
            floors=prepared.service.floors,
        )

    def _gateway(self, traffic: Mapping[str, Any]) -> GatewayRouter:
        return GatewayRouter(
            api=self.context.api, owner=self.cluster.owner, cluster=self.cluster, traffic=traffic
        )
