"""
What was decided, and why. A decision outlives the cycle that made it: platforms write it into the
status, and after a restart it is all that the loop remembers.
"""

from dataclasses import dataclass
from enum import StrEnum

from infadapter_solver.problem import Plan, PodSize, Target
from infadapter_solver.solve import Binding

Shape = tuple[bool, tuple[tuple[Target, PodSize, int], ...]]
"""What tells two plans apart; that pods deliver a little more or less is no other plan."""


class Source(StrEnum):
    OPTIMAL = "Optimal"
    GREEDY = "Greedy"  # time ran out before the optimum was proven
    ADOPTED = "Adopted"  # what ran when the loop began, no load seen yet
    WARMING = "Warming"  # nothing ran and no load was seen yet: the smallest that serves
    HELD = "Held"  # the last plan, kept because there is no fresh data


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What was not chosen: one variant alone; `objective` is None when it cannot serve the load."""

    variant: str
    objective: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    A plan with its inputs and its reasons.

    `demand_rps` is what was planned for: the largest of `forecast_rps` (the quantile over the
    horizon), `observed_rps` (the highest rate of the stabilisation window) and the minimum.
    `why` belongs to the plan: it does not change while the plan is kept.
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
    expected_latency_s: float | None = None  # at the service's percentile, where it is known
    outgrown: int = 0  # plans in turn before this one, each outgrown before it could be reached

    @property
    def shape(self) -> Shape:
        groups = self.plan.groups
        return self.plan.feasible, tuple((g.target, g.allocation.size, g.pods) for g in groups)

    @property
    def is_from_load(self) -> bool:
        """Planned for a load that was measured."""
        return self.source in (Source.OPTIMAL, Source.GREEDY)
