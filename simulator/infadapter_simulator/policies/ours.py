"""Ours: the operator's own `reconcile`, on the simulated platform. Nothing is decided here."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.ports import LoadSource, Ports
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import State
from infadapter_operator.planning.decide import decide
from infadapter_operator.reconcile import Cycle, reconcile
from infadapter_simulator.platform import SimulatedCluster, SimulatedLoad, SimulatedRouter
from infadapter_simulator.policies.fleet import first_fleet
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.world.world import World

CYCLE_S = 1.0
"""The operator's default."""


def service_of(scenario: Scenario) -> Service:
    """What a user who wants this would apply; everything else is at the API's defaults."""
    return Service(
        namespace="simulated",
        name="service",
        slo_s=scenario.slo_s,
        percentile=scenario.percentile,
        variants=scenario.variants,
        max_surge=scenario.budget if scenario.max_surge is None else scenario.max_surge,
        profiles=scenario.profiles,
        objective=scenario.objective,
    )


class _AtOnce(ThreadPoolExecutor):
    """In virtual time nobody waits, and handing over to a thread takes as long as half a plan."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **named))
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to who waits for it
            future.set_exception(error)
        return future


def virtual_loop() -> asyncio.AbstractEventLoop:
    """One that plans at once. It keeps its files open until it is closed."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_AtOnce())
    return loop


@dataclass(slots=True, kw_only=True)
class Ours:
    """`cycle_s`: how often the loop reconciles, and so how often it may act."""

    service: Service
    name: str = "infadapter"
    cycle_s: float = CYCLE_S
    state: State = field(default_factory=State)
    load: LoadSource | None = None  # of the run that has begun
    cluster: SimulatedCluster | None = None
    seen: Cycle | None = None  # the last one
    loop: asyncio.AbstractEventLoop = field(default_factory=virtual_loop)

    def begin(self, world: World, mean_rps: float) -> None:
        self.meet(world)
        assert self.load is not None
        history = self.loop.run_until_complete(self.load.history(3600, 0.0))
        decision = decide(self.service, history, Observed(), None, world.now_s)
        first_fleet(world, decision.plan)
        self.state = State(decision=decision)
        self.act(world)

    def meet(self, world: World) -> None:
        """A run that begins, with whatever pods it has."""
        self.load, self.cluster = SimulatedLoad(world), SimulatedCluster(world)
        world.plan_changes_s = []

    def next_act_s(self, now_s: float) -> float:
        return now_s + self.cycle_s

    def act(self, world: World) -> None:
        assert self.load is not None
        assert self.cluster is not None
        ports = Ports(self.load, self.cluster, SimulatedRouter(world))
        self.seen = seen = self.loop.run_until_complete(
            reconcile(self.service, self.state, ports, world.now_s)
        )
        self.state = seen.state
        if seen.plan_changed and world.plan_changes_s is not None:
            world.plan_changes_s.append(world.now_s)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return None  # our server refuses by the deadline
