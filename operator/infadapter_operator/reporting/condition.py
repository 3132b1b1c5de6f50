"""
A Kubernetes condition, and the signals of a cycle from which a service's conditions are derived.

In a module of its own because several modules and adapters create conditions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.error_budget import ErrorBudget
from infadapter_operator.domain.progress import Block, Progress
from infadapter_solver.problem import Target

NOT_OBSERVED = "the pods were not observed"
"""The message of every condition of pods in a cycle without an observation."""


class Status(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition. `message` is stable: it changes with its meaning, not in every cycle."""

    type: str
    status: Status
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The findings of one cycle from which all conditions are derived."""

    decision: Decision | None
    data_error: str | None = None  # why there is no current plan: no data, or no solution
    unseen: str | None = None  # why nothing was observed: PlatformUnavailable, Paused, …
    no_plan: str = ""  # a sentence: why the problem is invalid or the solver has no answer
    serving: bool = False  # a Ready pod has weight
    progressing: bool = False  # steps to take, or pods to wait for
    shortages: tuple[tuple[str, str], ...] = ()  # (reason, sentence)
    surge_told: str = ""  # a sentence: what quotas leave of the requested surge, if less
    conflicts: tuple[str, ...] = ()  # sentences
    progress: Progress | None = None  # None: unknown
    blocks: Mapping[Target, Block] = field(default_factory=dict)  # targets that fail to start
    ratios: Mapping[Target, float] = field(default_factory=dict)  # delivered to profiled capacity
    error_budget: ErrorBudget = field(default_factory=ErrorBudget)


def true(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.TRUE, reason=reason, message=message)


def false(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.FALSE, reason=reason, message=message)


def unknown(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.UNKNOWN, reason=reason, message=message)
