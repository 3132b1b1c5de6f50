"""Checks of a spec that need the API server: pod templates, and the Deployments to borrow."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from infadapter_operator.domain.service import Service
from infadapter_operator.kube.cluster import KubeCluster
from infadapter_operator.kube.dry_run import template_problems
from infadapter_operator.kube.objects import Workload
from infadapter_operator.kube.prepare import Prepared, Unprepared
from infadapter_operator.reporting.condition import Condition
from infadapter_operator.reporting.conditions import spec_invalid
from infadapter_solver.problem import Variant


@dataclass(slots=True)
class Preflight:
    cluster: KubeCluster
    trouble: Condition | None = None  # with required objects, such as the router
    _checked: Mapping[str, str] = field(default_factory=dict)  # digests of templates, by variant
    _kinds: Mapping[str, str | None] = field(default_factory=dict)  # of borrowed Deployments
    _left: tuple[Variant, ...] = ()  # result of the last call

    async def templates(self, prepared: Prepared) -> None:
        """Validate new templates by a dry run. Raises Unprepared or PlatformUnavailable."""
        digests = {name: workload.digest for name, workload in prepared.workloads.items()}
        fresh = {
            name: workload
            for name, workload in prepared.workloads.items()
            if self._checked.get(name) != digests[name]
        }
        problems = await template_problems(self.cluster.api, self.cluster.owner, fresh)
        if problems:
            raise Unprepared(spec_invalid("; ".join(problems), "TemplateRefused"))
        self._checked = digests

    async def borrowed(self) -> None:
        """Read which Deployments exist. Raises ApiRefusal or PlatformUnavailable."""
        self._kinds = await self.cluster.borrowed_kinds()

    def available(self, service: Service) -> Service:
        """
        Return the service without variants whose Deployment is missing, and without sizes it cannot
        have.
        """
        variants = tuple(filter(None, map(self._available, service.variants)))
        if variants == service.variants:
            return service
        if variants != self._left:  # keep the same object, with its cached values
            self._left = variants
        return replace(service, variants=self._left)

    def problems(self) -> list[Condition]:
        missing = [
            name
            for name, kind in self._kinds.items()
            if kind is None and name in self.cluster.workloads
        ]
        found = [] if self.trouble is None else [self.trouble]
        if missing:
            sentences = (_missing(self.cluster.workloads[name]) for name in missing)
            found.append(spec_invalid("; ".join(sentences), "DeploymentMissing"))
        return found

    def _available(self, variant: Variant) -> Variant | None:
        if variant.name not in self._kinds:
            return variant
        kind = self._kinds[variant.name]
        sizes = tuple(a for a in variant.allocations if a.kind == kind)
        if sizes == variant.allocations:
            return variant
        return replace(variant, allocations=sizes) if kind is not None else None


def _missing(workload: Workload) -> str:
    has = f"container {workload.container}" if workload.container else "a single container"
    return (
        f"variant {workload.variant}: there is no Deployment {workload.deployment} that has {has}:"
        " create it, or correct deploymentRef.name or container"
    )
