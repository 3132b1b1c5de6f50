"""What a status says in conditions, reasons and sentences; every sentence is bounded."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from infadapter_operator.api.fields import Timestamp
from infadapter_operator.api.model import ApiModel

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
    VARIANTS_AVAILABLE = "VariantsAvailable"  # every planned variant has pods or can start them
    CAPACITY_AS_PROFILED = "CapacityAsProfiled"  # pods deliver the capacity of their profiles
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
    """Whether the condition holds; Unknown if it cannot be determined."""
    reason: Annotated[Reason, Field(min_length=1)]
    """The reason in CamelCase, for programs."""
    message: Sentence = ""
    """The reason in a sentence, for people."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that it refers to."""
    last_transition_time: Timestamp
    """When its status last changed."""
