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
    """A digest of the pod template; pods of another template are planned at once."""
    since: Timestamp
    """Since when its pods cannot be started."""
    until: Timestamp
    """When one pod is tried again."""
    pod_created_at: Timestamp
    """Creation time of the pod that failed to start; a later pod that starts ends the back-off."""
    attempts: Annotated[int, Field(ge=1)] = 1
    """Number of attempts; the back-off doubles with each."""


class VariantStatus(StatusModel):
    """Whether pods of one variant on one kind of resource can be started."""

    variant: DnsLabel
    """The variant's name."""
    kind: Annotated[str, Field(min_length=1, max_length=128)] = CPU
    """cpu, or the extended resource's name."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=4, json_schema_extra=list_map("type")),
    ] = ()
    """Whether its pods can be started."""
    blocked: BlockedPods | None = None
    """Present while no new pods of the variant are planned."""


class ErrorBudgetStatus(StatusModel):
    """What is left of the share of requests that may miss the SLO, in steps of a tenth."""

    left: AnyNumber
    """The remaining share over the last hour: 1 untouched, 0 used up, below 0 overspent."""
    reserve_factor: Weight
    """Factor on the reserve while the budget burns; 1 otherwise."""


class InferenceServiceStatus(StatusModel):
    """Written when plan, conditions or reasons change; values of every cycle are metrics."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that was last acted on."""
    effective_price_per_core: Weight | None = None
    """Accuracy that one core must add to be worth its cost: costWeight divided by the budget."""
    error_budget: ErrorBudgetStatus | None = None
    """The error budget of the last hour; absent with less than an hour of data."""
    served_accuracy: Fraction | None = None
    """Mean accuracy of the answers of an interval; updated for a new plan or after a change of
    0.02, and absent if not measured. The current value is a metric."""
    plan: PlanStatus | None = None
    decisions: Annotated[tuple[Decision, ...], Field(max_length=10)] = ()
    """The last decisions, newest first."""
    variants: Annotated[
        tuple[VariantStatus, ...],
        Field(max_length=16, json_schema_extra=list_map("variant", "kind")),
    ] = ()
    """Whether pods of each variant can be started, by kind of resource."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(max_length=16, json_schema_extra=list_map("type")),
    ] = ()
    """The conditions of the service; Ready sums them up."""
