"""Which way is taken, and what happens at the edges of each."""

import math
import random
from dataclasses import replace

import pytest

from infadapter_solver import (
    Allocation,
    InvalidProblem,
    Method,
    Objective,
    PodGroup,
    PodSize,
    Problem,
    Target,
    TooLarge,
    Variant,
    programme,
    solve,
)
from infadapter_solver.candidates import requirement
from infadapter_solver.exact import search
from infadapter_solver.exact.tables import tables_for

GPU = "nvidia.com/gpu"
both_methods = pytest.mark.parametrize("method", ["exact", "milp"])


def services(
    seed: int, variants: int, sizes: int, *, budget: int, gpus: int = 0, pods: int | None = None
) -> Problem:
    """Larger variants are more accurate and slower, each a little off the line."""
    draw = random.Random(seed)
    made = []
    for i in range(variants):
        rps_per_core = 25 * 0.7**i * draw.uniform(0.9, 1.1)
        allocations = [
            Allocation(
                size=PodSize(resources={"cpu": 1000 * n}),
                capacity_rps=rps_per_core * n * draw.uniform(0.9, 1.0),
            )
            for n in range(1, sizes + 1)
        ]
        if gpus:
            size = {"cpu": 1000, GPU: 1}
            allocations.append(
                Allocation(size=PodSize(resources=size), capacity_rps=9 * rps_per_core)
            )
        made.append(
            Variant(
                name=f"v{i}",
                accuracy=0.7 + 0.04 * i + draw.uniform(0, 0.01),
                load_time_s=5.0 + i,
                allocations=tuple(allocations),
            )
        )
    return Problem(
        variants=tuple(made),
        demand_rps=draw.uniform(0.2, 0.9) * 25 * budget,
        max_pods_per_target=pods,
        objective=Objective(
            budget={"cpu": 1000 * budget} | ({GPU: gpus} if gpus else {}),
            prices={GPU: 6.0},
            cost_weight=draw.choice([0.01, 0.05, 0.2]),
            loading_weight=draw.choice([0.0, 0.01]),
        ),
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("variants", "sizes", "budget", "gpus", "pods"),
    [(6, 12, 24, 0, 1), (6, 6, 24, 0, None), (4, 5, 16, 2, None)],
)
def test_the_two_ways_agree_beyond_what_can_be_enumerated(
    seed: int, variants: int, sizes: int, budget: int, gpus: int, pods: int | None
) -> None:
    problem = services(seed, variants, sizes, budget=budget, gpus=gpus, pods=pods)
    problem = replace(problem, running=solve(replace(problem, demand_rps=40)).groups)
    one, other = solve(problem, method="exact"), solve(problem, method="milp", time_limit_s=60.0)
    assert one.feasible
    assert other.feasible
    assert other.gap == 0
    assert one.objective == pytest.approx(other.objective, abs=1e-9)


def test_auto_asks_the_programme_where_the_exact_path_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = services(1, 4, 8, budget=16)
    expected = solve(problem)
    monkeypatch.setattr(search, "MOST_LABELS", 0)
    with pytest.raises(TooLarge):
        solve(problem, method="exact")
    assert solve(problem).objective == pytest.approx(expected.objective, abs=1e-9)


def test_a_budget_of_a_million_cores_is_no_table_of_a_million_rows() -> None:
    problem = replace(services(1, 2, 2, budget=1_000_000), demand_rps=1e6)
    with pytest.raises(TooLarge):
        solve(problem, method="exact")
    plan = solve(problem)
    assert plan.feasible
    assert sum(plan.served_rps.values()) == pytest.approx(1e6)


def test_at_time_out_the_plan_is_the_best_known_and_tells_its_distance() -> None:
    problem = services(3, 8, 20, budget=40)
    optimum = solve(problem, method="exact")
    cut = solve(problem, method="milp", time_limit_s=1e-6)
    assert cut.feasible
    assert cut.gap > 0
    assert cut.objective is not None
    assert optimum.objective is not None
    assert cut.objective <= optimum.objective + 1e-9
    assert cut.objective + cut.gap >= optimum.objective - 1e-6


