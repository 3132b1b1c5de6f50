"""The rules of Proteus and of IPA, on the paper's variants."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from infadapter_simulator.policies.papers.ipa import ipa
from infadapter_simulator.policies.papers.planned import Planned
from infadapter_simulator.policies.papers.proteus import proteus
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, flat_history, run, simulate
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.queues import Floats
from infadapter_simulator.world.world import World
from infadapter_solver import Plan


def pods(plan: Plan) -> dict[str, tuple[int, int]]:
    """By variant, how many and of how many cores."""
    return {
        g.target.variant: (g.pods, g.allocation.cpu_millicores // 1000)
        for g in plan.groups
        if g.pods
    }


def seen(paper: Scenario, history_rps: Floats) -> World:
    world = world_of_requests(paper, np.empty(0), history_rps, 1, 0)
    world.advance(0.5)
    return world


def test_proteus_always_uses_the_whole_budget(paper: Scenario) -> None:
    rule = proteus(paper).rule
    for demand_rps in (1.0, 30.0, 75.0, 150.0, 300.0, 1000.0):
        assert sum(group.pods for group in rule.plan(demand_rps, ()).groups) == 5


def test_proteus_runs_the_most_accurate_variant_while_that_serves_the_load(
    paper: Scenario,
) -> None:
    assert pods(proteus(paper).rule.plan(70.0, ())) == {"resnet152": (5, 4)}


def test_proteus_gives_up_no_more_accuracy_than_the_load_asks_for(paper: Scenario) -> None:
    """Cost is nothing to it."""
    dear = replace(paper, objective=replace(paper.objective, cost_weight=10.0))
    for demand_rps in (90.0, 180.0):
        plan = proteus(dear).rule.plan(demand_rps, ())
        assert plan.feasible
        assert plan.accuracy == proteus(paper).rule.plan(demand_rps, ()).accuracy


def test_proteus_serves_what_it_can_of_what_the_cluster_cannot(paper: Scenario) -> None:
    assert pods(proteus(paper).rule.plan(1000.0, ())) == {"resnet18": (5, 4)}


def test_proteus_plans_for_a_moving_average_and_a_twentieth(paper: Scenario) -> None:
    rule = proteus(paper).rule
    assert rule.demand_rps(seen(paper, flat_history(40.0))) == pytest.approx(42.0)
    jump = np.concatenate([np.zeros(590), np.full(10, 100.0)])
    # The last of many windows weighs 1 / (1 + 0.7).
    assert rule.demand_rps(seen(paper, jump)) == pytest.approx(105 / 1.7, rel=1e-3)


def test_ipa_has_replicas_of_one_variant_on_its_base_allocation(paper: Scenario) -> None:
    """Two cores serve 4 rps of each of them."""
    rule = ipa(paper).rule
    assert pods(rule.plan(40.0, ())) == {"resnet101": (4, 2)}
    for demand_rps in range(1, 400, 20):
        plan = rule.plan(float(demand_rps), ())
        assert [cores for _, cores in pods(plan).values()] == [2]


def test_ipa_weighs_accuracy_against_cores_as_the_scenario_says(paper: Scenario) -> None:
    assert list(
        pods(
            ipa(replace(paper, objective=replace(paper.objective, cost_weight=0.0))).rule.plan(
                40.0, ()
            )
        )
    ) == ["resnet152"]
    assert list(
        pods(
            ipa(replace(paper, objective=replace(paper.objective, cost_weight=5.0))).rule.plan(
                40.0, ()
            )
        )
    ) == ["resnet18"]


def test_ipa_plans_for_the_highest_of_the_last_ten_seconds(paper: Scenario) -> None:
    history = np.concatenate([np.full(585, 90.0), np.full(14, 30.0), [50.0]])
    assert ipa(paper).rule.demand_rps(seen(paper, history)) == 50.0


def test_ipa_stays_within_the_budget(paper: Scenario) -> None:
    plan = ipa(paper).rule.plan(1000.0, ())
    assert pods(plan) == {"resnet18": (10, 2)}


@pytest.mark.parametrize("make", [proteus, ipa])
def test_runs_can_be_repeated(paper: Scenario, make: Callable[[Scenario], Planned]) -> None:
    rng = np.random.default_rng(5)
    arrivals_s = np.sort(np.concatenate([rng.uniform(0, 60, 2400), rng.uniform(60, 180, 18_000)]))
    load = Workload(name="step", arrivals_s=arrivals_s, seconds=180, history_rps=flat_history(40.0))
    assert run(make(paper), paper, load, 3) == run(make(paper), paper, load, 3)


@pytest.mark.parametrize(("make", "rounds"), [(ipa, 2), (proteus, 3)])
def test_a_step_of_the_load_is_answered_within_some_rounds(
    paper: Scenario, make: Callable[[Scenario], Planned], rounds: int
) -> None:
    """A round is a pause of 10 s and the start of new pods; averages need one more."""
    arrivals_s = np.concatenate([np.arange(0, 60, 1 / 40), np.arange(60, 180, 1 / 150)])
    load = Workload(name="step", arrivals_s=arrivals_s, seconds=180, history_rps=flat_history(40.0))
    world = simulate(make(paper), paper, load, 1)
    refused_s = arrivals_s[world.traffic.slot_of < 0]
    assert refused_s.min() > 60
    assert refused_s.max() < 60 + rounds * (10 + 11)
