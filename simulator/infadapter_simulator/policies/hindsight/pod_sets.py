"""The possible pods of one variant: single pods of every size, and faster sets of pods."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from infadapter_profiles.frontier import Served, allocation_of
from infadapter_profiles.sizes import Segment
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_solver import CPU, Allocation, PodSize, Variant

FASTER = 1.01
"""Factor by which a set of pods must exceed every set that is no larger."""

Pods = tuple[Allocation, ...]
"""Allocations, the largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSet:
    variant: str
    pods: Pods
    segments: tuple[Segment, ...]  # at full speed, by falling accuracy
    price: float

    @property
    def rps(self) -> float:
        return sum(segment.rps for segment in self.segments)

    def amount(self, name: str) -> int:
        return sum(pod.resources.get(name, 0) for pod in self.pods)


def pod_sets(scenario: Scenario, variant: Variant) -> list[PodSet]:
    """Return the sets that fit into the budget, the cheapest first."""
    on_cpu = [a for a in variant.allocations if a.kind == CPU]
    others = [a for a in variant.allocations if a.kind != CPU]
    alone = [(a,) for a in variant.allocations]
    several = [*_fastest(scenario, variant, on_cpu), *_multiples(scenario, others)]
    found = [_set(scenario, variant, pods) for pods in alone]
    found = [one for one in found if _fits(scenario, one)]
    for one in (_set(scenario, variant, pods) for pods in several):
        below = [other.rps for other in found if other.price <= one.price]
        if _fits(scenario, one) and one.rps > FASTER * max(below, default=0.0):
            found.append(one)
    return sorted(found, key=lambda one: (one.price, one.rps))


def _fastest(scenario: Scenario, variant: Variant, sizes: Sequence[Allocation]) -> list[Pods]:
    """Return for every sum of sizes the fastest set of two or more pods, the smaller sums first."""
    if not sizes:
        return []
    step = gcd(*(a.cpu_millicores for a in sizes))
    best: dict[int, tuple[float, Pods]] = {0: (0.0, ())}
    for total in range(step, scenario.budget.get(CPU, 0) + 1, step):
        ways = [
            (best[left][0] + scenario.speed(variant.name, a.size).most_rps, (*best[left][1], a))
            for a in sizes
            if (left := total - a.cpu_millicores) in best
        ]
        if ways:
            best[total] = max(ways, key=lambda way: (way[0], -len(way[1])))
    sets = (pods for _, pods in best.values() if len(pods) > 1)
    return [tuple(sorted(pods, key=lambda a: -a.cpu_millicores)) for pods in sets]


def _multiples(scenario: Scenario, sizes: Sequence[Allocation]) -> list[Pods]:
    return [(a,) * pods for a in sizes for pods in range(2, _room(scenario, a) + 1)]


def _room(scenario: Scenario, allocation: Allocation) -> int:
    """Return how many such pods fit into the budget."""
    used = [(name, n) for name, n in allocation.resources.items() if n]
    return min((scenario.budget.get(name, 0) // n for name, n in used), default=0)


def _set(scenario: Scenario, variant: Variant, pods: Pods) -> PodSet:
    return PodSet(
        variant=variant.name,
        pods=pods,
        segments=full_speed(variant, [scenario.speed(variant.name, pod.size) for pod in pods]),
        price=sum(scenario.objective.price_of(pod.resources) for pod in pods),
    )


def full_speed(variant: Variant, speeds: Sequence[PodSpeed]) -> tuple[Segment, ...]:
    """
    Return the segments of pods that share their load by speed, the most accurate first; each mixes
    at most two of its operating points.
    """
    rates: dict[float, float] = {}
    for speed in speeds:
        for point in speed.points:
            rps = speed.servers / point.service_s
            rates[point.accuracy] = rates.get(point.accuracy, 0.0) + rps
    if not rates:
        return (Segment(sum(speed.most_rps for speed in speeds), variant.accuracy),)
    served = (Served(f"{accuracy}", accuracy, rps) for accuracy, rps in rates.items())
    return allocation_of(PodSize(), served).segments(variant.accuracy)


def _fits(scenario: Scenario, one: PodSet) -> bool:
    names = {name for pod in one.pods for name, n in pod.resources.items() if n}
    return all(one.amount(name) <= scenario.budget.get(name, 0) for name in names)
