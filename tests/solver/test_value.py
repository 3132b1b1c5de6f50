"""What pods are worth, and which of two equal plans is taken."""

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
    Variant,
    broken,
    evaluate,
    score,
    solve,
    starts,
)

GPU = "nvidia.com/gpu"
both_methods = pytest.mark.parametrize("method", ["exact", "milp"])


def cpu(cores: float, rps: float) -> Allocation:
    return Allocation(size=PodSize(resources={"cpu": int(1000 * cores)}), capacity_rps=rps)


def variant(name: str, accuracy: float, *allocations: Allocation, load_s: float = 5.0) -> Variant:
    return Variant(name=name, accuracy=accuracy, load_time_s=load_s, allocations=allocations)


def pods(name: str, allocation: Allocation, count: int = 1) -> PodGroup:
    return PodGroup(target=Target(name, allocation.kind), allocation=allocation, pods=count)


SMALL, LARGE = cpu(1, 10), cpu(2, 10)
PROBLEM = Problem(
    variants=(variant("small", 0.7, SMALL), variant("large", 0.8, LARGE, load_s=10.0)),
    demand_rps=15,
    objective=Objective(budget={"cpu": 4000}, cost_weight=0.1),
)


def test_traffic_fills_the_most_accurate_first_and_then_the_rest() -> None:
    plan = evaluate(PROBLEM, [pods("small", SMALL), pods("large", LARGE)])
    assert plan.served_rps == {Target("large"): 10, Target("small"): 5}
    assert plan.accuracy == pytest.approx((0.8 * 10 + 0.7 * 5) / 15)
    assert (plan.cost, plan.cost_ratio, plan.feasible) == (3, 0.75, True)
    assert plan.objective == pytest.approx(plan.accuracy - 0.1 * 0.75)


def test_a_demand_of_zero_is_planned_as_a_tenth_of_a_request() -> None:
    plan = solve(replace(PROBLEM, demand_rps=0.0))
    assert plan.feasible
    assert sum(plan.served_rps.values()) == pytest.approx(0.1)


def test_a_plan_that_breaks_constraints_says_which_and_by_how_much() -> None:
    groups = [pods("large", LARGE, 3)]
    plan = evaluate(replace(PROBLEM, demand_rps=40, min_replicas=5), groups)
    assert plan.objective is None
    reasons = "; ".join(broken(replace(PROBLEM, demand_rps=40, min_replicas=5), plan))
    assert "6000 cpu of 4000" in reasons
    assert "30 rps of the 40 rps" in reasons
    assert "3 of at least 5 pods" in reasons


def test_a_limit_counts_all_pods_of_the_target_whatever_their_sizes() -> None:
    limited = replace(PROBLEM, pod_limits={Target("large"): 1, Target("small"): 1})
    plan = evaluate(limited, [pods("large", LARGE), pods("large", SMALL), pods("small", SMALL)])
    assert broken(limited, plan) == ["2 of at most 1 pods of large on cpu"]
    assert not plan.feasible


@both_methods
def test_what_runs_stays_no_plan_beyond_its_limit(method: Method) -> None:
    running = (pods("small", SMALL, 2),)
    problem = replace(
        PROBLEM,
        running=running,
        objective=replace(PROBLEM.objective, loading_weight=1.0, cost_weight=0.5),
    )
    assert solve(problem, method=method).groups == running
    plan = solve(replace(problem, pod_limits={Target("small"): 1}), method=method)
    assert plan.feasible
    assert plan.groups == (pods("large", LARGE), pods("small", SMALL))


def test_nothing_at_all_is_no_plan_but_has_a_value() -> None:
    plan = evaluate(PROBLEM, [])
    assert (plan.feasible, plan.accuracy, plan.cost) == (False, 0.0, 0.0)
    assert score(PROBLEM, plan) == 0.0


def test_pods_of_an_unknown_variant_are_refused_by_name() -> None:
    with pytest.raises(InvalidProblem, match="vgg"):
        evaluate(PROBLEM, [pods("vgg", SMALL)])


