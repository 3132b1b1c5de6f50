"""Pods that never change, and which of them are best."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from infadapter_simulator.measures import measured
from infadapter_simulator.policies.hindsight.static_best import ranked, static_best
from infadapter_simulator.policies.hindsight.static_options import variant_sets
from infadapter_simulator.policies.hindsight.static_plan import StaticPlan
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, flat_history, run, simulate
from infadapter_solver import CPU, Allocation, PodGroup, PodSize, Target


@pytest.fixture(scope="module")
def load() -> Workload:
    rng = np.random.default_rng(4)
    slow, fast = rng.uniform(0, 90, 90 * 45), rng.uniform(90, 120, 30 * 150)
    return Workload(
        name="step",
        arrivals_s=np.sort(np.concatenate([slow, fast])),
        seconds=120,
        history_rps=flat_history(45.0),
    )


def group(paper: Scenario, variant: str, cores: int, pods: int = 1) -> PodGroup:
    allocation = paper.allocation(variant, 1000 * cores)
    return PodGroup(target=Target(variant), allocation=allocation, pods=pods)


def fluid(paper: Scenario, load: Workload, groups: tuple[PodGroup, ...]) -> float:
    """Second by second, as the ranking says it in one go."""
    right = 0.0
    for second in range(load.seconds):
        left = float(((load.arrivals_s >= second) & (load.arrivals_s < second + 1)).sum())
        for one in groups:
            most = one.pods * paper.speed(one.target.variant, one.allocation.size).most_rps
            right += paper.variant(one.target.variant).accuracy * min(left, most)
            left -= min(left, most)
    cores = sum(one.pods * one.allocation.cpu_millicores for one in groups) / 1000
    return right / len(load.arrivals_s) - paper.objective.cost_weight * cores / 20


def test_plans_are_ranked_by_what_they_would_answer_second_by_second(
    paper: Scenario, load: Workload
) -> None:
    plans = ranked(paper, load, 30)
    values = [fluid(paper, load, plan.groups) for plan in plans]
    assert values == sorted(values, reverse=True)
    for chosen in product((2, 7, 13), repeat=2):
        pair = tuple(
            group(paper, name, cores)
            for name, cores in zip(("resnet101", "resnet34"), chosen, strict=True)
        )
        assert fluid(paper, load, pair) <= values[0] + 1e-12


def test_all_ranked_plans_fit_into_the_budget(paper: Scenario, load: Workload) -> None:
    plans = ranked(replace(paper, objective=replace(paper.objective, cost_weight=0.0)), load, 200)
    assert len({plan.name for plan in plans}) == 200
    for plan in plans:
        assert sum(g.pods * g.allocation.cpu_millicores for g in plan.groups) <= 20_000


def test_none_of_the_plans_it_tried_is_better_than_the_one_it_chose(
    paper: Scenario, load: Workload
) -> None:
    chosen = static_best(paper, load, 2)
    assert chosen.measures == measured(chosen.world)
    for plan in ranked(paper, load):
        assert run(plan, paper, load, 2).objective <= chosen.measures.objective


def test_budgets_beyond_the_largest_pod_are_used_with_several_of_it(
    paper: Scenario, load: Workload
) -> None:
    large = replace(
        paper, objective=replace(paper.objective, budget={CPU: 60_000}, cost_weight=0.0)
    )
    best = ranked(large, load, 1)[0]
    assert max(g.pods for g in best.groups) > 1
    assert "*resnet152:20" in best.name


def test_sizes_are_left_out_where_there_are_too_many_choices(paper: Scenario) -> None:
    allocations = tuple(
        Allocation(size=PodSize(resources={CPU: 20 * n}), capacity_rps=float(n))
        for n in range(1, 401)
    )
    many = tuple(replace(variant, allocations=allocations) for variant in paper.variants)
    sets = list(variant_sets(replace(paper, variants=many)))
    choices = sum(int(np.prod([len(groups) for groups in options])) for options in sets)
    assert 1_000_000 < choices <= 2_000_000


def test_a_static_plan_keeps_its_pods_and_moves_its_weights(
    paper: Scenario, load: Workload
) -> None:
    plan = StaticPlan((group(paper, "resnet152", 14), group(paper, "resnet18", 6)))
    world = simulate(plan, paper, load, 1)
    assert plan.name == "static-resnet152:14+resnet18:6"
    assert [held.at_s for held in world.held] == [0.0, 0.0]
    shares = [shares.get("resnet18", 0.0) for at_s, shares in world.router.routed]
    assert shares[0] < 0.2
    assert shares[-1] > 0.5


def test_its_weights_are_written_only_when_they_change(paper: Scenario, load: Workload) -> None:
    alone = StaticPlan((group(paper, "resnet18", 10, pods=2),))
    assert len(simulate(alone, paper, load, 1).router.routed) <= 3
    assert alone.name == "static-2*resnet18:10"
