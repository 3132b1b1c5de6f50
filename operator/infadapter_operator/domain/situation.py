"""
The situation: everything that a decision is made from, as a value that can be recorded, replayed
and compared.

The state that one cycle leaves to the next is part of it. No other memory influences decisions.
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
"""
Calibration ratios in force are multiples of 1/RATIO_STEPS, so that capacities do not change all the
time.
"""


class Settled(NamedTuple):
    """The size of a Ready pod, and since when it has had it."""

    size: PodSize
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityCalibration:
    """
    Ratios of delivered to profiled capacity by target, 1 where nothing was learnt (decision 11).
    """

    ratios: Mapping[Target, float] = field(default_factory=dict)
    in_force: Mapping[Target, float] = field(default_factory=dict)  # rounded, with hysteresis
    settled: Mapping[str, Settled] = field(default_factory=dict)  # the pods of the last observation
    at_s: float | None = None

    def ratio(self, target: Target) -> float:
        rounded = round(RATIO_STEPS * self.ratios.get(target, 1.0)) / RATIO_STEPS
        return self.in_force.get(target, rounded)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """
    What one reconcile cycle leaves to the next.

    Only the decision and the blocks matter after a restart, and a platform restores them from the
    status; the rest may start empty.
    """

    decision: Decision | None = None
    data_missing_since_s: float | None = None
    last_data_s: float | None = None
    infeasible_resizes: frozenset[tuple[str, PodSize]] = frozenset()  # by pod, refused for good
    removed_pods: frozenset[str] = frozenset()  # removed, but perhaps still listed
    calibration: CapacityCalibration = field(default_factory=CapacityCalibration)
    blocks: Mapping[Target, Block] = field(default_factory=dict)  # targets that fail to start
    awaited: frozenset[str] = frozenset()  # failing pods that are awaited, and not planned with
    without_room: tuple[Target, ...] = ()  # due for a retry, without room for a probe
    refused: Mapping[Target, Trouble] = field(default_factory=dict)  # starts, by the platform
    milestone: Milestone = field(default_factory=Milestone)
    surge_loan: SurgeLoan | None = None
    error_budget: ErrorBudget = field(default_factory=ErrorBudget)
    served_accuracy: float | None = None  # over the last interval; None: not known


class Failure(NamedTuple):
    """Why something is unknown: the reason of a condition, and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """
    One service at one moment.

    `load` is None without fresh data, and `no_load` says why. `delivered` is None if it was not
    queried in this cycle, since once per interval suffices. `answers` are None for the same reason,
    or if nothing counts them.
    """

    now_s: float
    service: Service  # with profiled capacities
    state: State
    observed: Observed
    load: History | None = None
    no_load: Failure | None = None
    delivered: Mapping[str, Delivered] | None = None
    answers: tuple[Answers, ...] | None = None
