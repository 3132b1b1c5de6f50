"""
The mixed-integer programme of one service (InfAdapter, EuroMLSys'23, §3, with kinds and pods).

    targets t = (variant, kind), sizes a of t, segments s of a; every sum runs over all of them

    maximise    alpha * sum accuracy_tas * q_tas / demand  -  beta * sum cost_a * n_ta
                -  gamma * L / longest load                cost_a: share of what the budget costs
    subject to  demand        sum q_tas = demand                within 1e-9 of it
                serve_tas     q_tas   <= width_as * n_ta        width_as: at most all wanted
                one_size_t    sum_a z_ta <= 1
                only_if_ta    n_ta    <= N_ta * z_ta
                some_if_ta    n_ta    >= z_ta
                budget_r      sum use_ar * n_ta <= budget_r         for every resource r
                replicas      sum n_ta >= min_replicas
                floor         sum capacity_a * n_ta >= capacity_floor
                targets       sum z_ta <= max_targets
                start_ta      n_ta    <= at_hand_ta + N_ta * y_ta   y_ta = 1 if pods must start
                load_ta       L       >= load_t * y_ta
                z, y in {0, 1},  n whole,  q >= 0,  L >= 0

A pod's segments are those of `Variant.segments`: what it serves with its operating points, by the
accuracy that each request adds, which falls; so they fill in order by themselves. A request beyond
those of a faster point may add less than nothing, and is served where the demand needs it. Where
no size of a target has points, its sizes have one segment of the same accuracy, and are one:

                serve_t       q_t     <= sum_a capacity_a * n_ta

Where the demand cannot be served, the most that can be is found first (maximise sum q, with
sum q <= demand), and the objective is then maximised with that in place of the demand.

HiGHS's tolerances are absolute, so rates and resources are handed over in units in which the
demand and every budget are between 8 and 16 (with more, and with less, HiGHS took longer). The
units are powers of two: that rounds nothing. An equality would be a tolerance away from
infeasible, so the demand has a width.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pulp

from infadapter_profiles.sizes import Segment
from infadapter_solver.candidates import (
    Requirement,
    candidates,
    longest_load_s,
    most_pods,
    pods_at_hand,
    requirement,
    unit_cost_ratio,
)
from infadapter_solver.objective import ROUNDING, TIE
from infadapter_solver.problem import Allocation, Problem, Target

SCALE = 1000.0
"""The objective is handed over in thousandths, so that the precision is far below a tie."""

CHEAPER_HINT = TIE / 2
"""Added to the cost weight, so that the cheaper of equal plans is found: within a tie, always."""

FEWER_MODELS_HINT = TIE / 4
"""Taken off for all targets together: of equal plans the one of fewer models is found."""

Expression = Any  # PuLP is untyped


@dataclass(frozen=True, slots=True)
class Size:
    """One allocation of a target, and its variables."""

    index: str  # ta
    target: Target
    allocation: Allocation
    most_pods: int
    pods: Expression  # n
    chosen: Expression  # z


@dataclass(frozen=True, slots=True)
class Serving:
    """What some pods serve at one accuracy, and its variable."""

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


def best_programme(problem: Problem, wanted: Requirement) -> Programme:
    """Serve what is wanted, and do it as well as can be."""
    programme = _variables(problem, wanted)
    model, most = programme.model, wanted.served_rps / programme.unit_rps
    served = pulp.lpSum(serving.served for serving in programme.serving)
    model += SCALE * _objective(programme), "objective"
    model += served <= most, "demand"
    model += served >= most * (1 - ROUNDING), "demand_served"
    _constraints(programme)
    return programme


def most_programme(problem: Problem) -> Programme:
    """Serve as much of the demand as can be."""
    most_rps = sum(
        max(most_pods(problem, requirement(problem), target, a) * a.capacity_rps for a in own)
        for target, own in candidates(problem).items()
    )
    programme = _variables(
        problem, Requirement(min(requirement(problem).served_rps, most_rps), 0.0, 0)
    )
    model, most = programme.model, programme.wanted.served_rps / programme.unit_rps
    served = pulp.lpSum(serving.served for serving in programme.serving)
    model += served, "objective"
    model += served <= most, "demand"
    _constraints(programme)
    return programme


def _variables(problem: Problem, wanted: Requirement) -> Programme:
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
    # At most one pod: n is 0 or 1 itself, and z would only double the size of the paper's case.
    chosen = pods if most <= 1 else model.add_variable(f"z_{index}", cat=pulp.LpBinary)
    return Size(index, target, allocation, most, pods, chosen)


def _serving(
    problem: Problem, wanted: Requirement, model: Any, index: str, own: list[Size]
) -> Iterator[Serving]:
    """What a target's pods serve: each segment of each size, or all at its only accuracy."""
    variant = next(v for v in problem.variants if v.name == own[0].target.variant)
    segments = [(size, variant.segments(size.allocation)) for size in own]
    accuracies = {segment.accuracy for _, each in segments for segment in each}
    target, unit_rps = own[0].target, unit(wanted.served_rps)
    if len(accuracies) == 1:
        served = model.add_variable(f"q_{index}", 0)
        yield Serving(index, target, accuracies.pop(), served, _capacity(wanted, own))
        return
    for size, each in segments:
        for s, (rps, accuracy) in enumerate(_wanted(each, wanted.capacity_rps)):
            served = model.add_variable(f"q_{size.index}_{s}", 0)
            at_most = rps / unit_rps * size.pods
            yield Serving(f"{size.index}_{s}", target, accuracy, served, at_most)


