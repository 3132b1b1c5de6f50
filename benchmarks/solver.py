"""How long a decision takes: python -m benchmarks.solver (under a minute).

The paper's instance (five ResNets, 20 cores) by both methods, beside plain exhaustive search; then
how both grow, and with operating points. Times are of one solve, after a warm-up. "New tables" is a
solve whose profiles, budget or running pods were not seen before: in the loop, the first after a
change.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import click
import numpy as np

from benchmarks.columns import show_row
from benchmarks.machine import machine
from infadapter.profiles import read_preset
from infadapter_profiles.frontier import Served, allocation_of
from infadapter_solver import (
    Allocation,
    Method,
    Objective,
    Plan,
    PodSize,
    Problem,
    Variant,
    solve,
    to_variant,
)
from infadapter_solver.exact.tables import forget_tables

COST_WEIGHTS = (0.2, 0.05, 0.0125)
GROWTH = (  # variants, sizes of each, pods of each size at most
    (5, 20, 1),
    (10, 20, 1),
    (10, 50, 1),
    (20, 50, 1),
    (20, 100, 1),
    (5, 20, None),
    (10, 20, None),
)
WITH_POINTS = (  # variants, sizes, points of each size, pods of each size at most
    (5, 20, 3, 1),
    (5, 20, 8, 1),
    (5, 20, 8, None),
    (10, 20, 8, 1),
    (5, 40, 8, None),
)
LOADS = (0.15, 0.35, 0.55, 0.75)  # of what the budget serves with the fastest variant

row = partial(show_row, first_width=32, width=13)


class Times(NamedTuple):
    """Of one solve each. CPU time tells the solve from its neighbours on a shared machine."""

    wall_ms: list[float]
    cpu_ms: list[float]


def main() -> None:
    click.echo(f"{machine('numpy')}\n")
    click.echo("the paper's instance: 5 variants, 2 to 20 cores each, a budget of 20 cores")
    row("", "solves", "p50 ms", "p99 ms", "max ms", "p99 CPU ms")
    for name, times in paper_instance():
        row(name, *percentiles(times))
    click.echo("\ngrowth: one demand after another, on tables that are known; a time limit of 2 s")
    row("variants × sizes", "cores", "exact p50 ms", "max ms", "milp p50 ms", "max ms", "gap")
    for variants, sizes, pods in GROWTH:
        row(*growth(variants, sizes, pods))
    click.echo("\nwith operating points: CPU time, and how far apart the objectives are at most")
    row(
        "variants × sizes × points",
        "solves",
        "exact p50 ms",
        "max ms",
        "milp p50 ms",
        "max ms",
        "apart",
    )
    for variants, sizes, points, pods in WITH_POINTS:
        row(*with_points(variants, sizes, points, pods))


def paper_instance() -> Iterator[tuple[str, Times]]:
    problems = list(paper_problems(range(1, 387)))
    loading = [
        replace(problem, objective=replace(problem.objective, loading_weight=0.001))
        for problem in problems
    ]
    exact, milp = partial(solve, method="exact"), partial(solve, method="milp")
    some = problems[::10]
    yield "exact", timed(exact, problems)
    yield "exact, loading counts", timed(exact, loading)
    yield "exact, new tables", timed(exact, some, before=forget_tables)
    yield "programme (PuLP, HiGHS)", timed(milp, some)
    yield "exhaustive search", timed(exhaustive, problems[100:1100:200])


def paper_problems(demands: Iterable[int]) -> Iterator[Problem]:
    variants = tuple(to_variant(profile, 0.75, 99) for profile in read_preset("paper"))
    for cost_weight in COST_WEIGHTS:
        for demand_rps in demands:
            yield Problem(
                variants=variants,
                demand_rps=demand_rps,
                max_pods_per_target=1,
                resize_loads=True,
                objective=Objective(budget={"cpu": 20_000}, cost_weight=cost_weight),
            )


def exhaustive(problem: Problem) -> float:
    """What the paper's first solver did: every way to give the variants cores."""
    variants = sorted(problem.variants, key=lambda variant: -variant.accuracy)
    sizes = [
        [(0, 0.0)] + [(a.cpu_millicores, a.capacity_rps) for a in v.allocations] for v in variants
    ]
    budget = problem.budget["cpu"]

    def most(depth: int, left: int, missing_rps: float, gained: float) -> float:
        if depth == len(variants):
            cost = problem.objective.cost_weight * (budget - left) / budget
            return gained / problem.demand_rps - cost if missing_rps <= 0 else -1.0
        return max(
            most(
                depth + 1,
                left - millicores,
                missing_rps - min(rps, missing_rps),
                gained + variants[depth].accuracy * min(rps, missing_rps),
            )
            for millicores, rps in sizes[depth]
            if millicores <= left
        )

    return most(0, budget, problem.demand_rps, 0.0)


