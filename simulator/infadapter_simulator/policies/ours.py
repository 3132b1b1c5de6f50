"""Our policy: the operator's own `reconcile` on the simulated platform. Nothing is decided here."""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import LoadSource, Ports
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import Situation, State
from infadapter_operator.planning.decide import decide
from infadapter_operator.planning.plan import Planned, plan
from infadapter_operator.planning.planning_demand import measured_load
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_simulator.platform import SimulatedCluster, SimulatedLoad, SimulatedRouter
from infadapter_simulator.policies.fleet import first_fleet
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.world import World

CYCLE_S = 1.0
"""The operator's default cycle time, s."""


def service_of(scenario: Scenario) -> Service:
    """
    Return the Service that a user would apply for the scenario; other fields have the API's
    defaults.
    """
    return Service(
        namespace="simulated",
        name="service",
        slo_s=scenario.slo_s,
        percentile=scenario.percentile,
        variants=scenario.variants,
        max_surge=scenario.surge,
        forecast=scenario.forecast,
        calendar=scenario.calendar,
        profiles=scenario.profiles,
        objective=scenario.objective,
    )


T = TypeVar("T")


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """
    Return a coroutine's result without an event loop: in virtual time nothing waits, and passing a
    plan to a thread takes half as long as solving it.
    """
    try:
        call.send(None)
    except StopIteration as returned:
        found: T = returned.value
        return found
    raise RuntimeError("a simulated platform answers at once, and this one waits")


async def planned(situation: Situation, *, explains: bool = True) -> Planned:
    return plan(situation, explains=explains)


@dataclass(slots=True, kw_only=True)
class Ours:
    """
    `cycle_s`: time between reconcile cycles. `explains`: whether plans have reasons, which need a
    solution for every variant and which no comparison reads.
    """

    service: Service
    name: str = "infadapter"
    cycle_s: float = CYCLE_S
    explains: bool = False
    state: State = field(default_factory=State)
    load: LoadSource | None = None  # of the current run
    cluster: SimulatedCluster | None = None
    seen: Cycle | None = None  # the last one

    def begin(self, world: World, mean_rps: float) -> None:
        self.meet(world)
        assert self.load is not None
        load = measured_load(self.service, at_once(self.load.history(3600, 0.0)))
        decision = decide(self.service, load, Observed(), None, world.now_s)
        first_fleet(world, decision.plan)
        self.state = State(decision=decision)
        self.act(world)

    def meet(self, world: World) -> None:
        """Begin a run with the pods that exist."""
        self.load, self.cluster = SimulatedLoad(world), SimulatedCluster(world)
        world.plan_changes_s = []

    def next_act_s(self, now_s: float) -> float:
        return now_s + self.cycle_s

    def act(self, world: World) -> None:
        assert self.load is not None
        assert self.cluster is not None
        ports = Ports(self.load, self.cluster, SimulatedRouter(world))
        planning = partial(planned, explains=self.explains)
        self.seen = seen = at_once(
            reconcile(self.service, self.state, ports, world.now_s, planning=planning)
        )
        self.state = seen.state
        if seen.plan_changed and world.plan_changes_s is not None:
            world.plan_changes_s.append(world.now_s)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return None  # our server refuses by deadline
