"""Translate the user's object to what its loop on Kubernetes needs. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from infadapter_operator.api.objects import (
    InferenceService,
    InvalidObject,
    parse_profile,
    parse_service,
)
from infadapter_operator.domain.names import target_name
from infadapter_operator.domain.service import Service
from infadapter_operator.kube.client import Json
from infadapter_operator.kube.objects import Workload
from infadapter_operator.planning.parse import ProfilesUnresolved, service_from
from infadapter_operator.prometheus.answers import answers_query, served_answers_query
from infadapter_operator.prometheus.queries import (
    Servers,
    arrivals_query,
    served_by_pod_query,
    served_query,
)
from infadapter_operator.reporting.condition import Condition
from infadapter_operator.reporting.conditions import profiles_unresolved, spec_invalid
from infadapter_operator.settings import CustomQueries, Settings
from infadapter_solver.problem import Target

QUERY_FORBIDDEN = (
    "demand.query is not allowed here, since it would read with the operator's credentials: leave"
    " it out, or ask who runs the operator for prometheus.customQueries"
)


class Unprepared(Exception):
    """The object cannot be carried out; `condition` says why."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.message)
        self.condition = condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The prepared spec, as far as it is known without the API server."""

    service: Service
    workloads: Mapping[str, Workload]
    query: str
    is_custom: bool  # the query is the service's own
    servers: Servers  # the servers, for what pods deliver
    answers_query: str  # outcome of the requests
    by_pod_query: str | None = None  # the query by pod, if pods count requests
    traffic: Mapping[str, Any] | None = None  # spec.traffic, for the Gateway API

    @property
    def borrows(self) -> bool:
        return any(workload.deployment for workload in self.workloads.values())


def prepare(document: Json, profiles: Mapping[str, Json], settings: Settings) -> Prepared:
    """
    Return the prepared spec; `profiles` are those of its namespace by name. Raises Unprepared.
    """
    service_object = _parsed(document)
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    service = replace(
        _service(service_object, profiles, namespace, name),
        patience=settings.patience,
        error_budget_window_s=settings.error_budget_window_s,
    )
    workloads = {
        workload.variant: workload for workload in _workloads(document, service_object, service)
    }
    spec = service_object.spec
    own = spec.demand.query
    if own and settings.custom_queries is CustomQueries.FORBID:
        raise Unprepared(spec_invalid(QUERY_FORBIDDEN, "CustomQueryForbidden"))
    servers = _servers(service, workloads, settings.scrape_s)
    traffic = document["spec"].get("traffic")
    return Prepared(
        service=service,
        workloads=workloads,
        traffic=traffic,
        is_custom=bool(own),
        query=own or _default_query(service, servers, bool(traffic)),
        servers=servers,
        by_pod_query=None if own or not traffic else served_by_pod_query(servers),
        answers_query=served_answers_query(servers) if traffic else answers_query(servers, name),
    )


def _parsed(document: Json) -> InferenceService:
    try:
        return parse_service(document)
    except InvalidObject as invalid:
        raise Unprepared(spec_invalid(str(invalid))) from None


def _service(
    parsed: InferenceService, profiles: Mapping[str, Json], namespace: str, name: str
) -> Service:
    named = {variant.profile_ref.name for variant in parsed.spec.variants}
    try:
        specs = {key: parse_profile(profiles[key]).spec for key in named if key in profiles}
        return service_from(parsed.spec, specs, namespace, name)
    except InvalidObject as invalid:
        raise Unprepared(profiles_unresolved("ProfileInvalid", str(invalid))) from None
    except ProfilesUnresolved as unresolved:
        raise Unprepared(profiles_unresolved(unresolved.reason, str(unresolved))) from None


def _workloads(document: Json, parsed: InferenceService, service: Service) -> Iterable[Workload]:
    """
    Yield the workloads with templates as written, because the models know only a part of the pod
    API.
    """
    written = {variant["name"]: variant for variant in document["spec"]["variants"]}
    allocations = {variant.name: variant.allocations for variant in service.variants}
    for variant in parsed.spec.variants:
        reference = variant.deployment_ref
        yield Workload(
            variant=variant.name,
            allocations=allocations.get(variant.name, ()),
            template=written[variant.name].get("template"),
            deployment=reference.name if reference else None,
            container=variant.container,
            port=variant.port,
        )


def _servers(service: Service, workloads: Mapping[str, Workload], scrape_s: float) -> Servers:
    names = frozenset(
        workload.deployment or target_name(service.name, Target(workload.variant, kind))
        for workload in workloads.values()
        for kind in workload.kinds
    )
    return Servers(service.namespace, names, scrape_s, service.slo_s)


def _default_query(service: Service, servers: Servers, gateway: bool) -> str:
    """Return the query of what the router counts; behind a gateway, of what the servers count."""
    if gateway:
        return served_query(servers)
    return arrivals_query(service.namespace, service.name, servers.scrape_s)
