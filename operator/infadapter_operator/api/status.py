"""
What the operator reports in an InferenceService's status. It is also what the operator remembers:
after a restart it reads the plan back from here, so a plan is complete and every list is bounded.
"""

from typing import Annotated

from pydantic import Field

from infadapter_operator.api.condition import Condition, StatusModel
from infadapter_operator.api.decimals import AnyNumber, Fraction, Weight
from infadapter_operator.api.fields import DnsLabel, Timestamp
from infadapter_operator.api.model import list_map
from infadapter_operator.api.plan import Decision, PlanStatus
from infadapter_solver.problem import CPU


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
    """As served in an interval: said again for another plan, or once it has changed by 0.02; absent
    where nobody counted. What it is now is a metric."""
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
