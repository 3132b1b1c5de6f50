"""The levels of resources that a variant may hold, with the rate and cost of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

import numpy as np

from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.queues import Floats
from infadapter_solver import CPU, Allocation, Resources, Target


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """
    The levels of one target: level 0 is nothing, level 1 the smallest pod. Rates are upper bounds.
    Its points are those of any of its sizes; a variant without points has one.
    """

    kind: str
    accuracy: Floats  # by point
    rps: Floats  # by point and level, using that point only
    price: Floats
    amounts: Mapping[str, Floats]  # by resource
    grow_s: float  # time held before serving, minus the time it may serve after being released
    start_s: float


def layers_of(scenario: Scenario) -> list[Layer]:
    found: dict[Target, list[Allocation]] = {}
    for variant in scenario.variants:
        for allocation in variant.allocations:
            found.setdefault(Target(variant.name, allocation.kind), []).append(allocation)
    return [_layer(scenario, target, sizes) for target, sizes in found.items()]


def _layer(scenario: Scenario, target: Target, sizes: list[Allocation]) -> Layer:
    speeds = {a.size: scenario.speed(target.variant, a.size) for a in sizes}
    longest_s = max(speed.longest_s for speed in speeds.values())
    amounts = _by_cores(scenario, sizes) if target.kind == CPU else _by_pods(scenario, sizes)
    best = scenario.variant(target.variant).accuracy
    points = sorted({p.accuracy for speed in speeds.values() for p in speed.points}) or [best]
    rps = [
        _by_level([(a, _rate_rps(speeds[a.size], point)) for a in sizes], amounts, target.kind)
        for point in points
    ]
    levels = [{name: int(n[at]) for name, n in amounts.items()} for at in range(len(rps[0]))]
    return Layer(
        kind=target.kind,
        accuracy=np.array(points),
        rps=np.array(rps, dtype=np.float64),
        price=np.array([scenario.objective.price_of(level) for level in levels], dtype=np.float64),
        amounts=amounts,
        grow_s=max(0.0, scenario.resize_delay_s - longest_s) if target.kind == CPU else 0.0,
        start_s=max(0.0, scenario.start_s(target.variant) - longest_s),
    )


def _rate_rps(speed: PodSpeed, accuracy: float) -> float:
    """Return the rate of a pod at this accuracy; 0 if it has no such point."""
    if not speed.points:
        return speed.most_rps
    own = (speed.servers / p.service_s for p in speed.points if p.accuracy == accuracy)
    return max(own, default=0.0)


def _by_level(
    rates: list[tuple[Allocation, float]], amounts: Mapping[str, Floats], kind: str
) -> list[float]:
    if kind != CPU:
        most = max(rps for _, rps in rates)
        return [most * pods for pods in range(len(amounts[CPU]))]
    each = sorted((a.cpu_millicores, rps / a.cpu_millicores) for a, rps in rates)
    return [n * max((rate for size, rate in each if size <= n), default=0.0) for n in amounts[CPU]]


def _by_cores(scenario: Scenario, sizes: list[Allocation]) -> dict[str, Floats]:
    """Return levels from the smallest size on, in steps that contain all sizes and their sums."""
    least, step = min(a.cpu_millicores for a in sizes), gcd(*(a.cpu_millicores for a in sizes))
    every = [0, *range(least, scenario.budget.get(CPU, 0) + 1, step)]
    millicores = np.array(every, dtype=np.float64)
    return {name: millicores if name == CPU else 0 * millicores for name in scenario.budget}


def _by_pods(scenario: Scenario, sizes: list[Allocation]) -> dict[str, Floats]:
    """Return levels of pods, each as cheap as the smallest size and as fast as the fastest."""
    least: Resources = {
        name: min(a.resources.get(name, 0) for a in sizes) for name in scenario.budget
    }
    room = min(scenario.budget[name] // n for name, n in least.items() if n)
    pods = np.arange(room + 1, dtype=np.float64)
    return {CPU: 0 * pods} | {name: n * pods for name, n in least.items()}