@pytest.mark.parametrize("time_limit_s", [1e-6, 0.001, 0.02])
def test_the_fallback_of_a_demand_beyond_the_budget_serves_within_it(time_limit_s: float) -> None:
    problem = replace(services(3, 8, 20, budget=40), demand_rps=5000)
    plan = solve(problem, method="milp", time_limit_s=time_limit_s)
    assert not plan.feasible
    assert sum(plan.served_rps.values()) > 0
    assert plan.cost_ratio <= 1


@both_methods
def test_a_slow_model_that_serves_less_than_the_least_demand_is_a_best_effort(
    method: Method,
) -> None:
    size = Allocation(size=PodSize(resources={"cpu": 1000}), capacity_rps=0.02)
    variant = Variant(name="slow", accuracy=0.9, load_time_s=60, allocations=(size,))
    plan = solve(
        Problem(variants=(variant,), demand_rps=0, objective=Objective(budget={"cpu": 2000})),
        method=method,
    )
    assert not plan.feasible
    assert plan.groups == (PodGroup(target=Target("slow"), allocation=size, pods=2),)


@both_methods
@pytest.mark.parametrize("variants", [(), services(1, 1, 1, budget=1).variants])
def test_where_nothing_fits_the_plan_is_empty(
    method: Method, variants: tuple[Variant, ...]
) -> None:
    plan = solve(
        Problem(variants=variants, demand_rps=5, objective=Objective(budget={"cpu": 500})),
        method=method,
    )
    assert plan.groups == ()
    assert not plan.feasible
    assert plan.objective is None


@both_methods
def test_an_allocation_on_a_resource_outside_the_budget_is_not_used(method: Method) -> None:
    problem = services(1, 2, 2, budget=8, gpus=1)
    plan = solve(
        replace(problem, demand_rps=20, objective=replace(problem.objective, budget={"cpu": 8000})),
        method=method,
    )
    assert {group.target.kind for group in plan.groups} == {"cpu"}


@both_methods
def test_a_burst_s_plan_keeps_at_least_the_running_capacity(method: Method) -> None:
    problem = replace(services(5, 4, 8, budget=16), demand_rps=30)
    assert solve(problem, method=method).capacity_rps < 200
    plan = solve(replace(problem, capacity_floor_rps=200), method=method)
    assert plan.feasible
    assert plan.capacity_rps >= 200
    assert sum(plan.served_rps.values()) == pytest.approx(30)


def test_equal_questions_share_one_table_whoever_built_them() -> None:
    one, other = services(2, 3, 4, budget=8), services(2, 3, 4, budget=8)
    assert tables_for(one, requirement(one)) is tables_for(other, requirement(other))
    for other in (
        replace(one, objective=replace(one.objective, budget={"cpu": 7000})),
        replace(one, pod_limits={Target("v0"): 1}),
        replace(one, pod_limits={Target("v0"): 2}),
    ):
        assert tables_for(one, requirement(one)) is not tables_for(other, requirement(other))


@both_methods
def test_a_target_gets_no_more_pods_than_its_limit(
    method: Method,
) -> None:
    problem = replace(services(2, 3, 2, budget=12, gpus=2), demand_rps=1000)
    target = Target("v0", GPU)
    pods = {
        limit: sum(
            group.pods
            for group in solve(replace(problem, pod_limits={target: limit}), method=method).groups
            if group.target == target
        )
        for limit in (0, 1, 2, 9)
    }
    assert pods == {0: 0, 1: 1, 2: 2, 9: 2}


@both_methods
def test_where_no_target_may_have_pods_the_plan_is_empty(method: Method) -> None:
    problem = services(2, 3, 2, budget=12)
    limits = {Target(variant.name): 0 for variant in problem.variants}
    plan = solve(replace(problem, pod_limits=limits), method=method)
    assert (plan.groups, plan.feasible) == ((), False)


