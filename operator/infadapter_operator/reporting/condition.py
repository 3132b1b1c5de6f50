"""
A condition as Kubernetes has them, and the signals of a cycle, from which a service's follow.

Below the conditions themselves, since these are several modules', and adapters make some, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.error_budget import ErrorBudget
from infadapter_operator.domain.progress import Block, Progress
from infadapter_solver.problem import Target


class Status(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`message` is stable: it changes with what it says, never with every tick."""

    type: str
    status: Status
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What one cycle found out; everything a condition says follows from it."""

    decision: Decision | None
    data_error: str | None = None  # why there is no plan of this moment: no data, or no solution
    unseen: str | None = None  # why nothing was looked at: PlatformUnavailable, Paused, …
    no_plan: str = ""  # a sentence: why the solver takes the problem for none, or answers nothing
    serving: bool = False  # a Ready pod has weight
    progressing: bool = False  # there are steps to take, or pods to wait for
    shortages: tuple[tuple[str, str], ...] = ()  # (reason, sentence)
    surge_told: str = ""  # a sentence: what quotas leave of it, where that is less than asked for
    conflicts: tuple[str, ...] = ()  # sentences
    progress: Progress | None = None  # None: it is not known how far the rollout is
    blocks: Mapping[Target, Block] = field(default_factory=dict)  # what does not come
    ratios: Mapping[Target, float] = field(default_factory=dict)  # delivered to promised capacity
    error_budget: ErrorBudget = field(default_factory=ErrorBudget)


def true(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.TRUE, reason=reason, message=message)


def false(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.FALSE, reason=reason, message=message)


def unknown(name: str, reason: str, message: str) -> Condition:
    return Condition(type=name, status=Status.UNKNOWN, reason=reason, message=message)
