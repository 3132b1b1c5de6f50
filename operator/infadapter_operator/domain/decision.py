"""
The decision and its reasons. A decision outlives the cycle that made it: platforms store it in the
status, and after a restart it is all that the loop remembers.
"""

from dataclasses import dataclass
from enum import StrEnum

from infadapter_solver.problem import Plan, PodSize, Target
from infadapter_solver.solve import Binding

Shape = tuple[bool, tuple[tuple[Target, PodSize, int], ...]]
"""What distinguishes two plans. A small change of delivered capacity does not make another plan."""


class Source(StrEnum):
    OPTIMAL = "Optimal"
    GREEDY = "Greedy"  # the solver's time ran out before it proved the optimum
    ADOPTED = "Adopted"  # the pods that ran when the loop began; no load measured yet
    WARMING = "Warming"  # nothing ran, no load measured yet: the smallest plan that serves
    HELD = "Held"  # the last plan, kept because there is no fresh data


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A single variant that was not chosen; `objective` is None if it cannot serve the load."""

    variant: str
    objective: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    A plan with its inputs and reasons.

    `demand_rps` is the planning demand: the largest of `forecast_rps` (the quantile over the
    horizon), `observed_rps` (the highest rate in the stabilisation window) and the minimum. `why`
    belongs to the plan and does not change while the plan is kept.
    """

    plan: Plan
    decided_at_s: float
    demand_rps: float
    forecast_rps: float | None = None  # None: there was no data
    observed_rps: float | None = None
    source: Source = Source.OPTIMAL
    binding: Binding = Binding.NONE
    why: tuple[str, ...] = ()
    rejected: tuple[Alternative, ...] = ()
    expected_latency_s: float | None = None  # at the service's percentile, if known
    outgrown: int = (
        0  # consecutive plans before this one that were outgrown before they were reached
    )

    @property
    def shape(self) -> Shape:
        groups = self.plan.groups
        return self.plan.feasible, tuple((g.target, g.allocation.size, g.pods) for g in groups)

    @property
    def is_from_load(self) -> bool:
        """Whether it was made for a measured load."""
        return self.source in (Source.OPTIMAL, Source.GREEDY)
