"""
Problems whose numbers differ by ten orders of magnitude: no plan is below one that is known.

Floating-point solvers promise what they promise at tolerances. Here capacities and demands go from
a hundredth of a request per second to a thousand million, sizes from 14m to 64 cores, budgets up
to a million cores. The greedy plan is what every answer is held against.
"""

import math
import random
from dataclasses import replace

import pulp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_profiles.frontier import Served, frontier
from infadapter_solver import (
    Allocation,
    Method,
    Objective,
    Plan,
    PodGroup,
    PodSize,
    Problem,
    Target,
    TooLarge,
    Variant,
    broken,
    evaluate,
    milp,
    solve,
)
from infadapter_solver.greedy import greedy
from infadapter_solver.objective import TIE
from tests.solver.patient import WANTED_GAP, solved

both_methods = pytest.mark.parametrize("method", ["auto", "milp"])

GPU = "nvidia.com/gpu"
CORES = [14, 19, 26, 32, 89, 250, 1000, 4000, 16_000, 64_000]  # millicores
TIME_LIMIT_S = 0.3


@pytest.mark.parametrize("block", range(6))
@both_methods
def test_no_plan_is_below_the_greedy_one(method: Method, block: int) -> None:
    for seed in range(20 * block, 20 * (block + 1)):
        hold(badly_scaled(random.Random(seed)), method)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(draw=st.randoms(use_true_random=False))
def test_no_plan_is_below_the_greedy_one_whatever_is_drawn(draw: random.Random) -> None:
    hold(badly_scaled(draw), "milp")


@pytest.mark.parametrize("block", range(4))
@both_methods
def test_no_plan_with_operating_points_is_below_the_greedy_one(method: Method, block: int) -> None:
    for seed in range(10 * block, 10 * (block + 1)):
        draw = random.Random(seed)
        hold(with_points(badly_scaled(draw), draw), method)


@pytest.mark.parametrize("seed", range(60))
def test_both_ways_serve_the_same_on_small_instances(seed: int) -> None:
    problem = badly_scaled(random.Random(1000 + seed), budgets=[40, 300, 1140, 9000])
    try:
        exact = solve(problem, method="exact")
    except TooLarge:
        pytest.skip("no small instance")
    programme = solve(problem, method="milp")
    assert programme.feasible == exact.feasible
    assert served_rps(programme) == pytest.approx(served_rps(exact), rel=2e-9)
    if exact.objective is not None and programme.objective is not None and not programme.gap:
        assert programme.objective == pytest.approx(exact.objective, abs=1e-6)


SIZES: list[tuple[float, dict[int, float]]] = [  # accuracy; millicores, rps
    (0.842, {89: 155}),
    (0.86, {32: 55.2}),
    (0.909, {26: 0.02}),
    (0.79, {14: 1, 19: 4}),
]
OVER = Problem(
    variants=tuple(
        Variant(
            name=f"v{index}",
            accuracy=accuracy,
            load_time_s=3.0,
            allocations=tuple(
                Allocation(size=PodSize(resources={"cpu": cores}), capacity_rps=rps)
                for cores, rps in sizes.items()
            ),
        )
        for index, (accuracy, sizes) in enumerate(SIZES)
    ),
    demand_rps=100_000,
    objective=Objective(budget={"cpu": 1140}),
)


@both_methods
def test_a_budget_far_below_the_demand_serves_what_it_can(method: Method) -> None:
    plan = solve(OVER, method=method)
    assert served_rps(plan) == pytest.approx(1981)
    assert not plan.feasible


@both_methods
def test_more_budget_never_serves_less(method: Method) -> None:
    cores = [1.14, 1.2, 2, 5, 30, 100, 105, 106, 107, 200]
    plans = [
        solve(
            replace(
                OVER,
                demand_rps=1e6,
                objective=replace(OVER.objective, budget={"cpu": int(1000 * n)}),
            ),
            method=method,
        )
        for n in cores
    ]
    served = [served_rps(plan) for plan in plans]
    assert served == sorted(served)
    assert served[cores.index(106)] == pytest.approx(184_605)
    assert served[cores.index(107)] == pytest.approx(186_341.8)


@both_methods
def test_what_is_served_is_told_apart_to_the_ninth_digit(method: Method) -> None:
    """Also where a demand of a thousand million makes a tie of all that can be served."""
    near = tuple(
        Allocation(size=PodSize(resources={"cpu": 1000 * n}), capacity_rps=1e6 + n / 10)
        for n in range(1, 5)
    )
    variant = Variant(name="v", accuracy=0.8, load_time_s=3.0, allocations=near)
    for demand_rps in (2e6, 1e9):
        problem = Problem(
            variants=(variant,),
            demand_rps=demand_rps,
            max_pods_per_target=1,
            objective=Objective(budget={"cpu": 4000}),
        )
        assert served_rps(solve(problem, method=method)) == 1e6 + 0.4