def test_loading_is_the_longest_among_what_must_start() -> None:
    running = (pods("large", LARGE),)
    problem = replace(
        PROBLEM, running=running, objective=replace(PROBLEM.objective, loading_weight=0.5)
    )
    both = [pods("small", SMALL), pods("large", LARGE)]
    assert evaluate(problem, both).loading_s == 5.0
    assert evaluate(replace(problem, running=()), both).loading_s == 10.0
    assert evaluate(problem, running).loading_s == 0.0
    assert score(problem, evaluate(problem, both)) == pytest.approx(
        evaluate(problem, both).accuracy - 0.1 * 0.75 - 0.5 * 0.5
    )


def test_only_cpu_is_resized_in_place_and_in_the_paper_nothing_is() -> None:
    gpu = Allocation(size=PodSize(resources={"cpu": 1000, GPU: 1}, batch_size=4), capacity_rps=50)
    more_cpu = replace(gpu, size=replace(gpu.size, resources={"cpu": 2000, GPU: 1}))
    other_batch = replace(gpu, size=replace(gpu.size, batch_size=8))
    two = replace(gpu, size=replace(gpu.size, resources={"cpu": 1000, GPU: 2}))
    problem = replace(PROBLEM, running=(pods("large", gpu, 2), pods("large", LARGE)))
    assert starts(problem, pods("large", more_cpu, 3)) == 1
    assert starts(problem, pods("large", other_batch)) == 1
    assert starts(problem, pods("large", two)) == 1
    assert starts(problem, pods("large", cpu(4, 20))) == 0
    assert starts(replace(problem, resize_loads=True), pods("large", cpu(4, 20))) == 1
    assert starts(replace(problem, resize_loads=True), pods("large", LARGE)) == 0


@both_methods
def test_among_equals_what_runs_stays(method: Method) -> None:
    twins = (variant("a", 0.7, SMALL), variant("b", 0.7, SMALL), variant("c", 0.7, SMALL))
    problem = replace(PROBLEM, variants=twins, demand_rps=5)
    for name in "abc":
        running = (pods(name, SMALL),)
        assert solve(replace(problem, running=running), method=method).groups == running


@both_methods
def test_what_runs_stays_for_less_than_a_millionth_but_not_for_more(method: Method) -> None:
    running = (pods("old", SMALL),)
    for gain, kept in ((5e-7, True), (5e-6, False)):
        variants = (variant("old", 0.7, SMALL), variant("new", 0.7 + gain, SMALL))
        problem = replace(PROBLEM, variants=variants, demand_rps=5, running=running)
        assert (solve(problem, method=method).groups == running) == kept


@both_methods
def test_among_equals_the_cheaper_is_taken(method: Method) -> None:
    problem = Problem(
        variants=(variant("a", 0.7, cpu(4, 10), cpu(2, 10), cpu(3, 10)),),
        demand_rps=5,
        objective=Objective(budget={"cpu": 4000}, cost_weight=0.0),
    )
    assert solve(problem, method=method).cost == 2


def test_among_equals_as_cheap_the_one_with_fewer_starts_is_taken_then_names() -> None:
    two_small = variant("a", 0.7, cpu(1, 5))
    one_large = variant("b", 0.7, cpu(2, 10))
    problem = replace(PROBLEM, variants=(two_small, one_large), demand_rps=10)
    assert solve(problem).groups == (pods("b", cpu(2, 10)),)
    running = (pods("a", cpu(1, 5), 1), pods("b", cpu(1, 5), 1))
    assert solve(replace(problem, running=running)).groups == (pods("b", cpu(2, 10)),)
    twins = (variant("z", 0.7, SMALL), variant("y", 0.7, SMALL))
    assert solve(replace(problem, variants=twins, demand_rps=5)).groups == (pods("y", SMALL),)


def test_the_running_plan_is_valued_at_today_s_profiles() -> None:
    """Its pods were measured anew: what it was thought to serve is of no interest."""
    running = (pods("large", cpu(2, 99.0)),)
    plan = solve(replace(PROBLEM, demand_rps=15, running=running))
    assert plan.groups != running
    assert plan.feasible