def _wanted(segments: Iterable[Segment], most_rps: float) -> Iterator[Segment]:
    """Of a pod no more than is wanted of all."""
    for rps, accuracy in segments:
        if most_rps > 0:
            yield Segment(min(rps, most_rps), accuracy)
        most_rps -= rps


def _objective(programme: Programme) -> Expression:
    problem = programme.problem
    gained = pulp.lpSum(serving.accuracy * serving.served for serving in programme.serving)
    cost = pulp.lpSum(
        unit_cost_ratio(problem, size.allocation) * size.pods for size in programme.sizes
    )
    models = pulp.lpSum(size.chosen for size in programme.sizes)
    return (
        problem.objective.accuracy_weight
        * programme.unit_rps
        / programme.wanted.served_rps
        * gained
        - (problem.objective.cost_weight + CHEAPER_HINT) * cost
        - FEWER_MODELS_HINT / len(candidates(problem)) * models
        - problem.objective.loading_weight / (longest_load_s(problem) or 1.0) * programme.loading_s
    )


def _constraints(programme: Programme) -> None:
    problem, model, sizes = programme.problem, programme.model, programme.sizes
    unit_rps = programme.unit_rps
    for t, target in enumerate(dict.fromkeys(size.target for size in sizes)):
        for serving in programme.serving:
            if serving.target == target:
                model += serving.served <= serving.at_most, f"serve_{serving.index}"
        own = (size.chosen for size in sizes if size.target == target)
        model += pulp.lpSum(own) <= 1, f"one_size_{t}"
    for size in sizes:
        if size.chosen is size.pods:
            continue
        model += size.pods <= size.most_pods * size.chosen, f"only_if_{size.index}"
        model += size.pods >= size.chosen, f"some_if_{size.index}"
    for resource, amount in problem.budget.items():
        each = unit(amount)
        used = pulp.lpSum(
            size.allocation.resources.get(resource, 0) / each * size.pods for size in sizes
        )
        model += used <= amount / each, f"budget_{resource}"
    model += pulp.lpSum(size.pods for size in sizes) >= programme.wanted.min_replicas, "replicas"
    floor = programme.wanted.floor_rps / unit_rps * (1 - ROUNDING)
    model += _capacity(programme.wanted, sizes) >= floor, "floor"
    model += pulp.lpSum(size.chosen for size in sizes) <= problem.max_targets, "targets"
    if problem.objective.loading_weight:
        _loading(programme)


def _capacity(wanted: Requirement, sizes: Iterable[Size]) -> Expression:
    """
    Of a pod no more than is wanted of all: the rest serves nobody, and beside a demand of a
    ten-millionth of it a tolerance of HiGHS would be a plan without a pod.
    """
    unit_rps = unit(wanted.served_rps)
    return pulp.lpSum(
        min(size.allocation.capacity_rps, wanted.capacity_rps) / unit_rps * size.pods
        for size in sizes
    )


def _loading(programme: Programme) -> None:
    load_s = {variant.name: variant.load_time_s for variant in programme.problem.variants}
    model = programme.model
    for size in programme.sizes:
        starts = model.add_variable(f"y_{size.index}", cat=pulp.LpBinary)
        at_hand = pods_at_hand(programme.problem, size.target, size.allocation)
        model += size.pods <= at_hand + size.most_pods * starts, f"start_{size.index}"
        model += programme.loading_s >= load_s[size.target.variant] * starts, f"load_{size.index}"


def unit(amount: float) -> float:
    """A power of two that goes into the amount eight to sixteen times."""
    return 2.0 ** (math.floor(math.log2(amount)) - 3) if amount > 0 else 1.0
