"""
All that a decision is made from, as a value: it can be written down, replayed and compared.

What a cycle leaves to the next is part of it. Nothing else is remembered anywhere that decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from infadapter_operator.domain.decision import Decision
from infadapter_operator.domain.error_budget import Answers, ErrorBudget
from infadapter_operator.domain.load import Delivered, History
from infadapter_operator.domain.observed import Observed, SurgeLoan, Trouble
from infadapter_operator.domain.progress import Block, Milestone
from infadapter_operator.domain.service import Service
from infadapter_solver.problem import PodSize, Target

RATIO_STEPS = 100
"""Capacities change by whole per cents, so that they don't at every lesson."""


class Settled(NamedTuple):
    """The size of a pod that is Ready, and since when it has had it."""

    size: PodSize
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityCalibration:
    """Ratios of delivered to promised capacity, 1 where nothing was learnt (decision 11)."""

    ratios: Mapping[Target, float] = field(default_factory=dict)
    in_force: Mapping[Target, float] = field(default_factory=dict)  # of the ratios, in whole steps
    settled: Mapping[str, Settled] = field(default_factory=dict)  # the pods of the last lesson
    at_s: float | None = None

    def ratio(self, target: Target) -> float:
        rounded = round(RATIO_STEPS * self.ratios.get(target, 1.0)) / RATIO_STEPS
        return self.in_force.get(target, rounded)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """
    What one reconciliation leaves to the next. Only the decision and the blocks matter (a platform
    restores them from the status after a restart); the rest may start fresh.
    """

    decision: Decision | None = None
    data_missing_since_s: float | None = None
    last_data_s: float | None = None
    infeasible_resizes: frozenset[tuple[str, PodSize]] = frozenset()  # by pod, for good
    removed_pods: frozenset[str] = frozenset()  # told to stop, and perhaps still there
    calibration: CapacityCalibration = field(default_factory=CapacityCalibration)
    blocks: Mapping[Target, Block] = field(default_factory=dict)  # what does not come
    awaited: frozenset[str] = frozenset()  # pods that do not come yet, and are not planned with
    without_room: tuple[Target, ...] = ()  # wanted again, with no room to try a pod
    refused: Mapping[Target, Trouble] = field(default_factory=dict)  # starts, by the platform
    milestone: Milestone = field(default_factory=Milestone)
    surge_loan: SurgeLoan | None = None
    error_budget: ErrorBudget = field(default_factory=ErrorBudget)
    served_accuracy: float | None = None  # over the last interval; None: not known


class Failure(NamedTuple):
    """Why something is not known: a condition's reason, and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """
    One service at one moment. `load` is None when there is no fresh data, and `no_load` says why;
    `delivered` is None when it was not asked for, since a lesson an interval is enough; `answers`
    are None then too, and when nobody counts them.
    """

    now_s: float
    service: Service  # with the capacities of its profiles
    state: State
    observed: Observed
    load: History | None = None
    no_load: Failure | None = None
    delivered: Mapping[str, Delivered] | None = None
    answers: tuple[Answers, ...] | None = None
