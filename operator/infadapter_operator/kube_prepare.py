"""From the object that a user wrote to what the loop needs: pure, but for what `parse` knows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infadapter_operator.api import InferenceService, InvalidObject, parse_profile, parse_service
from infadapter_operator.conditions import Condition, spec_invalid
from infadapter_operator.kube_api import Json
from infadapter_operator.kube_objects import Workload
from infadapter_operator.names import target_name
from infadapter_operator.prometheus import arrivals_query, served_query
from infadapter_operator.service import Mode, Service
from infadapter_solver.problem import Target


class Unprepared(Exception):
    """The object can't be carried out; `condition` says why."""

    def __init__(self, condition: Condition, mode: Mode = Mode.AUTO) -> None:
        super().__init__(condition.message)
        self.condition = condition
        self.mode = mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is asked for, as far as it can be known without the API server."""

    service: Service
    workloads: Mapping[str, Workload]
    query: str
    traffic: Mapping[str, Any] | None = None  # as in the spec: Gateway API

    @property
    def borrows(self) -> bool:
        return any(workload.deployment for workload in self.workloads.values())


def prepare(document: Json, profiles: Mapping[str, Json], scrape_s: float) -> Prepared:
    """`profiles`: those of the service's namespace, by name. Raises Unprepared."""
    service_object = _parsed(document)
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    service = _service(service_object, profiles, namespace, name)
    workloads = {
        workload.variant: workload for workload in _workloads(document, service_object, service)
    }
    spec = service_object.spec
    traffic = document["spec"].get("traffic")
    return Prepared(
        service=service,
        workloads=workloads,
        traffic=traffic,
        query=spec.demand.query or _default_query(service, workloads, bool(traffic), scrape_s),
    )


def _parsed(document: Json) -> InferenceService:
    try:
        return parse_service(document)
    except InvalidObject as invalid:
        raise Unprepared(spec_invalid(str(invalid))) from None


def _service(
    parsed: InferenceService, profiles: Mapping[str, Json], namespace: str, name: str
) -> Service:
    from infadapter_operator.conditions import profiles_unresolved
    from infadapter_operator.profiles import measured
    from infadapter_solver.profiles import NotMeasured, to_variant

    spec = parsed.spec
    variants = []
    for v in spec.variants:
        doc = profiles.get(v.profile_ref.name)
        if doc is None:
            raise Unprepared(
                profiles_unresolved("Missing", f"no VariantProfile {v.profile_ref.name}")
            )
        try:
            prof = measured(parse_profile(doc), v.name)
            variants.append(
                to_variant(prof, spec.slo.latency_milliseconds / 1000, spec.slo.percentile)
            )
        except NotMeasured as e:
            raise Unprepared(profiles_unresolved("NotMeasured", str(e))) from None
    return Service(
        namespace=namespace,
        name=name,
        slo_s=spec.slo.latency_milliseconds / 1000,
        percentile=spec.slo.percentile,
        variants=tuple(variants),
        budget=spec.budget_amounts,
        max_surge=spec.max_surge_amounts,
        prices=spec.prices,
        accuracy_weight=spec.objective.accuracy_weight,
        cost_weight=spec.objective.cost_weight,
        loading_weight=spec.objective.loading_weight,
        minimum_rps=spec.demand.minimum_rps,
        forecast=spec.forecast.method,
        quantile=spec.forecast.quantile,
        horizon_s=spec.forecast.horizon_seconds,
        interval_s=spec.scaling.interval_seconds,
        stabilization_s=spec.scaling.scale_down_stabilization_seconds,
        min_replicas=spec.scaling.min_replicas,
        mode=spec.mode,
    )


def _workloads(document: Json, parsed: InferenceService, service: Service) -> Iterable[Workload]:
    """Templates as they were written: the models know a part of the pod API only."""
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


def _default_query(
    service: Service, workloads: Mapping[str, Workload], gateway: bool, scrape_s: float
) -> str:
    """What our router counts; behind somebody else's, what the servers count."""
    if not gateway:
        return arrivals_query(service.namespace, service.name, scrape_s)
    names = {
        workload.deployment or target_name(service.name, Target(workload.variant, kind))
        for workload in workloads.values()
        for kind in workload.kinds
    }
    return served_query(service.namespace, names, scrape_s)