def growth(variants: int, sizes: int, pods: int | None) -> tuple[str, ...]:
    problem = made_up(variants, sizes, pods)
    problems = [replace(problem, demand_rps=load * 20 * sizes) for load in LOADS]
    exact = timed(partial(solve, method="exact"), problems * 5)
    plans = []
    milp = timed(lambda p: plans.append(solve(p, method="milp")), problems, warm_up=0)
    several = "" if pods else ", any number of pods"
    return (
        f"{variants} × {sizes}{several}",
        str(sizes),
        f"{np.median(exact.wall_ms):.1f}",
        f"{max(exact.wall_ms):.1f}",
        f"{np.median(milp.wall_ms):.0f}",
        f"{max(milp.wall_ms):.0f}",
        f"{max(plan.gap for plan in plans):.2g}",
    )


def with_points(variants: int, sizes: int, points: int, pods: int | None) -> tuple[str, ...]:
    problem = made_up(variants, sizes, pods)
    draw = random.Random(0)
    problem = replace(
        problem, variants=tuple(pointed(variant, points, draw) for variant in problem.variants)
    )
    problems = [replace(problem, demand_rps=load * 20 * sizes) for load in LOADS] * 3
    plans: dict[Method, list[Plan]] = {"exact": [], "milp": []}
    exact = timed(lambda p: plans["exact"].append(solve(p, method="exact")), problems, warm_up=0)
    milp = timed(lambda p: plans["milp"].append(solve(p, method="milp")), problems, warm_up=0)
    apart = [
        abs((one.objective or 0.0) - (other.objective or 0.0))
        for one, other in zip(plans["exact"], plans["milp"], strict=True)
    ]
    return (
        f"{variants} × {sizes} × {points}{'' if pods else ', any pods'}",
        str(len(problems)),
        f"{np.median(exact.cpu_ms):.1f}",
        f"{max(exact.cpu_ms):.1f}",
        f"{np.median(milp.cpu_ms):.0f}",
        f"{max(milp.cpu_ms):.0f}",
        f"{max(apart):.2g}",
    )


def pointed(variant: Variant, points: int, draw: random.Random) -> Variant:
    """Each point loses more than the one before, and is half the best one's rate faster."""
    accuracies = [variant.accuracy - 0.02 * k - 0.003 * k * k for k in range(points)]

    def sized(allocation: Allocation) -> Allocation:
        served = (
            Served(f"p{k}", accuracy, rps)
            for k, accuracy in enumerate(accuracies)
            for rps in [allocation.capacity_rps * (1 + k / 2) * draw.uniform(0.95, 1.05)]
        )
        return allocation_of(allocation.size, served)

    return replace(variant, allocations=tuple(map(sized, variant.allocations)))


def made_up(variants: int, sizes: int, pods: int | None) -> Problem:
    """From fast and rough to slow and accurate, like the paper's, on 1 … `sizes` cores."""
    draw = random.Random(0)
    made = []
    for i in range(variants):
        at = i / (variants - 1)
        rps_per_core = 25 * 0.04**at * draw.uniform(0.9, 1.1)
        idle = draw.uniform(0, 6)
        made.append(
            Variant(
                name=f"v{i}",
                accuracy=0.6 + 0.35 * at + draw.uniform(0, 0.01),
                load_time_s=5.0 + i,
                allocations=tuple(
                    Allocation(
                        size=PodSize(resources={"cpu": 1000 * n}),
                        capacity_rps=max(0.0, 0.8 * (rps_per_core * n - idle)),
                    )
                    for n in range(1, sizes + 1)
                ),
            )
        )
    return Problem(
        variants=tuple(made),
        demand_rps=1.0,
        max_pods_per_target=pods,
        objective=Objective(budget={"cpu": 1000 * sizes}),
    )


def timed(
    solved: Callable[[Problem], object],
    problems: list[Problem],
    *,
    warm_up: int = 20,
    before: Callable[[], None] = lambda: None,
) -> Times:
    times = Times([], [])
    for problem in problems[:warm_up]:
        solved(problem)
    for problem in problems:
        before()
        start, cpu_start = time.perf_counter(), time.process_time()
        solved(problem)
        times.cpu_ms.append(1000 * (time.process_time() - cpu_start))
        times.wall_ms.append(1000 * (time.perf_counter() - start))
    return times


def percentiles(times: Times) -> tuple[str, ...]:
    wall_ms = np.percentile(times.wall_ms, [50, 99, 100])
    cells = [*wall_ms, np.percentile(times.cpu_ms, 99)]
    return (str(len(times.wall_ms)), *(f"{cell:.2f}" for cell in cells))


if __name__ == "__main__":
    main()
