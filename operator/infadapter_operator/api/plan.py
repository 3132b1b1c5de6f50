"""The plan in a status: its pods, why it was chosen, and the plans before it in a line each."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from infadapter_operator.api.condition import Reason, Sentence, StatusModel
from infadapter_operator.api.decimals import AnyNumber, Fraction, Weight
from infadapter_operator.api.fields import DnsLabel, ResourceList, Timestamp
from infadapter_operator.api.model import list_map
from infadapter_profiles.points import MOST_NAME_LETTERS
from infadapter_profiles.quantities import parse_amounts
from infadapter_solver.problem import CPU, Resources


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


def plan_summary(allocations: Iterable[PlannedPods]) -> str:
    """
    What a person wants to see in a table: "resnet50 1x8, resnet152 2x4" is one pod of 8 cores and
    two of 4; pods with a device say which.
    """
    return ", ".join(_group_summary(planned) for planned in allocations)


def _group_summary(planned: PlannedPods) -> str:
    device = "" if planned.kind == CPU else f" on {planned.kind}"
    return f"{planned.variant} {planned.pods}x{planned.resources.get(CPU, 0)}{device}"
