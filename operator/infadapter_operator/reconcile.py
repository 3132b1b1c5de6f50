"""
One reconcile cycle: observe, plan, roll out, execute. The only module that knows this order.

Values connect the four stages: `observe` returns a `Situation` (everything a decision is made
from), `plan` returns `Planned` (the decision), `rollout` returns a `Rollout` (the steps that may be
taken now). A cycle never waits for the effect of its steps; later cycles observe it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from infadapter_operator.domain.decision import Decision, Source
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import PlatformUnavailable, Ports
from infadapter_operator.domain.progress import Block, Progress
from infadapter_operator.domain.service import Mode, Service
from infadapter_operator.domain.situation import Failure, Situation, State
from infadapter_operator.domain.steps import Step
from infadapter_operator.execute import Executed, Refusal, execute
from infadapter_operator.next_state import next_state
from infadapter_operator.observe import Shared, observe
from infadapter_operator.planning.capacity import by_target, ready_capacity_rps
from infadapter_operator.planning.plan import NoPlan, Planned, plan
from infadapter_operator.rollout.rollout import Rollout, rollout
from infadapter_operator.rollout.traffic_split import shares_of
from infadapter_solver.problem import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """
    What one reconcile cycle observed, decided and did.

    `situation` is None if nothing was observed, `planned` if nothing could be planned, `rollout` if
    the mode carries nothing out.
    """

    service: Service  # with calibrated capacities, if observed
    now_s: float
    state: State  # for the next cycle
    situation: Situation | None = None
    planned: Planned | None = None
    rollout: Rollout | None = None
    done: Executed = field(default_factory=Executed)
    solve_s: float | None = None  # None: the plan in force was kept without solving
    failure: Failure | None = None  # no data, no plan, or no answer from the platform
    plan_changed: bool = False

    @property
    def decision(self) -> Decision | None:
        """The decision as reported: with source `Held` while there is no fresh data."""
        before = self.situation.state.decision if self.situation else None
        if self.state.decision and before and self.planned and self.failure:
            return replace(self.state.decision, source=Source.HELD)
        return self.state.decision

    @property
    def observed(self) -> Observed | None:
        """All pods as observed before the steps were taken; None if the platform did not answer."""
        return self.planned.present.everything if self.planned else None

    @property
    def load_rps(self) -> float | None:
        """The current arrival rate, rps; None without fresh data."""
        return self.planned.load_rps if self.planned else None

    @property
    def forecast_rps(self) -> float | None:
        return self.planned.decision.forecast_rps if self.planned else None

    @property
    def is_solved(self) -> bool:
        """Whether a plan was made in this cycle, even if it equals the one before."""
        return self.planned is not None and self.planned.is_solved

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that were taken."""
        return self.done.steps

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return self.done.refusals

    @property
    def progress(self) -> Progress | None:
        return self.rollout.progress if self.rollout else None

    @property
    def blocks(self) -> Mapping[Target, Block]:
        return self.planned.blocks if self.planned else {}

    @property
    def shares(self) -> Mapping[Target, float]:
        """
        The share of traffic by target according to the weights in force, among the pods that exist.
        A router may still name a pod that has just gone.
        """
        if self.planned is None:
            return {}
        counted = self.planned.present.counted
        targets = {pod.name: pod.target for pod in counted.pods}
        known = {pod: weight for pod, weight in counted.weights.items() if pod in targets}
        return by_target((targets[pod], share) for pod, share in shares_of(known).items())

    @property
    def ready_capacity_rps(self) -> float:
        if self.planned is None:
            return 0.0
        return ready_capacity_rps(self.planned.service, self.planned.present.counted.pods)


async def in_a_thread(situation: Situation) -> Planned:
    """
    Plan in a worker thread, so that other services' cycles and the probes do not wait for the
    solver.
    """
    return await asyncio.to_thread(plan, situation)


async def reconcile(
    service: Service,
    state: State,
    ports: Ports,
    now_s: float,
    shared: Shared | None = None,
    planning: Callable[[Situation], Awaitable[Planned]] = in_a_thread,
) -> Cycle:
    """Run one cycle. Errors of the platform become part of the returned `Cycle`."""
    if service.mode is Mode.PAUSED:
        return Cycle(service=service, now_s=now_s, state=state)
    try:
        situation = await observe(service, state, ports, now_s, shared or Shared())
        began_s = time.perf_counter()
        planned = await planning(situation)
        took_s = time.perf_counter() - began_s
    except PlatformUnavailable as error:
        failure = Failure(error.reason, str(error))
        return Cycle(service=service, now_s=now_s, state=state, failure=failure)
    except NoPlan as error:
        return Cycle(service=service, now_s=now_s, state=state, failure=error.failure)
    due = rollout(situation, planned) if service.mode is Mode.AUTO else None
    done = await execute(due.steps, ports) if due else Executed()
    return Cycle(
        service=planned.service,
        now_s=now_s,
        state=next_state(situation, planned, due.progress if due else None, done),
        situation=situation,
        planned=planned,
        rollout=due,
        done=done,
        solve_s=took_s if planned.is_solved else None,
        failure=planned.failure,
        plan_changed=state.decision is None or state.decision.shape != planned.decision.shape,
    )
