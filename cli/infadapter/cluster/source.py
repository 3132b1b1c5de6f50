"""The source of the clone: the pod template of a Deployment, or of a service's variant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infadapter.cluster.problems import CannotProfile
from infadapter.cluster.reference import Reference
from infadapter_operator.domain.names import GROUP, SERVICES, VERSION
from infadapter_operator.kube.client import KubeApi
from infadapter_operator.kube.objects import Server, Workload
from infadapter_operator.kube.paths import custom, deployments
from infadapter_operator.kube.read import container_amounts
from infadapter_profiles.quantities import InvalidQuantity
from infadapter_profiles.sizes import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The service's SLO and percentile, the defaults of the search."""

    slo_ms: int
    percentile: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    namespace: str
    profile: str
    model: str
    workload: Workload
    resources: Resources  # CPU and devices of the template's server
    objective: Objective | None = None

    @property
    def server(self) -> Server:
        return self.workload.server_of(self.pod_spec)

    @property
    def container(self) -> Mapping[str, Any]:
        named = self.server.container
        found: Mapping[str, Any] = next(
            c for c in self.pod_spec["containers"] if c["name"] == named
        )
        return found

    @property
    def pod_spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = (self.workload.template or {})["spec"]
        return spec


async def find_source(
    api: KubeApi, namespace: str, reference: Reference, *, container: str | None, port: int | None
) -> Source:
    """Return the source. Raises CannotProfile, ApiRefusal or PlatformUnavailable."""
    if reference.variant is None:
        template = await _template_of(api, namespace, reference.name)
        named = Workload(variant=reference.name, template=template, container=container, port=port)
        return _source(namespace, reference, named, profile=reference.name)
    service = await api.get(custom(GROUP, VERSION, namespace, SERVICES, reference.name))
    if service is None:
        raise CannotProfile(f"There is no service {reference.name} in namespace {namespace}.")
    variant = _variant(service, reference)
    template = variant.get("template") or await _template_of(
        api, namespace, variant["deploymentRef"]["name"]
    )
    workload = Workload(
        variant=str(reference.variant),
        template=template,
        container=container or variant.get("container"),
        port=port or variant.get("port"),
    )
    slo = service["spec"]["slo"]
    objective = Objective(
        slo_ms=int(slo["latencyMilliseconds"]), percentile=float(slo.get("percentile", 99))
    )
    return _source(
        namespace, reference, workload, profile=variant["profileRef"]["name"], objective=objective
    )


async def _template_of(api: KubeApi, namespace: str, name: str) -> Mapping[str, Any]:
    deployment = await api.get(deployments(namespace, name))
    if deployment is None:
        raise CannotProfile(f"There is no Deployment {name} in namespace {namespace}.")
    template: Mapping[str, Any] = deployment["spec"]["template"]
    return template


def _variant(service: Mapping[str, Any], reference: Reference) -> Mapping[str, Any]:
    variants = service["spec"]["variants"]
    for variant in variants:
        if variant["name"] == reference.variant:
            found: Mapping[str, Any] = variant
            return found
    names = ", ".join(variant["name"] for variant in variants)
    raise CannotProfile(
        f"Service {reference.name} has no variant {reference.variant}; it has {names}."
    )


def _source(
    namespace: str,
    reference: Reference,
    workload: Workload,
    *,
    profile: str,
    objective: Objective | None = None,
) -> Source:
    spec = (workload.template or {})["spec"]
    names = [container["name"] for container in spec["containers"]]
    if workload.container is not None and workload.container not in names:
        raise CannotProfile(f"{reference} has no container {workload.container}.")
    if not workload.fits(spec):
        raise CannotProfile(
            f"{reference} has the containers {', '.join(names)}; --container says which answers."
        )
    try:
        resources = container_amounts(spec, workload.server_of(spec).container)
    except InvalidQuantity as error:
        raise CannotProfile(f"The resources of {reference} can't be used: {error}.") from error
    return Source(
        namespace=namespace,
        profile=profile,
        model=reference.name,
        workload=workload,
        resources=resources,
        objective=objective,
    )
