"""
What the operator reports in an InferenceService's status. It is also what the operator remembers:
after a restart it reads the plan back from here, so a plan is complete and every list is bounded.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from infadapter_operator.api.decimals import AnyNumber, Fraction, Weight
from infadapter_operator.api.fields import DnsLabel, ResourceList, Timestamp
from infadapter_operator.api.model import ApiModel, list_map
from infadapter_profiles.document import MOST_NAME_LETTERS
from infadapter_profiles.quantities import parse_amounts
from infadapter_solver.problem import CPU, Resources

SENTENCE_LENGTH = 1024


def _shortened(text: object) -> object:
    """A sentence that is too long must not cost the whole status write."""
    if isinstance(text, str) and len(text) > SENTENCE_LENGTH:
        return text[: SENTENCE_LENGTH - 1] + "…"
    return text


Sentence = Annotated[str, Field(max_length=SENTENCE_LENGTH), BeforeValidator(_shortened)]
Reason = Annotated[str, Field(max_length=128, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]


class StatusModel(ApiModel):
    """Ignores what a newer or older operator wrote, so that a plan outlives an upgrade."""

    model_config = ConfigDict(extra="ignore")


class ConditionType(StrEnum):
    READY = "Ready"  # SpecValid, ProfilesResolved, MetricsFresh, PlanFeasible and Serving
    SPEC_VALID = "SpecValid"
    PROFILES_RESOLVED = "ProfilesResolved"
    METRICS_FRESH = "MetricsFresh"
    PLAN_FEASIBLE = "PlanFeasible"
    SERVING = "Serving"  # at least one Ready backend has weight
    CAPACITY_AVAILABLE = "CapacityAvailable"
    VARIANTS_AVAILABLE = "VariantsAvailable"  # pods come of every variant that is planned
    CAPACITY_AS_PROFILED = "CapacityAsProfiled"  # pods deliver what their profiles promise
    PROGRESSING = "Progressing"
    SLO_MET = "SLOMet"
    ERROR_BUDGET_LEFT = "ErrorBudgetLeft"  # of what may miss the SLO within an hour
    FALLBACK_ACTIVE = "FallbackActive"  # the plan is held on missing data, or is the greedy one
    PAUSED = "Paused"
    CONFLICT = "Conflict"


class Condition(StatusModel):
    """As in every Kubernetes API."""

    type: Annotated[str, Field(min_length=1, max_length=64)]
    """What the condition is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds; Unknown where nobody can tell."""
    reason: Annotated[Reason, Field(min_length=1)]
    """Why, in a word for programs."""
    message: Sentence = ""
    """Why, in a sentence for people."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that it speaks of."""
    last_transition_time: Timestamp
    """When its status last changed."""


class PointShare(StatusModel):
    """What part of a variant's answers is expected of one operating point."""

    name: Annotated[str, Field(max_length=MOST_NAME_LETTERS)]
    """The operating point."""
    share: Fraction
    """Of what all pods of the variant answer; it falls to faster points in a burst."""


class PlannedPods(StatusModel):
    """The pods of one variant on one kind of resource; all have one size."""

    variant: DnsLabel
    """The variant's name."""
    kind: Annotated[str, Field(min_length=1, max_length=128)] = CPU
    """cpu, or the extended resource's name."""
    resources: ResourceList
    """Of one pod."""
    batch_size: Annotated[int, Field(ge=1)] = 1
    """The largest batch that one pod runs."""
    pods: Annotated[int, Field(ge=1)]
    """How many pods of this size are planned."""
    capacity_rps: Weight
    """Of one pod, within the SLO."""
    served_rps: Weight
    """Of all of them together."""
    points: Annotated[
        tuple[PointShare, ...],
        Field(max_length=8, json_schema_extra=list_map("name")),
    ] = ()
    """The operating points that are expected to answer, where its server has any."""

    @property
    def amounts(self) -> Resources:
        """Of one pod: CPU in millicores, everything else in whole units."""
        return parse_amounts(self.resources)


class RejectedPlan(StatusModel):
    """A choice that was weighed, and why it was not taken."""

    plan: Sentence
    """What was weighed: one variant alone."""
    reason: Sentence
    """Why it was not taken."""


