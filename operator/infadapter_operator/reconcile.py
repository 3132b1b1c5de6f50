"""
One turn of the loop: see, plan when it is time, do what may be done now, tell. It never waits.

The only place that knows the order; it speaks to a body through the protocols of `bodies`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infadapter_operator.bodies import Cluster, Demand, Router
from infadapter_operator.conditions import Condition
from infadapter_operator.decision import Decision
from infadapter_operator.observed import Observed
from infadapter_operator.service import Service
from infadapter_operator.steps import Step
from infadapter_solver.problem import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """
    What a look leaves to the next. Only the decision matters (a body restores it from the status
    after a restart); the rest may start fresh.
    """

    decision: Decision | None = None
    data_missing_since_s: float | None = None
    infeasible_resizes: frozenset[tuple[str, tuple[tuple[str, int], ...]]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    step: Step
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw, decided and did. `observed` is from before its steps."""

    service: Service
    now_s: float
    memory: Memory
    decision: Decision | None = None
    observed: Observed | None = None  # None: the body did not answer
    demand_rps: float | None = None  # now; None: no fresh data
    forecast_rps: float | None = None
    steps: tuple[Step, ...] = ()  # taken
    refusals: tuple[Refusal, ...] = ()
    conditions: tuple[Condition, ...] = ()
    shares: Mapping[Target, float] = field(default_factory=dict)  # in force after the steps
    ready_capacity_rps: float = 0.0
    planned: bool = False  # this look solved the problem
    plan_changed: bool = False
    solve_s: float | None = None
    error: str | None = None  # reason of the DemandError or of BodyUnavailable
    error_message: str = ""


async def look(
    service: Service,
    memory: Memory,
    demand: Demand,
    cluster: Cluster,
    router: Router,
    now_s: float,
) -> Look:
    """One turn; raises nothing that a body may raise."""
    raise NotImplementedError