WORDS = [
    milp.Answer(evaluate(OVER, ()), False, -math.inf),  # infeasible, or out of time
    milp.Answer(evaluate(OVER, ()), False, math.nan),
    milp.Answer(evaluate(OVER, ()), True, 0.0),  # "the best there is"
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("demand_rps", [0.0, 1000.0, 100_000.0])
def test_the_programme_s_word_is_not_taken_for_what_the_greedy_plan_disproves(
    monkeypatch: pytest.MonkeyPatch, word: milp.Answer, demand_rps: float
) -> None:
    problem = replace(OVER, demand_rps=demand_rps)
    optimum = solve(problem)
    monkeypatch.setattr(milp, "_ask", lambda *_: word)
    plan, quick = solve(problem, method="milp"), greedy(problem)
    assert plan.feasible == quick.feasible
    assert served_rps(plan) >= served_rps(quick) > 0
    if plan.objective is not None and optimum.objective is not None:
        assert plan.objective + plan.gap >= optimum.objective - TIE


def test_what_runs_stays_where_the_programme_and_the_greedy_plan_find_nothing_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running = solve(OVER).groups
    problem = replace(OVER, running=running)
    assert served_rps(greedy(problem)) < served_rps(solve(problem))
    monkeypatch.setattr(milp, "_ask", lambda *_: WORDS[0])
    assert solve(problem, method="milp").groups == running


@pytest.mark.parametrize("error", [KeyError("kMemoryLimit"), IndexError("no solution")])
def test_a_state_that_has_no_name_or_no_solution_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, error: LookupError
) -> None:
    def find_nothing(*_: object) -> None:
        raise error

    monkeypatch.setattr(pulp.HiGHS, "findSolutionValues", find_nothing)
    assert served_rps(solve(OVER, method="milp")) >= served_rps(greedy(OVER)) > 0


@both_methods
@pytest.mark.parametrize("demand_rps", [0.0, 5.0, 1e18])
@pytest.mark.parametrize("capacities", [(1e18, 1.0), (1e-300, 1.0), (1e-9, 1e-9), (1e18, 1e-9)])
def test_numbers_as_far_apart_as_may_be_are_no_error(
    method: Method, demand_rps: float, capacities: tuple[float, float]
) -> None:
    variants = tuple(
        replace(
            OVER.variants[index],
            allocations=(Allocation(size=PodSize(resources={"cpu": 500}), capacity_rps=rps),),
        )
        for index, rps in enumerate(capacities)
    )
    for cost_weight in (0.0, 1.0, 1e18):
        problem = replace(
            OVER,
            variants=variants,
            demand_rps=demand_rps,
            objective=replace(OVER.objective, cost_weight=cost_weight),
        )
        plan = solve(problem, method=method)
        assert served_rps(plan) >= served_rps(greedy(problem)) * (1 - 1e-9)


def hold(problem: Problem, method: Method) -> None:
    quick = greedy(problem)
    plan = solve(problem, method=method, time_limit_s=TIME_LIMIT_S)
    assert served_rps(plan) >= served_rps(quick) * (1 - 1e-9)
    assert plan.feasible >= quick.feasible
    assert plan.feasible == (not broken(problem, plan))
    if quick.objective is not None:
        assert plan.objective is not None
        tied = plan.groups == problem.running or plan.cost < quick.cost
        assert plan.objective >= quick.objective - (TIE if tied else 1e-9)
    assert bool(plan.groups) == can_serve(problem)
    within = replace(problem, demand_rps=0.0, capacity_floor_rps=0.0, min_replicas=0)
    assert [phrase for phrase in broken(within, plan) if "rps wanted" not in phrase] == []


def can_serve(problem: Problem) -> bool:
    return any(
        all(amount <= problem.budget[name] for name, amount in allocation.resources.items())
        and problem.pod_limits.get(Target(variant.name, allocation.kind)) != 0
        for variant in problem.variants
        for allocation in variant.allocations
    )


def served_rps(plan: Plan) -> float:
    return sum(plan.served_rps.values())


def badly_scaled(draw: random.Random, budgets: list[int] | None = None) -> Problem:
    variants = tuple(
        Variant(
            name=f"v{index}",
            accuracy=round(draw.uniform(0.5, 0.95), 3),
            load_time_s=draw.choice([0.0, 3.0, 60.0]),
            allocations=tuple(
                Allocation(
                    size=PodSize(resources={"cpu": cores} | gpu), capacity_rps=rate(draw, -2, 6)
                )
                for cores in draw.sample(CORES, draw.randint(1, 3))
                for gpu in ({}, {GPU: draw.randint(1, 8)})[: draw.choice([1, 1, 2])]
            ),
        )
        for index in range(draw.randint(1, 5))
    )
    problem = Problem(
        variants=variants,
        demand_rps=draw.choice([0.0, rate(draw, -2, 6), rate(draw, -2, 9), 1e9]),
        min_replicas=draw.choice([1, 1, 3]),
        max_targets=draw.choice([16, 16, 1]),
        capacity_floor_rps=draw.choice([0.0, 0.0, rate(draw, -2, 6)]),
        objective=Objective(
            budget={
                "cpu": draw.choice(budgets or [13, 40, 1140, 20_000, 106_000, 10**7, 10**9]),
                GPU: draw.choice([0, 1, 8] if budgets else [0, 1, 8, 100, 10_000]),
            },
            prices={GPU: draw.choice([0.0, 0.001, 12.5, 1e4])},
            cost_weight=draw.choice([0.0, 0.05, 1.0]),
            loading_weight=draw.choice([0.0, 0.0, 0.01]),
        ),
    )
    if draw.random() < 0.3:
        target = Target(draw.choice(variants).name, draw.choice(["cpu", GPU]))
        problem = replace(problem, pod_limits={target: draw.choice([0, 1, 1000])})
    if draw.random() < 0.4:
        variant = draw.choice(variants)
        size = draw.choice(variant.allocations)
        target = Target(variant.name, size.kind)
        running = PodGroup(target=target, allocation=size, pods=draw.randint(1, 9))
        problem = replace(problem, running=(running,))
    return problem