class PlanStatus(StatusModel):
    """The plan in force, with the reasons for it."""

    planned_at: Timestamp
    """When it was decided."""
    feasible: bool
    """Whether the budget can serve the demand."""
    demand_rps: Weight
    """What it was made for."""
    accuracy: Fraction
    """Expected, weighted by requests."""
    cost: Weight
    """At the prices; with the price of a core at 1, in cores."""
    objective: AnyNumber | None = None
    """Absent when the budget can't serve the demand."""
    latency_milliseconds: Weight | None = None
    """Expected at the SLO's percentile, of the slowest allocation."""
    reason: Reason
    """Where it comes from: Optimal, Greedy, Adopted, Warming or Held."""
    message: Sentence = ""
    """Its reasons, in sentences."""
    binding_constraint: Sentence | None = None
    """What keeps the objective from being higher."""
    rejected: Annotated[tuple[RejectedPlan, ...], Field(max_length=8)] = ()
    """Other choices, and why they were not taken."""
    summary: Sentence = ""
    """For people: resnet50 1x8, resnet152 2x4."""
    pods: Annotated[int, Field(ge=0)] = 0
    """Of all variants together."""
    allocations: Annotated[
        tuple[PlannedPods, ...],
        Field(max_length=16, json_schema_extra=list_map("variant", "kind")),
    ] = ()
    """The pods that are planned, by variant and kind of resource."""


class Decision(StatusModel):
    """One line of the history."""

    at: Timestamp
    """When it was decided."""
    reason: Reason
    """Where it came from, as in the plan."""
    demand_rps: Weight
    """What it was made for."""
    accuracy: Fraction
    """Expected, weighted by requests."""
    cost: Weight
    """At the prices of that time."""
    summary: Sentence = ""
    """For people: resnet50 1x8, resnet152 2x4."""


class BlockedPods(StatusModel):
    """Why no new pods of a variant are planned, and when one is tried again."""

    template: Annotated[str, Field(max_length=64)] = ""
    """A digest: of another one new pods are planned at once."""
    since: Timestamp
    """Since when its pods have not come."""
    until: Timestamp
    """Then one pod is tried again."""
    pod_created_at: Timestamp
    """Of the pod that did not come: a later one that comes ends this."""
    attempts: Annotated[int, Field(ge=1)] = 1
    """How many times they were tried; the back-off doubles with each."""


class VariantStatus(StatusModel):
    """Whether pods of one variant on one kind of resource come when they are planned."""

    variant: DnsLabel
    """The variant's name."""
    kind: Annotated[str, Field(min_length=1, max_length=128)] = CPU
    """cpu, or the extended resource's name."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=4, json_schema_extra=list_map("type")),
    ] = ()
    """Whether its pods come."""
    blocked: BlockedPods | None = None
    """Present while no new pods of it are planned."""


class ErrorBudgetStatus(StatusModel):
    """What is left of the share of requests that may miss the SLO, in steps of a tenth."""

    left: AnyNumber
    """1: untouched; 0: all of it was missed within the last hour; less: overspent."""
    reserve_factor: Weight
    """What the reserve is multiplied by, while it burns; 1 otherwise."""


class InferenceServiceStatus(StatusModel):
    """Written when plan, conditions or reasons change; what changes every tick is a metric."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that was last acted on."""
    effective_price_per_core: Weight | None = None
    """What one core must bring in accuracy to be worth it: costWeight as a share of the budget."""
    error_budget: ErrorBudgetStatus | None = None
    """Absent with less than an hour of data."""
    served_accuracy: Fraction | None = None
    """As served in the interval before the plan was made; absent where nobody counted. What it is
    now is a metric."""
    plan: PlanStatus | None = None
    decisions: Annotated[tuple[Decision, ...], Field(max_length=10)] = ()
    """The last ones, newest first."""
    variants: Annotated[
        tuple[VariantStatus, ...],
        Field(max_length=16, json_schema_extra=list_map("variant", "kind")),
    ] = ()
    """Whether pods of each variant come, by kind of resource."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=16, json_schema_extra=list_map("type")),
    ] = ()
    """What is known of the service; Ready sums them up."""


def plan_summary(allocations: Iterable[PlannedPods]) -> str:
    """
    What a person wants to see in a table: "resnet50 1x8, resnet152 2x4" is one pod of 8 cores and
    two of 4; pods with a device say which.
    """
    return ", ".join(_group_summary(planned) for planned in allocations)


def _group_summary(planned: PlannedPods) -> str:
    device = "" if planned.kind == CPU else f" on {planned.kind}"
    return f"{planned.variant} {planned.pods}x{planned.resources.get(CPU, 0)}{device}"
