"""The variables of the programme: the pods of each size, and the rate served by each segment."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pulp

from infadapter_profiles.sizes import Segment
from infadapter_solver.candidates import Requirement, candidates, most_pods
from infadapter_solver.problem import Allocation, Problem, Target

Expression = Any  # PuLP is untyped


@dataclass(frozen=True, slots=True)
class Size:
    """One allocation of a target with its variables."""

    index: str  # ta
    target: Target
    allocation: Allocation
    most_pods: int
    pods: Expression  # n
    chosen: Expression  # z


@dataclass(frozen=True, slots=True)
class Serving:
    """The rate that some pods serve at one accuracy, and its variable."""

    index: str  # t, or tas
    target: Target
    accuracy: float
    served: Expression  # q
    at_most: Expression  # sum capacity_a * n_ta, or width_as * n_ta


@dataclass(frozen=True, slots=True)
class Programme:
    problem: Problem
    wanted: Requirement
    model: Any
    sizes: tuple[Size, ...]
    serving: tuple[Serving, ...]
    loading_s: Expression  # L

    @property
    def unit_rps(self) -> float:
        return unit(self.wanted.served_rps)


def variables_of(problem: Problem, wanted: Requirement) -> Programme:
    model = pulp.LpProblem("infadapter", pulp.LpMaximize)
    found = candidates(problem)
    sizes = [
        _size(model, f"{t}_{a}", target, allocation, most_pods(problem, wanted, target, allocation))
        for t, (target, allocations) in enumerate(found.items())
        for a, allocation in enumerate(allocations)
    ]
    serving = [
        each
        for t, target in enumerate(found)
        for each in _serving(
            problem, wanted, model, str(t), [size for size in sizes if size.target == target]
        )
    ]
    loading_s = model.add_variable("L", 0)
    return Programme(problem, wanted, model, tuple(sizes), tuple(serving), loading_s)


def _size(model: Any, index: str, target: Target, allocation: Allocation, most: int) -> Size:
    pods = model.add_variable(f"n_{index}", 0, most, pulp.LpInteger)
    # With at most one pod n is binary itself, and z would only double the paper's instance.
    chosen = pods if most <= 1 else model.add_variable(f"z_{index}", cat=pulp.LpBinary)
    return Size(index, target, allocation, most, pods, chosen)


def _serving(
    problem: Problem, wanted: Requirement, model: Any, index: str, own: list[Size]
) -> Iterator[Serving]:
    """
    Yield the rates that a target's pods serve: one per segment and size, or a single one if they
    have one accuracy.
    """
    variant = next(v for v in problem.variants if v.name == own[0].target.variant)
    segments = [(size, variant.segments(size.allocation)) for size in own]
    accuracies = {segment.accuracy for _, each in segments for segment in each}
    target, unit_rps = own[0].target, unit(wanted.served_rps)
    if len(accuracies) == 1:
        served = model.add_variable(f"q_{index}", 0)
        yield Serving(index, target, accuracies.pop(), served, capacity(wanted, own))
        return
    for size, each in segments:
        for s, (rps, accuracy) in enumerate(_wanted(each, wanted.capacity_rps)):
            served = model.add_variable(f"q_{size.index}_{s}", 0)
            at_most = rps / unit_rps * size.pods
            yield Serving(f"{size.index}_{s}", target, accuracy, served, at_most)


def _wanted(segments: Iterable[Segment], most_rps: float) -> Iterator[Segment]:
    """Yield segments cut off at the total demand."""
    for rps, accuracy in segments:
        if most_rps > 0:
            yield Segment(min(rps, most_rps), accuracy)
        most_rps -= rps


def capacity(wanted: Requirement, sizes: Iterable[Size]) -> Expression:
    """
    Return the capacity of these sizes, each pod counted at most with the total demand.

    The rest serves nobody; and if a demand were a ten-millionth of a pod's capacity, HiGHS's
    tolerance would allow a plan without pods.
    """
    unit_rps = unit(wanted.served_rps)
    return pulp.lpSum(
        min(size.allocation.capacity_rps, wanted.capacity_rps) / unit_rps * size.pods
        for size in sizes
    )


def unit(amount: float) -> float:
    """Return the power of two that goes into the amount eight to sixteen times."""
    return 2.0 ** (math.floor(math.log2(amount)) - 3) if amount > 0 else 1.0
