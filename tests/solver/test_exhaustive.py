"""
Both ways of solving against exhaustive search, on small random instances of every kind.

The reference below is written from docs/design.md alone and shares no code with the solver.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from infadapter_solver import (
    Allocation,
    Objective,
    Plan,
    PodGroup,
    PodSize,
    Problem,
    Target,
    Variant,
    is_unbeaten,
    score,
    solve,
)
from infadapter_solver.exact.tables import forget_tables
from tests.deep import DEEP

GPU = "nvidia.com/gpu"
MIG = "nvidia.com/mig-1g.5gb"
BLOCK = 110
BLOCKS = 10 if DEEP else 2


@dataclass(frozen=True)
class Reference:
    """What the best plan is worth, and which preferences it shows among its ties."""

    feasible: bool
    served_rps: float
    score: float
    running: bool
    cost: float
    models: int
    starts: int


@pytest.mark.parametrize("block", range(BLOCKS))
def test_both_methods_find_what_exhaustive_search_finds(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        problem = random_problem(seed)
        expected = exhaustive(problem)
        exact = solve(problem, method="exact")
        assert_same(problem, exact, expected, seed)
        assert exact.cost == pytest.approx(expected.cost, abs=1e-9), seed
        assert (models(exact.groups), started(problem, exact.groups)) == (
            expected.models,
            expected.starts,
        ), seed
        assert_same(problem, solve(problem, method="milp"), expected, seed)


def test_the_instances_are_of_every_kind() -> None:
    pairs = [(problem, solve(problem)) for problem in map(random_problem, range(BLOCK))]
    assert sum(not plan.feasible for _, plan in pairs) > 20
    assert sum(is_running(problem, plan) for problem, plan in pairs) > 5
    assert (
        sum(problem.objective.loading_weight * plan.loading_s > 0 for problem, plan in pairs) > 10
    )
    assert sum(any(g.target.kind == GPU for g in plan.groups) for _, plan in pairs) > 10
    assert sum(len(plan.groups) > 1 for _, plan in pairs) > 20
    changed = [
        (free, plan)
        for problem, plan in pairs
        if (free := solve(replace(problem, pod_limits={}))).groups != plan.groups
    ]
    assert sum(plan.feasible for _, plan in changed) > 5
    assert sum(free.feasible and not plan.feasible for free, plan in changed) > 3
    assert sum(any(g.target.kind == GPU for g in free.groups) for free, _ in changed) > 3
    assert sum(len(plan.groups) > 1 for _, plan in changed) > 3


def assert_same(problem: Problem, plan: Plan, expected: Reference, seed: int) -> None:
    assert plan.feasible == expected.feasible, seed
    assert is_running(problem, plan) == expected.running, seed
    assert sum(plan.served_rps.values()) == pytest.approx(expected.served_rps, rel=1e-9), seed
    value = worth(problem, plan.groups)
    assert value == pytest.approx(expected.score, abs=1e-9), seed
    if plan.feasible:
        assert plan.objective == pytest.approx(value, abs=1e-9), seed
    else:
        assert plan.objective is None


# --- the reference


def exhaustive(problem: Problem) -> Reference:
    candidates = [groups for groups in every_plan(problem) if within_limits(problem, groups)]
    wanted = (demand(problem), problem.capacity_floor_rps, problem.min_replicas)
    kept = [groups for groups in candidates if meets(groups, *wanted)]
    feasible = bool(kept)
    if not kept:
        most = max(min(demand(problem), capacity(groups)) for groups in candidates)
        floor, replicas = problem.capacity_floor_rps, problem.min_replicas
        for limits in ((floor, replicas), (floor, 0), (0.0, replicas), (0.0, 0)):
            kept = [groups for groups in candidates if meets(groups, most, *limits)]
            if kept:
                break
    scored = [(worth(problem, groups), groups) for groups in kept]
    top = max(value for value, _ in scored)
    ties = [groups for value, groups in scored if value >= top - 1e-6]
    best = min(
        ties,
        key=lambda g: (
            shape(g) != shape(problem.running),
            round(cost(problem, g), 9),
            models(g),
            started(problem, g),
        ),
    )
    return Reference(
        feasible=feasible,
        served_rps=min(demand(problem), capacity(best)),
        score=worth(problem, best),
        running=shape(best) == shape(problem.running),
        cost=cost(problem, best),
        models=models(best),
        starts=started(problem, best),
    )


def models(groups: tuple[PodGroup, ...]) -> int:
    return len({group.target for group in groups if group.pods})


def every_plan(problem: Problem) -> Iterator[tuple[PodGroup, ...]]:
    per_target: dict[Target, list[PodGroup | None]] = {}
    for variant in problem.variants:
        for allocation in variant.allocations:
            if allocation.capacity_rps > 0 and set(allocation.resources) <= set(problem.budget):
                target = Target(variant.name, allocation.kind)
                groups = per_target.setdefault(target, [None])
                for pods in range(1, (problem.max_pods_per_target or 99) + 1):
                    group = PodGroup(target=target, allocation=allocation, pods=pods)
                    if any(n > problem.budget[r] for r, n in group.resources.items()):
                        break
                    groups.append(group)
    for choice in itertools.product(*per_target.values()):
        yield tuple(group for group in choice if group is not None)


def within_limits(problem: Problem, groups: tuple[PodGroup, ...]) -> bool:
    used = {
        r: sum(g.pods * g.allocation.resources.get(r, 0) for g in groups) for r in problem.budget
    }
    return (
        len(groups) <= problem.max_targets
        and all(used[r] <= problem.budget[r] for r in problem.budget)
        and all(group.pods <= problem.pod_limits.get(group.target, 99) for group in groups)
    )


def meets(groups: tuple[PodGroup, ...], rps: float, floor_rps: float, replicas: int) -> bool:
    enough = capacity(groups) * (1 + 1e-9)
    return enough >= rps and enough >= floor_rps and sum(g.pods for g in groups) >= replicas


def demand(problem: Problem) -> float:
    return max(problem.demand_rps, 0.1)


def capacity(groups: tuple[PodGroup, ...]) -> float:
    return sum(group.pods * group.allocation.capacity_rps for group in groups)


def cost(problem: Problem, groups: tuple[PodGroup, ...]) -> float:
    return sum(money(problem, group.resources) for group in groups)


def money(problem: Problem, resources: Mapping[str, int]) -> float:
    return sum(
        problem.objective.prices.get(r, 1.0) * (n / 1000 if r == "cpu" else n)
        for r, n in resources.items()
    )


def worth(problem: Problem, groups: tuple[PodGroup, ...]) -> float:
    """The objective on what is served."""
    by_name = {variant.name: variant for variant in problem.variants}
    left, gained = demand(problem), 0.0
    for group in sorted(groups, key=lambda g: -by_name[g.target.variant].accuracy):
        taken = min(left, group.pods * group.allocation.capacity_rps)
        gained += taken * by_name[group.target.variant].accuracy
        left -= taken
    served = demand(problem) - left
    loading = max(
        (by_name[g.target.variant].load_time_s for g in groups if new(problem, g)), default=0
    )
    longest = max(variant.load_time_s for variant in problem.variants)
    return (
        problem.objective.accuracy_weight * (gained / served if served else 0.0)
        - problem.objective.cost_weight * cost(problem, groups) / money(problem, problem.budget)
        - (problem.objective.loading_weight * loading / longest if longest else 0.0)
    )


def new(problem: Problem, group: PodGroup) -> int:
    def same(has: Allocation, wants: Allocation) -> bool:
        if problem.resize_loads:
            return (has.resources, has.batch_size) == (wants.resources, wants.batch_size)
        fixed = [{**a.resources, "cpu": 0} for a in (has, wants)]
        return fixed[0] == fixed[1] and has.batch_size == wants.batch_size

    running = sum(
        old.pods
        for old in problem.running
        if old.target == group.target and same(old.allocation, group.allocation)
    )
    return max(0, group.pods - running)


def started(problem: Problem, groups: tuple[PodGroup, ...]) -> int:
    return sum(new(problem, group) for group in groups)


def shape(groups: tuple[PodGroup, ...]) -> list[tuple[object, ...]]:
    return sorted((g.target, g.allocation.size, g.pods) for g in groups)


def is_running(problem: Problem, plan: Plan) -> bool:
    return shape(plan.groups) == shape(problem.running)


# --- the instances


def test_what_is_unbeaten_no_plan_is_worth() -> None:
    told = able = 0
    for seed in range(2 * BLOCK):
        problem = random_problem(seed)
        best = solve(problem, method="exact")
        worth = score(problem, best)
        unbeaten = is_unbeaten(problem, worth + 1e-4)
        told, able = told + unbeaten, able + best.feasible
        assert best.feasible or not unbeaten, seed
        assert not is_unbeaten(problem, worth - 1e-4), seed
    assert told > 0.8 * able > 0  # where no two targets serve all, nothing is said


def test_tables_are_the_same_whatever_was_asked_before() -> None:
    problems = [random_problem(seed) for seed in range(BLOCK)]
    problems += [replace(p, variants=p.variants[:1], running=()) for p in problems]
    warm = [solve(problem, method="exact") for problem in problems]
    for problem, plan in zip(problems, warm, strict=True):
        forget_tables()
        assert solve(problem, method="exact") == plan


def random_problem(seed: int) -> Problem:
    draw = random.Random(seed)
    kinds = draw.choice([["cpu"], ["cpu"], ["cpu", GPU], ["cpu", GPU, MIG]])
    variants = tuple(random_variant(draw, i, kinds) for i in range(draw.randint(1, 3)))
    budget = {"cpu": draw.choice([2000, 4000, 5500, 8000])}
    budget |= {kind: draw.randint(1, 2) for kind in kinds if kind != "cpu"}
    problem = Problem(
        variants=variants,
        demand_rps=draw.choice([0.0, draw.uniform(0, 60), float(draw.randint(1, 80))]),
        objective=Objective(
            budget=budget,
            prices={"cpu": draw.choice([1.0, 0.7]), GPU: draw.choice([0.0, 4.0, 12.5]), MIG: 2.0},
            accuracy_weight=draw.choice([1.0, 1.0, 2.5]),
            cost_weight=draw.choice([0.0, 0.0001, 0.05, 0.2, 1.0]),
            loading_weight=draw.choice([0.0, 0.0, 0.001, 0.1]),
        ),
        min_replicas=draw.choice([1, 1, 1, 2, 3]),
        max_pods_per_target=draw.choice([None, None, 1, 2]),
        max_targets=draw.choice([16, 16, 1, 2]),
        resize_loads=draw.random() < 0.3,
    )
    if draw.random() < 0.5:
        problem = replace(problem, running=random_running(draw, problem))
    if draw.random() < 0.2:
        problem = replace(problem, capacity_floor_rps=draw.uniform(0, 80))
    if draw.random() < 0.4:
        problem = replace(problem, pod_limits=random_limits(draw, problem))
    return problem


def random_variant(draw: random.Random, index: int, kinds: list[str]) -> Variant:
    allocations = []
    speed = draw.uniform(2, 8) if draw.random() < 0.5 else float(draw.randint(1, 8))
    for cores in draw.sample([500, 1000, 1500, 2000, 3000, 4000], draw.randint(1, 3)):
        rps = draw.choice(
            [0.0, speed * cores / 1000 * draw.uniform(0.7, 1.1), speed * cores / 1000]
        )
        allocations.append(Allocation(size=PodSize(resources={"cpu": cores}), capacity_rps=rps))
    for kind in kinds[1:]:
        if draw.random() < 0.7:
            size = {"cpu": draw.choice([500, 1000]), kind: draw.choice([1, 1, 2])}
            batch = draw.choice([1, 4])
            allocations.append(
                Allocation(
                    size=PodSize(resources=size, batch_size=batch),
                    capacity_rps=speed * draw.randint(2, 9),
                )
            )
    return Variant(
        name=f"v{index}",
        accuracy=draw.choice([0.7, 0.75, round(draw.uniform(0.5, 0.95), 4)]),
        load_time_s=draw.choice([0.0, 3.0, 6.5, draw.uniform(1, 20)]),
        allocations=tuple(allocations),
    )


def random_limits(draw: random.Random, problem: Problem) -> dict[Target, int]:
    """Of some targets; what runs is at times what may stay."""
    running = {group.target: group.pods for group in problem.running}
    targets = {Target(v.name, a.kind): None for v in problem.variants for a in v.allocations}
    return {
        target: draw.choice([0, 0, 1, 1, 2, 3, running.get(target, 0)])
        for target in [*targets, Target("gone")]
        if draw.random() < 0.7
    }


def random_running(draw: random.Random, problem: Problem) -> tuple[PodGroup, ...]:
    if draw.random() < 0.4:  # what was best for a demand close by
        return solve(replace(problem, demand_rps=problem.demand_rps * 0.9)).groups
    return tuple(
        PodGroup(
            target=Target(variant.name, allocation.kind),
            allocation=allocation,
            pods=draw.randint(1, 2),
        )
        for variant in problem.variants
        for allocation in draw.sample(variant.allocations, 1)
        if draw.random() < 0.6
    )
