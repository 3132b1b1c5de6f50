"""What a user asks for: the spec of an InferenceService."""

import json
from typing import Annotated

from pydantic import Field

from infadapter_operator.api.decimals import Fraction, Quantile, Weight
from infadapter_operator.api.fields import (
    DnsLabel,
    Hostname,
    ObjectName,
    Percentile,
    Port,
    Prices,
    ResourceList,
    TimeZone,
)
from infadapter_operator.api.model import ApiModel, Rule, list_map
from infadapter_operator.api.variant import VariantSpec
from infadapter_operator.domain.service import ForecastMethod, Mode, Season
from infadapter_profiles.quantities import parse_amounts
from infadapter_solver.problem import CPU, Resources


class Slo(ApiModel):
    """The latency objective; a request meets it if it is answered 2xx within it, measured at the
    router."""

    latency_milliseconds: Annotated[int, Field(ge=1, le=600_000)]
    """The latency that the percentile must not exceed."""
    percentile: Percentile = 99
    """The percentile of the latency; every profile must contain it."""


class Objective(ApiModel):
    """What is maximised: accuracyWeight x accuracy - costWeight x cost - loadingWeight x load."""

    accuracy_weight: Weight = 1.0
    """Alpha: the weight of accuracy (a fraction from 0 to 1)."""
    cost_weight: Weight = 0.05
    """Beta: the weight of cost (as a fraction of the whole budget's cost)."""
    loading_weight: Weight = 0.001
    """Gamma: the weight of the longest start of a new pod."""


class Demand(ApiModel):
    """How the load is measured, and the minimum to plan for."""

    minimum_rps: Weight = 0.0
    """The minimum load to plan for, also without any requests."""
    query: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """PromQL for requests per second, instead of the counters of the router and servers."""


class Forecast(ApiModel):
    """How the load is forecast."""

    method: ForecastMethod = ForecastMethod.AUTO
    """The forecaster; Auto leaves the choice to the operator."""
    quantile: Quantile = 0.95
    """The forecast's quantile: the share of cases in which the load stays below it."""
    horizon_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """The forecast horizon, at least the interval and the longest load time; Auto uses the time
    that the loop takes to react."""
    season: Season = Season.WEEK
    """The period of the load, for SeasonalNaive; without a record of a week ago, a day ago is
    used."""
    time_zone: TimeZone = "UTC"
    """The IANA time zone of the season, such as Europe/Berlin; daylight saving is considered."""


class Scaling(ApiModel):
    """How often to plan, and the limits of a rollout."""

    interval_seconds: Annotated[int, Field(ge=1, le=3_600)] = 5
    """The time between two plans."""
    scale_down_stabilization_seconds: Annotated[int, Field(ge=1, le=86_400)] = 20
    """Capacity is reduced only after the load has stayed below it for this long, and at least for
    twice the load time of the slowest variant."""
    min_replicas: Annotated[int, Field(ge=1, le=1_000)] = 1
    """The minimum number of pods of all variants together."""
    max_surge: ResourceList | None = None
    """Resources that pods may use beyond the budget while pods start or are replaced. Default: as
    much as the budget, limited by the quotas of the namespace. A pod as large as the budget can
    only be replaced without loss if another fits beside it; with a smaller surge, more requests are
    missed when the load rises and the budget is tight. With 0, or under a quota equal to the
    budget, new pods wait until old ones are removed or resized, or old ones are resized in
    place."""


class ParentRef(ApiModel):
    """A Gateway (or another parent) that the HTTPRoute attaches to."""

    group: Annotated[str, Field(max_length=253)] | None = None
    """The API group of the parent; that of the Gateway API if absent."""
    kind: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """The kind of the parent; Gateway if absent."""
    namespace: DnsLabel | None = None
    """Where the parent is; in the service's own namespace if absent."""
    name: ObjectName
    """The parent's name."""
    section_name: ObjectName | None = None
    """The listener of the Gateway; all that fit if absent."""
    port: Port | None = None
    """The port of the parent's listeners; any if absent."""


class Traffic(ApiModel):
    """Traffic through the Gateway API, instead of the bundled router."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=32)]
    """As in an HTTPRoute."""
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16)] | None = None
    """As in an HTTPRoute."""


class InferenceServiceSpec(ApiModel):
    """The SLO, the weights of accuracy and cost, the budget, and the variants to choose from."""

    slo: Slo
    objective: Objective = Objective()
    accuracy_floor: Fraction = 0.0
    """The minimum accuracy of an answer: less accurate variants and operating points are not
    planned, and the router adds the floor to each request. A request may ask for more."""
    budget: ResourceList
    """The resources that a plan may use; an absent resource may not be used. While pods start or
    are replaced, scaling.maxSurge allows more."""
    prices: Prices = Field(default={CPU: 1.0})
    """Relative prices, per core and per unit; every budget resource other than cpu needs one."""
    demand: Demand = Demand()
    forecast: Forecast = Forecast()
    scaling: Scaling = Scaling()
    mode: Mode = Mode.AUTO
    """Auto plans and carries plans out; Recommend only writes plans to the status; Paused does not
    plan."""
    traffic: Traffic | None = None
    """Traffic through a Gateway; without it a bundled router answers behind a Service of the same
    name, port 80."""
    variants: Annotated[
        tuple[VariantSpec, ...],
        Field(min_length=1, max_length=16, json_schema_extra=list_map("name")),
    ]
    """The models to choose from; several may serve at the same time."""

    rules = (
        Rule(
            holds=lambda s: CPU in s.budget,
            cel="'cpu' in self.budget",
            message="must name cpu, which every pod uses",
            field=".budget",
        ),
        Rule(
            holds=lambda s: not s.unpriced,
            cel="self.budget.all(r, r == 'cpu' || r in self.prices)",
            message="every budget resource other than cpu needs a price",
            field=".prices",
            says=lambda s: f"no price for {json.dumps(s.unpriced)}",
            cel_says="'no price for %s'.format("
            "[self.budget.filter(r, r != 'cpu' && !(r in self.prices))])",
        ),
        Rule(
            holds=lambda s: _all_different([v.name for v in s.variants]),
            cel="",
            message="two variants have the same name",
            field=".variants",
        ),
        Rule(
            holds=lambda s: _all_different(
                [v.deployment_ref.name for v in s.variants if v.deployment_ref]
            ),
            cel="self.variants.all(v, !has(v.deploymentRef) || self.variants.exists_one(w,"
            " has(w.deploymentRef) && w.deploymentRef.name == v.deploymentRef.name))",
            message="two variants name the same Deployment",
            field=".variants",
        ),
    )

    @property
    def unpriced(self) -> list[str]:
        return sorted(name for name in self.budget if name != CPU and name not in self.prices)

    @property
    def budget_amounts(self) -> Resources:
        """CPU in millicores, everything else in whole units."""
        return parse_amounts(self.budget)

    @property
    def max_surge_amounts(self) -> Resources:
        """In the units of `budget_amounts`, which it equals unless the spec says otherwise."""
        return parse_amounts(self.scaling.max_surge or self.budget)


def _all_different(names: list[str]) -> bool:
    return len(set(names)) == len(names)
