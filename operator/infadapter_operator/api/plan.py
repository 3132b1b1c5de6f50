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
    """The share of a variant's answers that one operating point is expected to give."""

    name: Annotated[str, Field(max_length=MOST_NAME_LETTERS)]
    """The name of the operating point."""
    share: Fraction
    """Expected share of the variant's answers; in a burst faster points take over."""


class PlannedPods(StatusModel):
    """The pods of one variant on one kind of resource; all have the same size."""

    variant: DnsLabel
    """The variant's name."""
    kind: Annotated[str, Field(min_length=1, max_length=128)] = CPU
    """cpu, or the extended resource's name."""
    resources: ResourceList
    """The resources of one pod."""
    batch_size: Annotated[int, Field(ge=1)] = 1
    """The largest batch that one pod runs."""
    pods: Annotated[int, Field(ge=1)]
    """How many pods of this size are planned."""
    capacity_rps: Weight
    """The capacity of one pod within the SLO."""
    served_rps: Weight
    """The load that all of them together are planned to serve."""
    points: Annotated[
        tuple[PointShare, ...],
        Field(max_length=8, json_schema_extra=list_map("name")),
    ] = ()
    """The operating points expected to answer, if the variant has any."""

    @property
    def amounts(self) -> Resources:
        """Of one pod: CPU in millicores, everything else in whole units."""
        return parse_amounts(self.resources)


class RejectedPlan(StatusModel):
    """An alternative plan, and why it was not chosen."""

    plan: Sentence
    """The alternative: one variant alone."""
    reason: Sentence
    """Why it was not chosen."""


class PlanStatus(StatusModel):
    """The plan in force, with the reasons for it."""

    planned_at: Timestamp
    """When it was decided."""
    feasible: bool
    """Whether the budget can serve the demand."""
    demand_rps: Weight
    """The demand that was planned for."""
    accuracy: Fraction
    """Expected accuracy, weighted by requests."""
    cost: Weight
    """Cost at the prices; in cores if a core's price is 1."""
    objective: AnyNumber | None = None
    """The objective's value; absent when the budget can't serve the demand."""
    latency_milliseconds: Weight | None = None
    """Expected latency of the slowest allocation, at the SLO's percentile."""
    reason: Reason
    """How the plan was made: Optimal, Greedy, Adopted, Warming or Held."""
    message: Sentence = ""
    """The reasons for the plan, in sentences."""
    binding_constraint: Sentence | None = None
    """What keeps the objective from being higher."""
    rejected: Annotated[tuple[RejectedPlan, ...], Field(max_length=8)] = ()
    """Alternatives, and why they were not chosen."""
    summary: Sentence = ""
    """A summary such as "resnet50 1x8, resnet152 2x4"."""
    pods: Annotated[int, Field(ge=0)] = 0
    """Number of pods of all variants together."""
    allocations: Annotated[
        tuple[PlannedPods, ...],
        Field(max_length=16, json_schema_extra=list_map("variant", "kind")),
    ] = ()
    """The pods that are planned, by variant and kind of resource."""


class Decision(StatusModel):
    """One past decision."""

    at: Timestamp
    """When it was decided."""
    reason: Reason
    """How the plan was made, as in `plan.reason`."""
    demand_rps: Weight
    """The demand that was planned for."""
    accuracy: Fraction
    """Expected accuracy, weighted by requests."""
    cost: Weight
    """Cost at the prices of that time."""
    summary: Sentence = ""
    """A summary such as "resnet50 1x8, resnet152 2x4"."""


def plan_summary(allocations: Iterable[PlannedPods]) -> str:
    """
    What a person wants to see in a table: "resnet50 1x8, resnet152 2x4" is one pod of 8 cores and
    two of 4; pods with a device say which.
    """
    return ", ".join(_group_summary(planned) for planned in allocations)


def _group_summary(planned: PlannedPods) -> str:
    device = "" if planned.kind == CPU else f" on {planned.kind}"
    return f"{planned.variant} {planned.pods}x{planned.resources.get(CPU, 0)}{device}"
