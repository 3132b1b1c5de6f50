"""
The mixed-integer programme of one service (InfAdapter, EuroMLSys'23, §3, with kinds and pods).

    targets t = (variant, kind), sizes a of t; every sum runs over all of them

    maximise    alpha * sum accuracy_t * q_t / demand  -  beta * sum cost_a * n_ta
                -  gamma * L / longest load                cost_a: share of what the budget costs
    subject to  demand        sum q_t  = demand                 within 1e-9 of it
                serve_t       q_t     <= sum_a capacity_a * n_ta    capacity_a: at most all wanted
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
class Programme:
    problem: Problem
    wanted: Requirement
    model: Any
    sizes: tuple[Size, ...]
    served: dict[Target, Expression]  # q
    loading_s: Expression  # L

    @property
    def unit_rps(self) -> float:
        return unit(self.wanted.served_rps)

    def of(self, target: Target) -> Iterator[Size]:
        return (size for size in self.sizes if size.target == target)


def best_programme(problem: Problem, wanted: Requirement) -> Programme:
    """Serve what is wanted, and do it as well as can be."""
    programme = _variables(problem, wanted)
    model, most = programme.model, wanted.served_rps / programme.unit_rps
    served = pulp.lpSum(programme.served.values())
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
    served = pulp.lpSum(programme.served.values())
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
    served = {target: model.add_variable(f"q_{t}", 0) for t, target in enumerate(found)}
    return Programme(problem, wanted, model, tuple(sizes), served, model.add_variable("L", 0))


def _size(model: Any, index: str, target: Target, allocation: Allocation, most: int) -> Size:
    pods = model.add_variable(f"n_{index}", 0, most, pulp.LpInteger)
    # At most one pod: n is 0 or 1 itself, and z would only double the size of the paper's case.
    chosen = pods if most <= 1 else model.add_variable(f"z_{index}", cat=pulp.LpBinary)
    return Size(index, target, allocation, most, pods, chosen)


def _objective(programme: Programme) -> Expression:
    problem = programme.problem
    accuracy = {variant.name: variant.accuracy for variant in problem.variants}
    gained = pulp.lpSum(accuracy[t.variant] * q for t, q in programme.served.items())
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
        - FEWER_MODELS_HINT / len(programme.served) * models
        - problem.objective.loading_weight / (longest_load_s(problem) or 1.0) * programme.loading_s
    )


def _constraints(programme: Programme) -> None:
    problem, model, sizes = programme.problem, programme.model, programme.sizes
    unit_rps = programme.unit_rps
    for t, (target, q) in enumerate(programme.served.items()):
        own = list(programme.of(target))
        model += q <= _capacity(programme, own), f"serve_{t}"
        model += pulp.lpSum(size.chosen for size in own) <= 1, f"one_size_{t}"
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
    model += _capacity(programme, sizes) >= floor, "floor"
    model += pulp.lpSum(size.chosen for size in sizes) <= problem.max_targets, "targets"
    if problem.objective.loading_weight:
        _loading(programme)


def _capacity(programme: Programme, sizes: Iterable[Size]) -> Expression:
    """
    Of a pod no more than is wanted of all: the rest serves nobody, and beside a demand of a
    ten-millionth of it a tolerance of HiGHS would be a plan without a pod.
    """
    most_rps = programme.wanted.capacity_rps
    return pulp.lpSum(
        min(size.allocation.capacity_rps, most_rps) / programme.unit_rps * size.pods
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
