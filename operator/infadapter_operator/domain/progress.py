"""The progress of a rollout: what is done, what it waits for, or why it rests."""

import math
from dataclasses import dataclass
from enum import StrEnum

from infadapter_operator.domain.decision import Shape
from infadapter_operator.domain.observed import Cause
from infadapter_solver.problem import Target


class Rest(StrEnum):
    """Why the loop is at rest before the plan is reached. Every rest has an end or a retry."""

    NO_NODE = "NoNode"
    RESIZE_REFUSED = "ResizeRefused"
    CONFLICT = "Conflict"
    NO_SURGE = "NoSurge"
    NO_DATA = "NoData"
    START_FAILED = "StartFailed"


class Phase(StrEnum):
    """The phases of a rollout in order. If several apply at once, the first is reported."""

    STARTING = "Starting"  # pods of the plan are not Ready yet
    RESIZING = "Resizing"
    SHIFTING = "ShiftingTraffic"  # the router has yet to apply the weights
    DRAINING = "Draining"  # unplanned pods still exist
    DONE = "AsPlanned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`ready` of `wanted` planned pods are Ready at their size. Derived from what is observed."""

    phase: Phase
    ready: int
    wanted: int
    waits_for: str = ""  # a sentence: "glyph-1 (2 pods) to become Ready"
    deadline_s: float | None = None  # then a plan without the missing pods is made
    moves: bool = (
        False  # an operation is in progress or may still succeed, or a step was taken in this cycle
    )
    rest: Rest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """
    A target that is excluded from planning because its pods fail to start. Ready pods stay planned.

    At `until_s` one pod is retried; all pods are allowed again once one has recovered.
    """

    target: Target
    digest: str  # of the template: another template ends the block
    cause: Cause
    message: str
    since_s: float
    until_s: float
    attempts: int = 1
    created_s: float = (
        0.0  # creation of the failed pod; a later pod that becomes Ready ends the block
    )
    has_recovered: bool = False
    fitting_millicores: int | None = None  # the largest new pod that may find a node
    grown_millicores: int | None = None  # the size beyond which its pods did not grow


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """The furthest observed progress of one plan, and when it was reached."""

    plan: Shape | None = None
    ready: int = -1
    pending: int = 0
    excess: int = 0
    leaving: int = 0
    at_s: float = -math.inf
