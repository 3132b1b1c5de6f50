"""What was measured of a variant: the spec of a VariantProfile, which the profiler writes."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from infadapter_operator.api.decimals import Fraction, Positive, Weight
from infadapter_operator.api.fields import Percentile, ResourceList, Rules, Timestamp
from infadapter_operator.api.model import ApiModel, Rule, list_map
from infadapter_profiles.document import (
    MOST_BATCH_SIZE,
    MOST_ITEMS,
    MOST_LATENCY_MS,
    MOST_LETTERS,
    MOST_MEMORY_MEBIBYTES,
    MOST_PERCENTILES,
    MOST_SLO_MS,
    PERCENTILE_KEY,
    read_spec,
)
from infadapter_profiles.points import MOST_NAME_LETTERS
from infadapter_profiles.profile import Profile
from infadapter_profiles.quantities import parse_amounts
from infadapter_solver.problem import CPU, Resources

PointName = Annotated[str, Field(min_length=1, max_length=MOST_NAME_LETTERS)]
Milliseconds = Annotated[float, Field(gt=0, le=MOST_LATENCY_MS)]
PercentileMilliseconds = Annotated[
    Mapping[str, Milliseconds],
    Field(min_length=1, max_length=MOST_PERCENTILES),
    Rules(
        (
            Rule(
                holds=lambda m: all(re.fullmatch(PERCENTILE_KEY, key) for key in m),
                cel=f"self.all(p, p.matches('^{PERCENTILE_KEY}$'))",
                message='its keys must be percentiles from "1" to "99.99"',
            ),
        )
    ),
]


class ProfilePoint(ApiModel):
    """A measurement at one request rate."""

    rps: Positive
    """The rate at which requests were sent."""
    latency_milliseconds: PercentileMilliseconds
    """The latency by percentile, such as {"50": 210, "99": 320}."""
    refused_ratio: Fraction = 0.0
    """The share of requests that were refused (429, 503)."""


class ProfileCapacity(ApiModel):
    """The largest rate one pod serves with the percentile latency within the SLO."""

    latency_milliseconds: Annotated[int, Field(ge=1, le=MOST_SLO_MS)]
    """The SLO's latency."""
    percentile: Percentile
    """The SLO's percentile."""
    rps: Weight
    """The capacity; 0 if the SLO cannot be met at any rate."""
    low_rps: Weight | None = None
    """The lower end of the 95 % prediction interval for the next measurement."""
    high_rps: Weight | None = None
    """The upper end of the 95 % prediction interval."""
    missed_ratio: Fraction | None = None
    """The share of requests that were allowed to be refused, late or failed."""


class ProfileOperatingPoint(ApiModel):
    """One of the ways in which the variant's server can answer: a network, a SubNet, a depth."""

    name: PointName
    """The point's name at the server."""
    accuracy: Fraction
    """The accuracy, a fraction measured on a test set."""


class ProfileAllocation(ApiModel):
    """The measured capacity of one pod size, at one operating point if the variant has any."""

    resources: ResourceList
    """The resources of one pod: cpu, and at most one extended resource."""
    batch_size: Annotated[int, Field(ge=1, le=MOST_BATCH_SIZE)] = 1
    """The largest batch that the pod ran."""
    operating_point: PointName | None = None
    """The operating point that was measured, one of operatingPoints."""
    memory_mebibytes: Annotated[int, Field(ge=1, le=MOST_MEMORY_MEBIBYTES)] | None = None
    """The peak memory of the server."""
    saturation_rps: Positive | None = None
    """Answers per second when there is always a request waiting."""
    points: Annotated[tuple[ProfilePoint, ...], Field(max_length=MOST_ITEMS)] | None = None
    """The measured curve."""
    capacity: Annotated[tuple[ProfileCapacity, ...], Field(max_length=MOST_ITEMS)] | None = None
    """The capacity for given SLOs, instead of the curve or beside it."""

    rules = (
        Rule(
            holds=lambda a: bool(a.points or a.capacity),
            cel="has(self.points) && size(self.points) > 0"
            " || has(self.capacity) && size(self.capacity) > 0",
            message="points or capacity must hold what was measured",
        ),
        Rule(
            holds=lambda a: CPU in a.resources and len(a.resources) <= 2,
            cel="'cpu' in self.resources && size(self.resources) <= 2",
            message="must name cpu and at most one extended resource",
            field=".resources",
        ),
        Rule(
            holds=lambda a: all(amount > 0 for amount in a.amounts.values()),
            cel="self.resources.all(r, type(self.resources[r]) == int ? self.resources[r] > 0"
            " : !isQuantity(self.resources[r]) || sign(quantity(self.resources[r])) != 0)",
            message="must be above 0",
            field=".resources",
        ),
    )

    @property
    def amounts(self) -> Resources:
        """CPU in millicores, everything else in whole units."""
        return parse_amounts(self.resources)


