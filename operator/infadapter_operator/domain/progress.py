"""Where a rollout stands: what is done of it, what it waits for, or why it rests."""

import math
from dataclasses import dataclass
from enum import StrEnum

from infadapter_operator.domain.decision import Shape
from infadapter_operator.domain.observed import Cause
from infadapter_solver.problem import Target


class Rest(StrEnum):
    """Why the loop stands still before the plan is reached. Each has an end or a retry."""

    NO_NODE = "NoNode"
    RESIZE_REFUSED = "ResizeRefused"
    CONFLICT = "Conflict"
    NO_SURGE = "NoSurge"
    NO_DATA = "NoData"
    START_FAILED = "StartFailed"


class Phase(StrEnum):
    """Of a rollout, in their order; several may be under way, the first is told."""

    STARTING = "Starting"  # pods of the plan are not Ready yet
    RESIZING = "Resizing"
    SHIFTING = "ShiftingTraffic"  # the router has yet to obey
    DRAINING = "Draining"  # pods that are not planned are still there
    DONE = "AsPlanned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`ready` of `wanted` planned pods are Ready at their size; derived from what is observed."""

    phase: Phase
    ready: int
    wanted: int
    waits_for: str = ""  # a sentence: "glyph-1 (2 pods) to become Ready"
    deadline_s: float | None = None  # then a new plan is made without what has not come
    moves: bool = False  # something is under way or may yet come, or was done in this cycle
    rest: Rest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """
    A target of which no new pods are planned, since they do not come. Those that are Ready stay.

    `until_s`: then one pod is tried again, and all where one has `come` meanwhile.
    """

    target: Target
    digest: str  # of the template: another one is another matter
    cause: Cause
    message: str
    since_s: float
    until_s: float
    attempts: int = 1
    created_s: float = 0.0  # when the pod that failed was made; a later one that comes ends it
    come: bool = False
    fitting_millicores: int | None = None  # a new pod of so much may find a node, a larger one not
    grown_millicores: int | None = None  # what its pods did not grow beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """The furthest that was seen of one plan, and when."""

    plan: Shape | None = None
    ready: int = -1
    pending: int = 0
    excess: int = 0
    leaving: int = 0
    at_s: float = -math.inf
