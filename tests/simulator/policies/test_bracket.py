"""What nobody exceeds, and what somebody who knew everything has reached."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_simulator.measures import Measures, measured
from infadapter_simulator.policies.hindsight.best_schedule import Chosen, best_schedule
from infadapter_simulator.policies.hindsight.fixed import Fixed
from infadapter_simulator.policies.hindsight.levels_over_time import best_levels
from infadapter_simulator.policies.hindsight.moves import Moves, moves_of
from infadapter_simulator.policies.hindsight.pareto_plans import ABSENT, pareto_plans
from infadapter_simulator.policies.hindsight.pod_sets import pod_sets
from infadapter_simulator.policies.hindsight.programme import best_path
from infadapter_simulator.policies.hindsight.relaxation import upper_bound
from infadapter_simulator.policies.hindsight.static_best import static_best
from infadapter_simulator.policies.hindsight.unavoidable import missed
from infadapter_simulator.policies.ours import Ours, service_of
from infadapter_simulator.policies.policy import Policy
from infadapter_simulator.scenario import Scenario
from infadapter_simulator.simulate import Workload, flat_history, simulate
from infadapter_solver import CPU
from tests.deep import drawn

RATES = np.array([10.0, 40.0, 70.0, 150.0])


def a_load(*pieces: tuple[int, float]) -> Workload:
    """`pieces` are (seconds, rps); requests are evenly apart within a second."""
    rates = [int(rps) for seconds, rps in pieces for _ in range(seconds)]
    arrivals = [i + (np.arange(n) + 0.5) / n for i, n in enumerate(rates) if n]
    return Workload(
        name="made up",
        arrivals_s=np.concatenate(arrivals),
        seconds=len(rates),
        history_rps=flat_history(float(rates[0])),
    )


def noisy(seed: int, *rates: float) -> Workload:
    rng = np.random.default_rng(seed)
    return a_load(*((1, rng.poisson(rate) + 1.0) for rate in rates for _ in range(15)))


def of(paper: Scenario, cores: int, surge: int) -> Scenario:
    fitting = (
        replace(v, allocations=tuple(a for a in v.allocations if a.cpu_millicores <= 1000 * cores))
        for v in paper.variants
    )
    return replace(
        paper,
        variants=tuple(fitting),
        objective=replace(paper.objective, budget={CPU: 1000 * cores}),
        max_surge={CPU: 1000 * surge},
    )


def hindsight(scenario: Scenario, load: Workload) -> Chosen:
    return best_schedule(scenario, load, 1)


def run(policy: Policy, scenario: Scenario, load: Workload) -> Measures:
    return measured(simulate(policy, scenario, load, 1))


def run_ours(scenario: Scenario, load: Workload) -> Measures:
    return run(Ours(service=service_of(scenario)), scenario, load)


@st.composite
def programmes(draw: st.DrawFn) -> tuple[np.ndarray, Moves]:
    steps, plans = draw(st.integers(2, 7)), draw(st.integers(1, 3))
    values = st.integers(-5, 9).map(float)
    worth = np.array([[draw(values) for _ in range(plans)] for _ in range(steps)])
    into = [
        [
            (p, draw(st.integers(1, 3)), draw(st.integers(0, 2)), float(draw(st.integers(0, 4))))
            for p in range(plans)
            if p != goal and draw(st.booleans())
        ]
        for goal in range(plans)
    ]
    every = [move for some in into for move in some]
    source, before, after, cost = (np.array([m[i] for m in every]) for i in range(4))
    return worth, Moves(
        first=np.cumsum([0, *map(len, into)]),
        source=source.astype(np.int64),
        before=before.astype(np.int64),
        after=after.astype(np.int64),
        cost=cost.astype(np.float64),
    )


def every_path(worth: np.ndarray, moves: Moves) -> Iterator[tuple[float, list[int]]]:
    """By trying all: stay for a step, or begin a move and be bound by it."""
    steps, plans = worth.shape
    values = worth.tolist()
    ways = [list(moves_from(moves, plan)) for plan in range(plans)]

    def onward(path: list[int], cost: float) -> Iterator[tuple[float, list[int]]]:
        if len(path) == steps:
            yield sum(values[t][p] for t, p in enumerate(path)) - cost, path
        elif len(path) < steps:
            yield from onward([*path, path[-1]], cost)
            # What is decided at the beginning is in force after two steps.
            for bound, more in ways[path[-1]] if len(path) > 1 else ():
                yield from onward([*path, *bound], cost + more)

    for begin in range(plans):
        yield from onward([begin], 0.0)


def moves_from(moves: Moves, here: int) -> Iterator[tuple[list[int], float]]:
    """Plans of the next steps, and the cost."""
    for move in np.flatnonzero(moves.source == here):
        goal = int(np.searchsorted(moves.first, move, side="right")) - 1
        waiting, bound = [here] * int(moves.before[move] - 1), [goal] * int(moves.after[move] + 1)
        yield waiting + bound, float(moves.cost[move])


@settings(deadline=None, max_examples=drawn(75))
@given(programmes())
def test_the_programme_finds_what_trying_all_paths_finds(
    programme: tuple[np.ndarray, Moves],
) -> None:
    worth, moves = programme
    paths = list(every_path(worth, moves))
    found = best_path(worth, moves, 1.0, None).tolist()
    most = max(value for value, _ in paths)
    assert max(value for value, path in paths if path == found) == pytest.approx(most)


@pytest.mark.parametrize(("cores", "surge"), [(6, 0), (8, 2), (12, 12)])
def test_the_lower_side_is_below_the_upper_one_and_keeps_to_budget_and_surge(
    paper: Scenario, cores: int, surge: int
) -> None:
    scenario = of(paper, cores, surge)
    load = noisy(cores, 20, 20, 70, 70, 30, 90, 20, 20)
    lower = hindsight(scenario, load).measures
    assert lower.objective < upper_bound(scenario, load)
    assert lower.objective > 0.65
    assert lower.peak_cores_held <= cores + surge


@pytest.mark.parametrize("surge", [0, 2, 8])
def test_no_policy_is_above_the_upper_side(paper: Scenario, surge: int) -> None:
    scenario = of(paper, 8, surge)
    for seed, rates in enumerate(((30, 60, 30, 60), (10, 10, 120, 10), (80, 80, 80, 80))):
        load = noisy(seed, *rates)
        upper = upper_bound(scenario, load)
        fixed = [Fixed("resnet18", 4), Fixed("resnet50", 8), Fixed("resnet34", 6)]
        found = [run(policy, scenario, load) for policy in fixed]
        assert max(m.objective for m in [*found, run_ours(scenario, load)]) < upper


def test_the_upper_side_is_what_a_load_is_worth_that_fills_whole_pods(paper: Scenario) -> None:
    """One pod of the best size, always busy: nothing is left that a policy could do better."""
    scenario = of(paper, 6, 0)
    load = a_load((60, 67.0))  # what six cores of ResNet-50 do
    fixed = run(Fixed("resnet50", 6), scenario, load)
    assert fixed.objective == pytest.approx(upper_bound(scenario, load), rel=0.01)


def test_a_step_that_is_foreseen_costs_hardly_a_request(paper: Scenario) -> None:
    load = a_load((60, 40.0), (60, 180.0), (60, 40.0))
    chosen = hindsight(of(paper, 20, 5), load)
    assert chosen.measures.violations < 0.001
    begun = [h.at_s for h in chosen.world.held if h.at_s > 0 and h.millicores]
    assert min(begun) < 60.0


def test_without_surge_pods_leave_before_others_start(paper: Scenario) -> None:
    """From most to least accurate on the whole budget there is no way at once."""
    plans = pareto_plans(of(paper, 8, 0), RATES, 0.1)
    moves = moves_of(of(paper, 8, 0), plans)
    full = [row for row, there in enumerate(plans.millicores) if there.max() == 8000]
    assert len(full) > 1
    for goal in full:
        into = moves.source[moves.first[goal] : moves.first[goal + 1]]
        assert not set(into.tolist()) & (set(full) - {goal})


def test_plans_have_no_other_that_is_faster_at_each_accuracy_and_as_cheap(paper: Scenario) -> None:
    plans = pareto_plans(of(paper, 6, 0), RATES, 0.1)
    speed, pods = np.cumsum(plans.rps, axis=1), (plans.millicores != ABSENT).sum(axis=1)
    for row in range(len(plans)):
        reached = (speed >= speed[row]).all(axis=1) & (plans.price <= plans.price[row])
        assert (reached & (pods <= pods[row])).sum() == 1
    assert (np.maximum(plans.millicores, 0).sum(axis=1) <= 6000).all()


def test_two_pods_may_be_faster_than_one_that_is_as_large(paper: Scenario) -> None:
    """ResNet-34 answers 58 a second on four cores, and 102 on eight."""
    (variant,) = (v for v in of(paper, 8, 0).variants if v.name == "resnet34")
    sets = pod_sets(of(paper, 8, 0), variant)
    assert sorted(
        tuple(pod.cpu_millicores for pod in one.pods) for one in sets if one.price == 8.0
    ) == [(4000, 4000), (8000,)]


def test_beyond_the_budget_s_fastest_pods_is_unavoidable(paper: Scenario) -> None:
    scenario = of(paper, 6, 0)  # 155 requests a second of ResNet-18
    assert missed(scenario, a_load((60, 150.0))).unavoidable == 0.0
    share = missed(scenario, a_load((60, 310.0))).unavoidable
    assert share == pytest.approx(0.5, abs=0.02)


def test_nobody_misses_fewer_than_are_unavoidable(paper: Scenario) -> None:
    scenario = of(paper, 6, 0)
    load = noisy(3, 40, 180, 40, 300, 100)
    found = [run(Fixed("resnet18", 6), scenario, load), best_schedule(scenario, load, 1).measures]
    least = missed(scenario, load).unavoidable
    assert least > 0.1
    assert min(measures.violations for measures in found) >= least


def test_a_step_beyond_all_that_was_seen_is_sudden_for_as_long_as_pods_start(
    paper: Scenario,
) -> None:
    scenario = of(paper, 20, 20)
    first = missed(scenario, a_load((60, 40.0), (60, 200.0)))
    assert first.unavoidable == 0.0
    assert 0.08 < first.sudden < 0.12  # eight to nine seconds of 160 a second
    again = a_load((60, 40.0), (60, 200.0), (60, 40.0), (60, 200.0))
    assert missed(scenario, again).sudden == pytest.approx(first.sudden / 2)


@settings(deadline=None, max_examples=drawn(75))
@given(st.data())
def test_the_levels_of_a_variant_are_those_that_trying_all_finds(data: st.DataObject) -> None:
    """Of one operating point, or of two of which each second has the one that is worth more."""
    seconds, rps = 4, np.array([[0.0, 3.0, 5.0], [0.0, 1.0, 4.0]])[: data.draw(st.integers(1, 2))]
    cents = st.integers(0, 6).map(lambda n: n / 4)
    worths = st.lists(cents, min_size=seconds * len(rps), max_size=seconds * len(rps))
    gain = np.array(data.draw(worths)).reshape(seconds, len(rps))
    unit, early = (
        np.outer(data.draw(st.lists(cents, min_size=4, max_size=4)), [0.0, 1.0, 2.0])
        for _ in range(2)
    )

    served = (gain[:, :, None] * rps).max(axis=1) - unit
    worths_of, first = served.tolist(), early[:, 1].tolist()

    def worth(levels: tuple[int, ...]) -> float:
        total = sum(worths_of[t][level] for t, level in enumerate(levels))
        for t, (had, has) in enumerate(pairwise(levels), start=1):
            total -= sum((2.0 if level == 0 else 0.5) * first[t] for level in range(had, has))
        return float(total)

    most, found = best_levels(gain, rps, unit, early, 0.5, 2.0)
    assert most == pytest.approx(max(map(worth, product(range(3), repeat=seconds))))
    assert worth(tuple(found.tolist())) == pytest.approx(most)


@pytest.mark.parametrize("surge", [0, 8])
def test_the_bracket_holds_for_pods_with_operating_points(together: Scenario, surge: int) -> None:
    """All of the paper's networks in one pod."""
    scenario, load = of(together, 8, surge), a_load((60, 40.0), (60, 120.0), (60, 40.0))
    bound, chosen = upper_bound(scenario, load), hindsight(scenario, load)
    assert 0.98 * bound <= chosen.measures.objective <= bound
    assert run_ours(scenario, load).objective <= chosen.measures.objective + 0.001


def test_the_best_static_pods_may_have_operating_points(together: Scenario) -> None:
    scenario, load = of(together, 8, 0), a_load((60, 20.0), (30, 100.0))
    best = static_best(scenario, load, 1)
    assert best.measures.violations < 0.001
    assert best.measures.objective <= upper_bound(scenario, load)