BAD_NUMBERS = [math.nan, math.inf, -1.0]


@both_methods
@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize(
    "name",
    ["demand_rps", "accuracy_weight", "cost_weight", "loading_weight", "capacity_floor_rps"],
)
def test_numbers_that_are_none_are_refused_by_name(name: str, value: float, method: Method) -> None:
    change: dict[str, float] = {name: value}
    problem = services(1, 2, 2, budget=4)
    if name.endswith("weight"):
        changed = replace(problem, objective=replace(problem.objective, **change))  # type: ignore[arg-type]
    else:
        changed = replace(problem, **change)  # type: ignore[arg-type]
    with pytest.raises(InvalidProblem, match=name):
        solve(changed, method=method)


@both_methods
def test_contradictions_are_refused_with_a_sentence(method: Method) -> None:
    good = services(1, 2, 2, budget=4)
    first = good.variants[0]
    size = first.allocations[0]
    cases = {
        "no price": replace(
            good, objective=replace(good.objective, budget={"cpu": 1000, "example.com/npu": 1})
        ),
        "two variants called v0": replace(good, variants=(first, first)),
        "v0: there are two allocations of .*: keep one": replace(
            good, variants=(replace(first, allocations=(size, size)),)
        ),
        "uses no resources": replace(
            good,
            variants=(
                replace(first, allocations=(replace(size, size=PodSize(resources={"cpu": 0})),)),
            ),
        ),
        "accuracy of v0": replace(good, variants=(replace(first, accuracy=math.nan),)),
        "demand_rps must be at most 1e.18": replace(good, demand_rps=2e18),
        "price of cpu": replace(good, objective=replace(good.objective, prices={"cpu": -1.0})),
        "budget of cpu": replace(good, objective=replace(good.objective, budget={"cpu": -1})),
        "at least 1": replace(good, max_targets=0),
        "v0 on cpu must be .* whole number from 0, not to -1": limited(good, -1),
        "v0 on cpu must be .* not to 1.5": limited(good, 1.5),
        "v0 on cpu must be .* not to nan": limited(good, math.nan),
    }
    for sentence, problem in cases.items():
        with pytest.raises(InvalidProblem, match=sentence):
            solve(problem, method=method)


def limited(problem: Problem, limit: float) -> Problem:
    return replace(problem, pod_limits={Target("v0"): limit})  # type: ignore[dict-item]


def test_the_programme_reads_as_its_docstring_says() -> None:
    problem = replace(
        services(1, 2, 3, budget=16),
        demand_rps=90,
        objective=replace(services(1, 2, 3, budget=16).objective, loading_weight=0.1),
    )
    model = programme.best_programme(problem, requirement(problem)).model
    found = [constraint.name for constraint in model.constraints()]
    names = {name.rstrip("_0123456789") for name in found}
    assert names == {
        *("serve", "one_size", "only_if", "some_if", "start", "load"),
        *("demand", "demand_served", "budget_cpu", "replicas", "floor", "targets"),
    }


def test_a_resize_in_place_leaves_the_tables_as_they_are() -> None:
    problem = services(1, 3, 6, budget=12)
    first, second = (
        replace(problem, running=(PodGroup(target=Target("v0"), allocation=size, pods=2),))
        for size in problem.variants[0].allocations[:2]
    )
    assert tables_for(first, requirement(first)) is tables_for(second, requirement(second))
    paper_first, paper_second = (replace(one, resize_loads=True) for one in (first, second))
    assert tables_for(paper_first, requirement(paper_first)) is not tables_for(
        paper_second, requirement(paper_second)
    )


def test_another_number_of_pods_that_run_makes_other_tables() -> None:
    problem = services(1, 3, 6, budget=12)
    size = problem.variants[0].allocations[0]
    one, two = (
        replace(problem, running=(PodGroup(target=Target("v0"), allocation=size, pods=pods),))
        for pods in (1, 2)
    )
    assert tables_for(one, requirement(one)) is not tables_for(two, requirement(two))
