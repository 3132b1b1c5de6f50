"""
The yardstick: a policy that knows every arrival in advance (docs/design.md §11).

It has the same router, queues, start and resize times and budget as all others. For each headroom,
window and statistic it plans every window for the load that it will have and starts what it needs
early enough; the best of these is the clairvoyant.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from infadapter_operator.acting.shares import whole_weights
from infadapter_simulator.fluid import problem, with_headroom
from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, simulate
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.world import SimulatedPod, World
from infadapter_solver import Allocation, Plan, PodGroup, Target, Variant, solve

HEADROOMS = (0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 1.00, 1.05)
WINDOWS_S = (10, 30, 60)
STATISTICS = ("mean", "max")
MOST_VIOLATIONS = 0.003
WEIGHTS_S = 2.0
"""How often it moves weights; our loop looks as often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """One way to use the knowledge of all arrivals."""

    headroom: float
    window_s: int
    statistic: str

    def __str__(self) -> str:
        return f"clairvoyant[{self.headroom:.2f},{self.window_s}s,{self.statistic}]"

    def demands(self, rates: Floats) -> list[float]:
        """By window, the rate to plan for."""
        windows = [rates[i : i + self.window_s] for i in range(0, len(rates), self.window_s)]
        return [float(w.max() if self.statistic == "max" else w.mean()) for w in windows]


def ways() -> Iterator[Foresight]:
    for headroom, window_s, statistic in product(HEADROOMS, WINDOWS_S, STATISTICS):
        yield Foresight(headroom=headroom, window_s=window_s, statistic=statistic)


@dataclass(slots=True)
class _Plans:
    """Plans by demand and by what ran before, which costs no start; each solved once."""

    scenario: Scenario
    variants: tuple[Variant, ...]
    known: dict[tuple[int, tuple[object, ...]], Plan] = field(default_factory=dict)

    def in_turn(self, demands_rps: Sequence[float]) -> list[Plan]:
        plans: list[Plan] = []
        for demand_rps in demands_rps:
            plans.append(self._plan(int(np.ceil(demand_rps)), plans[-1].groups if plans else ()))
        return plans

    def _plan(self, rate: int, before: tuple[PodGroup, ...]) -> Plan:
        key = rate, tuple((g.target, g.allocation.size, g.pods) for g in before)
        if key not in self.known:
            whole = problem(self.scenario, self.variants, float(rate), before)
            self.known[key] = solve(whole)
        return self.known[key]


class Clairvoyant:
    """Carries out the plans of all windows, each ready when its window begins."""

    def __init__(self, way: Foresight, scenario: Scenario, workload: Workload) -> None:
        self.name = str(way)
        self._way = way
        edges = np.arange(workload.seconds + 1)
        self._rates = np.histogram(workload.arrivals_s, bins=edges)[0].astype(np.float64)
        self._variants = with_headroom(scenario, way.headroom)
        self._plans = _Plans(scenario, self._variants).in_turn(way.demands(self._rates))
        self._accuracy = {variant.name: variant.accuracy for variant in scenario.variants}
        self._due = _due_times(self._plans, scenario, way.window_s, workload.seconds)

    def begin(self, world: World, mean_rps: float) -> None:
        for group in self._plans[0].groups:
            for _ in range(group.pods):
                world.start(
                    group.target.variant, group.allocation, kind=group.target.kind, ready=True
                )
        self._weigh(world, at_once=True)

    def next_act_s(self, now_s: float) -> float:
        at = int(np.searchsorted(self._due, now_s, side="right"))
        return float(self._due[at]) if at < len(self._due) else np.inf

    def act(self, world: World) -> None:
        for window in range(self._window(world.now_s), len(self._plans)):
            if window * self._way.window_s > world.now_s + self._longest_s(world):
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

    def _longest_s(self, world: World) -> float:
        return max(world.scenario.start_s(name) for name in self._accuracy) + 1e-6

    def _prepare(self, world: World, window: int) -> None:
        """Start and grow what the window needs and what can't wait any longer."""
        left_s = window * self._way.window_s - world.now_s
        for group in self._plans[window].groups:
            pods = _live(world, group.target)
            late = left_s <= world.scenario.start_s(group.target.variant) + 1e-6
            if late and len(pods) < group.pods:
                for _ in range(group.pods - len(pods)):
                    world.start(group.target.variant, group.allocation, kind=group.target.kind)
            if left_s > world.scenario.resize_s + 1e-6:
                continue
            for pod in pods[: group.pods]:
                if pod.wanted.cpu_millicores < group.allocation.cpu_millicores:
                    world.resize(pod, group.allocation)

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
                    world.resize(pod, self._allocation(target, size))

    def _kept(self, world: World, target: Target, first: int) -> range:
        """Windows that a pod which goes now could not be started again for in time."""
        start_s = world.scenario.start_s(target.variant)
        return range(first, self._window(world.now_s + start_s) + 1)

    def _soon(self, world: World, target: Target, first: int) -> list[tuple[int, int]]:
        last = self._window(world.now_s + world.scenario.resize_s)
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
        return float(self._allocation(pod.target, pod.allocation.cpu_millicores).capacity_rps)


def clairvoyant(scenario: Scenario, workload: Workload, seed: int) -> tuple[str, World]:
    """The best way: of those within MOST_VIOLATIONS the highest objective, else the fewest late."""
    name, world, _ = _best(_tried(scenario, workload, seed))
    return name, world


def _tried(
    scenario: Scenario, workload: Workload, seed: int
) -> Iterator[tuple[str, World, Measures]]:
    for way in ways():
        policy = Clairvoyant(way, scenario, workload)
        world = simulate(policy, scenario, workload, seed)
        yield policy.name, world, measured(world)


def _best(tried: Iterator[tuple[str, World, Measures]]) -> tuple[str, World, Measures]:
    def rank(one: tuple[str, World, Measures]) -> tuple[bool, float]:
        within = one[2].violations <= MOST_VIOLATIONS
        return within, one[2].objective if within else -one[2].violations

    return max(tried, key=rank)


def _live(world: World, target: Target) -> list[SimulatedPod]:
    return [pod for pod in world.pods if pod.target == target and not pod.leaving]


def _due_times(plans: list[Plan], scenario: Scenario, window_s: int, seconds: int) -> Floats:
    """When there may be something to do."""
    begins = np.arange(len(plans)) * float(window_s)
    ahead = {scenario.start_s(v.name) for v in scenario.variants} | {
        scenario.resize_s,
        scenario.weights_lag_s,
        0.0,
        -scenario.weights_lag_s,
    }
    times = [begins - ahead_s for ahead_s in sorted(ahead)]
    every = np.concatenate([*times, np.arange(0.0, seconds, WEIGHTS_S)])
    return np.unique(np.round(every[every > 0], 6))
