"""
The yardstick: a policy that knows every arrival in advance (docs/design.md, last section but one).

It has the same router, queues, start and resize times and budget as all others, plans every window
for the load that it will have, and starts what it needs early enough.
"""

from collections.abc import Mapping

import numpy as np

from infadapter_operator.rollout.traffic_split import whole_weights
from infadapter_simulator.policies.fleet import first_fleet, started
from infadapter_simulator.policies.hindsight.fluid import with_headroom
from infadapter_simulator.policies.hindsight.foresight import Foresight, Plans
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.world import World
from infadapter_solver import Allocation, Plan, Target

WEIGHTS_S = 2.0
"""How often it moves weights."""


class Clairvoyant:
    """Carries out the plans of all windows, each ready when its window begins."""

    def __init__(self, way: Foresight, scenario: Scenario, workload: Workload) -> None:
        self.name = str(way)
        self._way = way
        edges = np.arange(workload.seconds + 1)
        self._rates = np.histogram(workload.arrivals_s, bins=edges)[0].astype(np.float64)
        self._variants = with_headroom(scenario, way.headroom)
        self._plans = Plans(scenario, self._variants).in_turn(way.demands(self._rates))
        self._accuracy = {variant.name: variant.accuracy for variant in scenario.variants}
        # So that a pod is Ready when the weights are sent that are in force as its window begins.
        self._start_s = {
            v.name: scenario.start_s(v.name) + scenario.weights_lag_s for v in scenario.variants
        }
        self._longest_s = max(self._start_s.values()) + 1e-6
        self._due = _due_times(self._plans, scenario, way.window_s, workload.seconds)

    def begin(self, world: World, mean_rps: float) -> None:
        first_fleet(world, self._plans[0])
        self._weigh(world, at_once=True)

    def next_act_s(self, now_s: float) -> float:
        at = int(np.searchsorted(self._due, now_s, side="right"))
        return float(self._due[at]) if at < len(self._due) else np.inf

    def act(self, world: World) -> None:
        for window in range(self._window(world.now_s), len(self._plans)):
            if window * self._way.window_s > world.now_s + self._longest_s:
                break
            self._prepare(world, window)
        if not world.now_s % WEIGHTS_S or self._begins(world.now_s + world.scenario.weights_lag_s):
            self._weigh(world)
        self._give_up(world)

    def queue_limits(self, world: World) -> Mapping[tuple[str, int], int] | None:
        return None

    def _window(self, at_s: float) -> int:
        return min(int(max(at_s, 0.0) / self._way.window_s + 1e-9), len(self._plans) - 1)

    def _begins(self, at_s: float) -> bool:
        return abs(at_s / self._way.window_s - round(at_s / self._way.window_s)) < 1e-6

    def _prepare(self, world: World, window: int) -> None:
        """Start and grow what the window needs and what can't wait any longer."""
        left_s = window * self._way.window_s - world.now_s
        for group in self._plans[window].groups:
            pods = _live(world, group.target)
            late = left_s <= self._start_s[group.target.variant] + 1e-6
            if late:
                started(world, group, group.pods - len(pods))
            if left_s > world.scenario.resize_delay_s + 1e-6:
                continue
            for pod in pods[: group.pods]:
                if pod.wanted.cpu_millicores < group.allocation.cpu_millicores:
                    world.resize(pod, group.allocation.size)

    def _give_up(self, world: World) -> None:
        """What neither this window nor one that is being prepared needs goes or shrinks."""
        first = self._window(world.now_s)
        for target in {pod.target for pod in world.pods}:
            pods = _live(world, target)
            coming = [self._needs(target, k) for k in self._kept(world, target, first)]
            wanted = max((pods for pods, _ in coming), default=0)
            for pod in pods[wanted:]:
                if pod.name not in world.weights:
                    world.remove(pod)
            size = max((cores for _, cores in self._soon(world, target, first)), default=0)
            for pod in pods[:wanted]:
                if 0 < size < pod.wanted.cpu_millicores:
                    world.resize(pod, self._allocation(target, size).size)

    def _kept(self, world: World, target: Target, first: int) -> range:
        """Windows that a pod which goes now could not be started again for in time."""
        start_s = self._start_s[target.variant]
        return range(first, self._window(world.now_s + start_s) + 1)

    def _soon(self, world: World, target: Target, first: int) -> list[tuple[int, int]]:
        last = self._window(world.now_s + world.scenario.resize_delay_s)
        return [self._needs(target, k) for k in range(first, last + 1)]

    def _needs(self, target: Target, window: int) -> tuple[int, int]:
        for group in self._plans[window].groups:
            if group.target == target:
                return group.pods, group.allocation.cpu_millicores
        return 0, 0

    def _allocation(self, target: Target, millicores: int) -> Allocation:
        variant = next(v for v in self._variants if v.name == target.variant)
        return next(a for a in variant.allocations if a.cpu_millicores == millicores)

    def _weigh(self, world: World, *, at_once: bool = False) -> None:
        """By accuracy up to the capacity, for the load of the next seconds, which it knows."""
        from_s = world.now_s + (0.0 if at_once else world.scenario.weights_lag_s)
        first = int(from_s + 1e-6)
        rates = self._rates[first : first + int(WEIGHTS_S)]
        demand_rps = float(rates.mean()) if len(rates) else 0.0
        plan = self._plans[self._window(from_s)]
        world.route(self._weights(world, plan, demand_rps), at_once=at_once)

    def _weights(self, world: World, plan: Plan, demand_rps: float) -> dict[str, int]:
        pods = {group.target: group.pods for group in plan.groups}
        planned = [p for t in pods for p in _live(world, t)[: pods[t]] if p.ready]
        chosen = planned or [p for p in world.pods if p.ready]
        capacity = {p.name: self._allocation_rps(p) for p in chosen}
        total = sum(capacity.values()) or 1.0
        if demand_rps >= total:
            return whole_weights({name: rps / total for name, rps in capacity.items()})
        loads: dict[str, float] = {}
        left = max(demand_rps, 1e-9)
        for pod in sorted(chosen, key=lambda p: (-self._accuracy[p.target.variant], p.slot)):
            loads[pod.name] = min(left, capacity[pod.name])
            left -= loads[pod.name]
        served = sum(loads.values())
        return whole_weights({name: rps / served for name, rps in loads.items() if rps > 0})

    def _allocation_rps(self, pod: SimulatedPod) -> float:
        return float(self._allocation(pod.target, pod.size.cpu_millicores).capacity_rps)


def _live(world: World, target: Target) -> list[SimulatedPod]:
    return [pod for pod in world.pods if pod.target == target and not pod.leaving]


def _due_times(plans: list[Plan], scenario: Scenario, window_s: int, seconds: int) -> Floats:
    """When there may be something to do."""
    begins = np.arange(len(plans)) * float(window_s)
    ahead = {scenario.start_s(v.name) + scenario.weights_lag_s for v in scenario.variants} | {
        scenario.resize_delay_s,
        scenario.weights_lag_s,
        0.0,
        -scenario.weights_lag_s,
    }
    times = [begins - ahead_s for ahead_s in sorted(ahead)]
    every = np.concatenate([*times, np.arange(0.0, seconds, WEIGHTS_S)])
    return np.unique(np.round(every[every > 0], 6))
