"""InfAdapter's and MS+'s decisions, against those that follow from the published rules."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infadapter.profiles import read_preset
from infadapter_simulator.policies.papers.capacity import fitted
from infadapter_simulator.policies.papers.forecast import Learned, minute_maxima, weighted_mean
from infadapter_simulator.policies.papers.infadapter import PaperRule, infadapter_paper
from infadapter_simulator.policies.papers.ms_plus import ms_plus
from infadapter_simulator.policies.papers.planned import Planned
from infadapter_simulator.scenario import Scenario, Server, variants_of
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.queues import Floats
from infadapter_solver import CPU, Plan

GOLDEN = Path(__file__).parents[3].parent / "shared" / "data" / "infadapter"

AT_A_TWENTIETH = {
    20: {"resnet152": 8},
    40: {"resnet101": 10},
    60: {"resnet50": 8},
    100: {"resnet50": 13},
    150: {"resnet50": 19},
    200: {"resnet18": 4, "resnet50": 16},
    250: {"resnet18": 8, "resnet34": 2, "resnet50": 10},
    300: {"resnet18": 13, "resnet50": 7},
    350: {"resnet18": 17, "resnet34": 3},
    386: {"resnet18": 20},
}


def golden() -> list[dict[str, Any]]:
    path = GOLDEN / "golden_decisions.json"
    if not path.exists():
        pytest.skip("the folder of shared data is not beside the repository")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["decisions"]
    return found


def rule(policy: Planned) -> PaperRule:
    assert isinstance(policy.rule, PaperRule)
    return policy.rule


def priced(paper: Scenario, cost_weight: float) -> Scenario:
    """With nothing to pay for loading, as nothing runs yet."""
    return replace(
        paper, objective=replace(paper.objective, cost_weight=cost_weight, loading_weight=0.0)
    )


def cores(plan: Plan) -> dict[str, int]:
    return {g.target.variant: g.allocation.cpu_millicores // 1000 for g in plan.groups}


def steady(rps: float, seconds: int, history_rps: Floats | None = None) -> Workload:
    return Workload(
        name="steady",
        arrivals_s=np.arange(0, seconds, 1 / rps),
        seconds=seconds,
        history_rps=flat_history(rps) if history_rps is None else history_rps,
    )


def test_the_line_through_the_profile_gives_the_capacities_of_the_papers_preset(
    paper: Scenario,
) -> None:
    preset = variants_of(read_preset("paper"), 0.75, 99.0)
    sizes = {(v.name, a.cpu_millicores): a.capacity_rps for v in preset for a in v.allocations}
    found = fitted(paper)
    assert {
        (v.name, a.cpu_millicores): a.capacity_rps for v in found for a in v.allocations
    } == sizes


@pytest.mark.parametrize("demand_rps", AT_A_TWENTIETH)
def test_infadapter_decides_as_its_rules_say(paper: Scenario, demand_rps: int) -> None:
    policy = infadapter_paper(priced(paper, 0.05))
    assert cores(policy.rule.plan(demand_rps, ())) == AT_A_TWENTIETH[demand_rps]


@pytest.mark.parametrize(("make", "kind"), [(infadapter_paper, "set"), (ms_plus, "single")])
def test_every_decision_is_as_good_as_the_one_found_by_exhaustive_search(
    paper: Scenario, make: Callable[[Scenario], Planned], kind: str
) -> None:
    for known in golden():
        best = known[kind]
        plan = make(priced(paper, known["beta"])).rule.plan(known["lambda"], ())
        assert plan.objective == pytest.approx(best["objective"], abs=2e-5), known
        assert sum(cores(plan).values()) == best["RC"], known


def test_ms_plus_runs_one_variant(paper: Scenario) -> None:
    policy = ms_plus(priced(paper, 0.05))
    for demand_rps in range(1, 387, 11):
        assert len(policy.rule.plan(demand_rps, ()).groups) == 1


def test_what_nothing_serves_gets_the_least_accurate_variant_on_all_cores(
    paper: Scenario,
) -> None:
    for make in (infadapter_paper, ms_plus):
        assert cores(make(paper).rule.plan(1000, ())) == {"resnet18": 20}


def test_no_load_at_all_still_has_a_plan(paper: Scenario) -> None:
    policy = infadapter_paper(paper)
    nothing = replace(steady(1.0, 200), arrivals_s=np.empty(0), history_rps=np.zeros(600))
    simulate(policy, paper, nothing, 1)
    assert policy.rule.plan(0, ()).groups


def test_a_change_must_be_worth_its_load(paper: Scenario) -> None:
    """A larger size would be a new pod, for 0.001; the running one serves as much."""
    policy = infadapter_paper(paper)
    running = policy.rule.plan(113, ()).groups
    assert policy.rule.plan(112, running).groups == running


def test_the_forecaster_is_told_the_highest_second_of_each_of_ten_minutes(
    paper: Scenario,
) -> None:
    told: list[Floats] = []

    def forecaster(maxima: Floats) -> float:
        told.append(maxima)
        return 10.0

    history = np.repeat(np.arange(10.0, 20.0), 60)
    world = world_of_requests(paper, np.empty(0), history, 1, 0)
    world.advance(0.5)
    assert rule(infadapter_paper(paper, forecaster)).demand_rps(world) == 11
    assert told[0].tolist() == list(range(10, 20))


def test_less_than_ten_minutes_are_averaged_without_the_forecaster(paper: Scenario) -> None:
    def forecaster(maxima: Floats) -> float:
        raise AssertionError

    world = world_of_requests(paper, np.empty(0), np.repeat([10.0, 21.0], 60), 1, 0)
    world.advance(0.5)
    # pandas: Series([10, 21]).ewm(span=10).mean() ends in 16.05
    assert rule(infadapter_paper(paper, forecaster)).demand_rps(world) == int(1.1 * 16.05)


def test_the_weighted_mean_is_that_of_pandas() -> None:
    assert weighted_mean(np.array([10.0, 21.0])) == pytest.approx(16.05)
    assert weighted_mean(np.array([50.0, 60.0, 40.0])) == pytest.approx(49.2691, abs=1e-4)


def test_a_young_history_has_one_maximum() -> None:
    assert minute_maxima(np.array([3.0, 5.0, 4.0])).tolist() == [5.0]


def test_a_trained_network_forecasts_from_one_window() -> None:
    class Doubles:
        def next_maximum(self, maxima: Floats) -> Floats:
            return np.asarray(2 * maxima[:, -1])

    assert Learned(Doubles())(np.arange(10.0)) == 18.0


@pytest.mark.parametrize(("rps", "acts_s"), [(60, 120), (40, 240)])
def test_it_decides_first_after_two_minutes_and_waits_with_less(
    paper: Scenario, rps: int, acts_s: int
) -> None:
    """
    ResNet-152 on 20 cores, with which it begins as published, counts for 59 rps. It may have been
    started up to 30 s before the first request.
    """
    world = simulate(infadapter_paper(paper, start=("resnet152", 20)), paper, steady(rps, 260), 1)
    starts = [held for held in world.held if held.millicores]
    assert (starts[0].target.variant, starts[0].millicores) == ("resnet152", 20_000)
    assert [held.at_s for held in starts] == [0.0, pytest.approx(acts_s - 14.5, abs=15.5)]


def test_it_begins_with_what_it_would_choose_for_the_mean(paper: Scenario) -> None:
    policy = infadapter_paper(paper)
    world = world_of_requests(paper, np.empty(0), np.empty(0), 1, 0)
    policy.begin(world, 60.0)
    found = {p.target.variant: p.size.cpu_millicores // 1000 for p in world.pods}
    assert found == cores(policy.rule.plan(66, ()))


def test_quotas_are_rates(paper: Scenario) -> None:
    policy = infadapter_paper(priced(paper, 0.05))
    world = world_of_requests(paper, np.empty(0), np.empty(0), 1, 0)
    policy.begin(world, 200.0)  # planned for 220
    assert sum(world.weights.values()) == 220


def test_its_server_queues_a_second_and_a_quarter(paper: Scenario) -> None:
    """ResNet-50 on 20 cores counts for 162 rps."""
    limits = infadapter_paper(paper).server
    assert limits
    assert limits["resnet50", 20_000] == int(1.25 * 162)
    overloaded = steady(400, 200)
    world = simulate(
        infadapter_paper(paper), replace(paper, server=Server.PUBLISHED), overloaded, 1
    )
    assert world.pods[0].target.variant == "resnet18"
    assert world.pods[0].size.resources == {CPU: 20_000}
