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
    """The latency objective; met by a request that is answered 2xx within it, at the router."""

    latency_milliseconds: Annotated[int, Field(ge=1, le=600_000)]
    """The latency which the percentile of the answers must not exceed."""
    percentile: Percentile = 99
    """The percentile of the latency; every profile must hold it."""


class Objective(ApiModel):
    """What is maximised: accuracyWeight x accuracy - costWeight x cost - loadingWeight x load."""

    accuracy_weight: Weight = 1.0
    """Alpha: what one unit of accuracy (from 0 to 1) is worth."""
    cost_weight: Weight = 0.05
    """Beta: what the whole budget is worth in accuracy."""
    loading_weight: Weight = 0.001
    """Gamma: what the longest start of a new pod is worth in accuracy."""


class Demand(ApiModel):
    """Where the load is seen, and the least to plan for."""

    minimum_rps: Weight = 0.0
    """Requests per second that are planned for even when nobody asks."""
    query: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """PromQL for requests per second, in place of what our router and servers count."""


class Forecast(ApiModel):
    """How the load to come is foreseen."""

    method: ForecastMethod = ForecastMethod.AUTO
    """The forecaster; Auto leaves the choice to the operator."""
    quantile: Quantile = 0.95
    """The share of cases in which the load should stay below the forecast."""
    horizon_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How far ahead to look, at least the interval and the longest load time; Auto looks as far as
    it takes to react."""
    season: Season = Season.WEEK
    """After what the load repeats itself, for SeasonalNaive; a day ago stands in for a week ago
    that was not recorded."""
    time_zone: TimeZone = "UTC"
    """The IANA zone by whose clocks it does, such as Europe/Berlin; the clocks may change."""


class Scaling(ApiModel):
    """How fast and how far."""

    interval_seconds: Annotated[int, Field(ge=1, le=3_600)] = 5
    """How often to plan."""
    scale_down_stabilization_seconds: Annotated[int, Field(ge=1, le=86_400)] = 20
    """Capacity goes only after the load has stayed below it for this long, and at least for twice
    the time that the slowest variant takes to load."""
    min_replicas: Annotated[int, Field(ge=1, le=1_000)] = 1
    """The least number of pods, of all variants together."""
    max_surge: ResourceList | None = None
    """What may be held beyond the budget, and only while something is starting or being replaced;
    as much as the budget if absent, and no more than the quotas of the namespace leave. One pod may
    be the whole budget, and is replaced without loss only where another has room beside it; with
    less, more requests are missed in a rise while the budget is tight. With 0, or under a quota
    that is the budget, what is new waits until enough of the old is given up, or takes over in
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
    """Traffic through the Gateway API, in place of the bundled router."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=32)]
    """As in an HTTPRoute."""
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16)] | None = None
    """As in an HTTPRoute."""


class InferenceServiceSpec(ApiModel):
    """The SLO, what accuracy is worth against cost, and the variants to choose from."""

    slo: Slo
    objective: Objective = Objective()
    accuracy_floor: Fraction = 0.0
    """The least accuracy that may answer a request: less accurate variants and operating points
    are not planned, and servers are told with each request. A request may ask for more."""
    budget: ResourceList
    """Bounds what a plan may hold; a resource that is absent may not be used. While pods start or
    are replaced, more may be held for that time: as much as scaling.maxSurge allows."""
    prices: Prices = Field(default={CPU: 1.0})
    """Relative prices, per core and per unit; every budget resource other than cpu needs one."""
    demand: Demand = Demand()
    forecast: Forecast = Forecast()
    scaling: Scaling = Scaling()
    mode: Mode = Mode.AUTO
    """Recommend plans and reports but writes only status; Paused does not even plan."""
    traffic: Traffic | None = None
    """Without it, a bundled router answers behind a Service of the same name, port 80."""
    variants: Annotated[
        tuple[VariantSpec, ...],
        Field(min_length=1, max_length=16, json_schema_extra=list_map("name")),
    ]
    """The models to choose from; several may answer at once."""

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