def with_points(problem: Problem, draw: random.Random) -> Problem:
    """Up to four of each size, whose rates may be a ten-thousandth of the fastest one's."""
    variants = []
    for variant in problem.variants:
        accuracies = [variant.accuracy - 0.03 * k for k in range(draw.randint(1, 4))]
        slower = draw.choice([0.5, 0.1, 1e-4, 1.0])
        speeds = [slower, *(1 + draw.uniform(-0.2, 2) * k for k in range(1, len(accuracies)))]
        served = [
            Served(str(k), *point) for k, point in enumerate(zip(accuracies, speeds, strict=True))
        ]
        points = frontier(served)
        allocations = tuple(replace(a, points=points) for a in variant.allocations)
        variants.append(replace(variant, allocations=allocations))
    sizes = {(v.name, a.size): a for v in variants for a in v.allocations}
    running = tuple(
        replace(group, allocation=sizes[group.target.variant, group.allocation.size])
        for group in problem.running
    )
    return replace(problem, variants=tuple(variants), running=running)


def rate(draw: random.Random, least: float, most: float) -> float:
    """Of any order of magnitude; as a profile has it, in three digits, or in all."""
    rps = 10 ** draw.uniform(least, most)
    return rps if draw.random() < 0.3 else float(f"{rps:.3g}")


@pytest.mark.parametrize("seed", range(12))
def test_a_pod_for_ten_million_times_the_demand_is_one_pod(seed: int) -> None:
    draw = random.Random(seed)
    demand_rps = 10 ** draw.uniform(-1, 3)
    variants = tuple(
        Variant(
            name=f"v{index}",
            accuracy=round(draw.uniform(0.6, 0.9), 4),
            load_time_s=1.0,
            allocations=tuple(
                Allocation(
                    size=PodSize(resources={"cpu": millicores}),
                    capacity_rps=demand_rps * 10 ** draw.uniform(-1, 8),
                )
                for millicores in draw.sample(CORES, 3)
            ),
        )
        for index in range(3)
    )
    problem = Problem(
        variants=variants, demand_rps=demand_rps, objective=Objective(budget={"cpu": 70_000})
    )
    exact, programme = solve(problem, method="exact"), solve(problem, method="milp")
    assert programme.feasible == exact.feasible
    assert programme.gap == 0.0
    assert programme.objective == pytest.approx(exact.objective, abs=1e-6)


@pytest.mark.parametrize("seed", [1, 3])
def test_ten_times_the_demand_on_ten_times_the_budget_is_worth_no_less(seed: int) -> None:
    """Sixteen variants of 64 uneven sizes: with these, time was up before there was a plan."""
    small, large = uneven(seed, times=1), uneven(seed, times=10)
    plan = solved(large)
    assert plan.objective is not None
    assert plan.objective >= (solved(small).objective or 0.0) - 1e-6
    assert plan.gap <= WANTED_GAP


def uneven(seed: int, times: int) -> Problem:
    draw = random.Random(seed)
    variants = tuple(_uneven_variant(draw, index) for index in range(16))
    per_core = [
        (variant.accuracy, 1000 * a.capacity_rps / a.cpu_millicores)
        for variant in variants
        for a in variant.allocations
    ]
    most_accurate = max(per_core)[0]
    least = min(rps for accuracy, rps in per_core if accuracy == most_accurate)
    return Problem(
        variants=variants,
        demand_rps=times * 100 * (max(rps for _, rps in per_core) + least),
        objective=Objective(budget={"cpu": times * 200_000}),
    )


def _uneven_variant(draw: random.Random, index: int) -> Variant:
    accuracy = round(draw.uniform(0.4, 0.9), 4)
    rps_per_core = draw.uniform(20, 60) * (1.3 - accuracy) ** 2
    allocations = tuple(
        Allocation(
            size=PodSize(resources={"cpu": millicores}),
            capacity_rps=rps_per_core * millicores / 1000 * draw.uniform(0.4, 1.3),
        )
        for millicores in sorted(draw.sample(range(100, 16_001), 64))
    )
    return Variant(
        name=f"v{index}",
        accuracy=accuracy,
        load_time_s=draw.uniform(1, 9),
        allocations=allocations,
    )