class VariantProfileSpec(ApiModel):
    """The variant's accuracy, its load time, and the capacity of its allocations."""

    accuracy: Fraction
    """The accuracy of the most accurate operating point, a fraction measured on a test set."""
    load_seconds: Weight
    """The time from a pod's creation until it is Ready."""
    warm_load_seconds: Weight | None = None
    """The load time when the node has all files in memory already; for information."""
    operating_points: (
        Annotated[
            tuple[ProfileOperatingPoint, ...],
            Field(min_length=1, max_length=MOST_ITEMS, json_schema_extra=list_map("name")),
        ]
        | None
    ) = None
    """The operating points that the server chooses from for each batch; absent if it has only
    one."""
    allocations: Annotated[
        tuple[ProfileAllocation, ...], Field(min_length=1, max_length=MOST_ITEMS)
    ]
    """The measured pod sizes; with operating points, each size at each point."""

    rules = (
        Rule(
            holds=lambda p: len(p.point_names) == len(p.operating_points or ()),
            cel="",
            message="two operating points have the same name",
            field=".operatingPoints",
        ),
        Rule(
            holds=lambda p: all((a.operating_point is None) != p.has_points for a in p.allocations),
            cel="self.allocations.all(a, has(a.operatingPoint) == has(self.operatingPoints))",
            message="with operatingPoints each must name its operatingPoint, and none without",
            field=".allocations",
        ),
        Rule(
            holds=lambda p: all(a.operating_point in {*p.point_names, None} for a in p.allocations),
            cel="!has(self.operatingPoints) || self.allocations.all(a, !has(a.operatingPoint)"
            " || self.operatingPoints.exists(p, p.name == a.operatingPoint))",
            message="every operatingPoint must be one of operatingPoints",
            field=".allocations",
        ),
        Rule(
            holds=lambda p: p.point_names <= {a.operating_point for a in p.allocations},
            cel="!has(self.operatingPoints) || self.operatingPoints.all(p,"
            " self.allocations.exists(a, has(a.operatingPoint) && a.operatingPoint == p.name))",
            message="of each an allocation must have been measured",
            field=".operatingPoints",
        ),
        Rule(
            holds=lambda p: (
                not p.has_points
                or p.accuracy == max(point.accuracy for point in p.operating_points)
            ),
            cel="!has(self.operatingPoints)"
            " || self.operatingPoints.all(p, double(p.accuracy) <= double(self.accuracy))"
            " && self.operatingPoints.exists(p, double(p.accuracy) == double(self.accuracy))",
            message="must be that of the most accurate operating point",
            field=".accuracy",
        ),
    )

    @property
    def has_points(self) -> bool:
        return self.operating_points is not None

    @property
    def point_names(self) -> frozenset[str]:
        return frozenset(point.name for point in self.operating_points or ())

    def as_profile(self, variant: str) -> Profile:
        """As the values that are computed with, under the variant's name."""
        return read_spec(variant, self.model_dump(exclude_none=True))


class VariantProfileStatus(ApiModel):
    """How the profile was measured."""

    measured_at: Timestamp | None = None
    """When it was measured."""
    machine: Annotated[str, Field(max_length=MOST_LETTERS)] | None = None
    """The machine of the measurement."""
    server: Annotated[str, Field(max_length=MOST_LETTERS)] | None = None
    """The server of the measurement."""
    warning: Annotated[str, Field(max_length=MOST_LETTERS)] | None = None
    """What disturbed the measurement, if it was written by --force."""
