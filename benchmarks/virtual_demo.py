"""
The demo's loop, load and service on simulated servers, for benchmarks that play it without any.

A simulated server is one that takes equally long for every request; a real one with a CPU quota
stops for a part of every period of the quota, and shares its machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from infadapter_local.rescaling import Check, rescaled
from infadapter_local.run import CYCLE_S, DRAIN_S
from infadapter_local.workload import LEAD_IN_S
from infadapter_local.workload import Workload as Played
from infadapter_operator.domain.error_budget import Answers
from infadapter_operator.domain.load import Delivered, History, NoData, Sample
from infadapter_operator.domain.ports import Ports
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import State
from infadapter_operator.reconcile import reconcile
from infadapter_simulator.platform import SimulatedCluster, SimulatedRouter
from infadapter_simulator.policies.ours import at_once, planned
from infadapter_simulator.scenario import PodSpeed, Scenario, Server
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import ON_TIME, Floats, Ints
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Objective, PodSize, Profile, Variant


@dataclass(slots=True)
class RouterCount:
    """The load as the demo reads it: a counter, at every cycle."""

    world: World
    arrivals_s: Floats
    samples: list[Sample] = field(default_factory=list)
    read_s: float = 0.0

    def read(self) -> None:
        now_s = self.world.now_s
        low, high = np.searchsorted(self.arrivals_s, (self.read_s, now_s))
        if now_s > self.read_s:
            self.samples.append(Sample(now_s, float(high - low) / (now_s - self.read_s)))
        self.read_s = now_s

    async def history(self, window_s: float, now_s: float) -> History:
        recent = tuple(s for s in self.samples if s.at_s >= now_s - window_s)
        if not recent:
            raise NoData("Nothing was counted yet.")
        return History(recent)

    async def delivered(self, window_s: float, now_s: float) -> Mapping[str, Delivered]:
        """Not counted, as in the demo."""
        return {}

    async def answers(self, window_s: float, now_s: float) -> tuple[Answers, ...] | None:
        """The demo is over long before an hour of them is known."""
        return None


@dataclass(slots=True, kw_only=True)
class Loop:
    """The demo's loop, which begins with nothing."""

    service: Service
    limits: Mapping[tuple[str, int], int]
    name: str = "demo"
    state: State = field(default_factory=State)
    load: RouterCount | None = None
    cluster: SimulatedCluster | None = None
    plan_changes_s: list[float] = field(default_factory=list)

    def begin(self, world: World, mean_rps: float) -> None:
        self.load = RouterCount(world, world.traffic.arrivals_s)
        self.cluster = SimulatedCluster(world)
        self.act(world)

    def next_act_s(self, now_s: float) -> float:
        return now_s + CYCLE_S

    def act(self, world: World) -> None:
        assert self.load is not None
        assert self.cluster is not None
        self.load.read()
        router = SimulatedRouter(world)
        ports = Ports(self.load, self.cluster, router)
        cycle = reconcile(self.service, self.state, ports, world.now_s, planning=planned)
        seen = at_once(cycle)
        self.state = seen.state
        if seen.plan_changed:
            self.plan_changes_s.append(world.now_s)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int]:
        return self.limits


def play(
    policy: Service,
    judge: Service,
    profiles: Sequence[Profile],
    load: Played,
    speed: float = 1.0,
    *,
    late: bool = False,
) -> tuple[World, Loop]:
    """The world after the demo's load, and the loop that acted on it; `late` is the platform."""
    workload = Workload(
        name="demo",
        arrivals_s=load.arrivals_s,
        seconds=round(load.end_s),
        history_rps=np.empty(0),
    )
    acting = Loop(service=policy, limits=queue_limits(judge))
    scenario = scenario_of(policy, profiles, speed)
    world = simulate(acting, delayed(scenario) if late else scenario, workload, 0)
    return world, acting


def scenario_of(service: Service, profiles: Sequence[Profile], speed: float) -> Scenario:
    return Scenario(
        variants=service.variants,
        speeds=speeds_of(service, profiles, speed),
        slo_s=service.slo_s,
        server=Server.PUBLISHED,
        start_overhead_s=0.0,
        resize_s=0.0,
        weights_lag_s=0.1,
        drain_s=0.2 + DRAIN_S,
        objective=Objective(budget=service.budget, loading_weight=0.001),
    )


LATE_START_S = 0.3
"""How much longer a start takes on a platform that is late."""


def delayed(scenario: Scenario) -> Scenario:
    """The same on a platform that takes up everything later."""
    return replace(scenario, resize_s=0.25, start_overhead_s=LATE_START_S, weights_lag_s=0.3)


def speeds_of(
    service: Service, profiles: Sequence[Profile], speed: float
) -> dict[tuple[str, PodSize], PodSpeed]:
    """One request at a time; between measured sizes as if linear."""
    by_name = {profile.variant: profile for profile in profiles}
    return {
        (variant.name, allocation.size): PodSpeed(
            1, 1 / (speed * saturation_rps(by_name[variant.name], allocation.cpu_millicores))
        )
        for variant in service.variants
        for allocation in variant.allocations
    }


def saturation_rps(profile: Profile, millicores: int) -> float:
    sizes = [a.resources[CPU] for a in profile.allocations]
    rates = [a.saturation_rps or 0.0 for a in profile.allocations]
    return float(np.interp(millicores, sizes, rates))


def queue_limits(service: Service) -> Mapping[tuple[str, int], int]:
    """The demo's servers count the one that is being served too."""
    return {
        (variant.name, size): in_flight(variant, service.slo_s) - 1
        for variant in service.variants
        for size in range(100, 1001, 100)
    }


def in_flight(variant: Variant, slo_s: float) -> int:
    """As `infadapter_local.run` has it."""
    rps_per_core = max(1000 * a.capacity_rps / a.cpu_millicores for a in variant.allocations)
    return max(8, round(0.4 * rps_per_core * slo_s))


def at_speed(profile: Profile, speed: float, load_time_s: float) -> Profile:
    """As the demo's calibration would rescale it on a machine of that speed."""
    checked = {
        a.resources[CPU]: speed * a.saturation_rps for a in profile.allocations if a.saturation_rps
    }
    return rescaled(profile, Check(load_time_s, checked))


def judged(world: World) -> tuple[Ints, Ints, float]:
    """Of what came after the lead-in: outcomes, the pods' slots, and the effective accuracy."""
    traffic = world.traffic
    counted = traffic.arrivals_s >= LEAD_IN_S
    outcome, slots = traffic.outcomes()[counted], traffic.slot_of[counted]
    accuracy = np.array(
        [world.scenario.variant(name).accuracy for name in world.variant_of_slots()]
    )
    effective = float(accuracy[slots[outcome == ON_TIME]].sum()) / len(outcome)
    return outcome, slots, effective
