"""Operating points in the programme against exhaustive search, and what they may never do: hurt."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from infadapter_profiles.frontier import Served, frontier
from infadapter_profiles.sizes import PointCapacity
from infadapter_solver import (
    Allocation,
    InvalidProblem,
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
    solve,
)
from infadapter_solver.candidates import requirement
from infadapter_solver.exact import mixed
from infadapter_solver.exact.search import dive
from infadapter_solver.exact.tables import tables_for
from infadapter_solver.greedy import greedy
from infadapter_solver.objective import TIE, score

BLOCK, BLOCKS = 12, 5
METHODS: tuple[Method, ...] = ("exact", "milp")


def test_traffic_fills_pods_by_the_accuracy_that_each_request_adds() -> None:
    """0.9 for 10 requests, then 0.8 of `plain` for 5, then 0.7 for each of ten more of `net`."""
    net = points_of(("deep", 0.9, 10), ("shallow", 0.8, 20))
    plain = Allocation(size=PodSize(resources={"cpu": 1000}), capacity_rps=5)
    problem = Problem(
        variants=(variant("net", 0.9, net), variant("plain", 0.8, plain)),
        demand_rps=18,
        objective=Objective(budget={"cpu": 4000}),
    )
    plan = evaluate(problem, [pods("plain", plain), pods("net", net)])
    assert plan.served_rps == pytest.approx({Target("net"): 13, Target("plain"): 5})
    assert plan.accuracy == pytest.approx((10 * 0.9 + 5 * 0.8 + 3 * 0.7) / 18)
    assert plan.feasible


def test_requests_that_add_less_than_nothing_are_served_where_the_demand_needs_it() -> None:
    net = points_of(("deep", 0.9, 10), ("rough", 0.3, 20))
    problem = Problem(
        variants=(variant("net", 0.9, net),),
        demand_rps=20,
        objective=Objective(budget={"cpu": 1000}),
    )
    plan = solve(problem)
    assert plan.feasible
    assert plan.accuracy == pytest.approx(0.3)
    assert solve(replace(problem, demand_rps=15)).accuracy == pytest.approx(
        (5 * 0.9 + 10 * 0.3) / 15
    )


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("method", METHODS)
def test_the_plan_is_what_exhaustive_search_finds(method: Method, block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        problem = random_problem(seed)
        served_rps, worth, feasible = exhaustive(problem)
        plan = solve(problem, method=method, time_limit_s=60)
        assert plan.feasible == feasible, seed
        assert sum(plan.served_rps.values()) == pytest.approx(served_rps, rel=1e-9), seed
        assert score(problem, plan) == pytest.approx(worth, abs=2 * TIE), seed
        assert score(problem, plan) == pytest.approx(value(problem, plan.groups), abs=1e-9), seed


@pytest.mark.parametrize("block", range(BLOCKS))
def test_points_never_hurt_and_bounds_hold(block: int) -> None:
    for seed in range(1000 + block * BLOCK, 1000 + (block + 1) * BLOCK):
        problem = random_problem(seed)
        plan = solve(problem, time_limit_s=60)
        for plain in (only(problem, 0), only(problem, -1)):
            least = solve(plain)
            assert plan.feasible >= least.feasible, seed
            if least.objective is not None:
                assert plan.objective is not None
                assert plan.objective >= least.objective - 2 * TIE, seed
        quick = greedy(problem)
        plans, ceiling = dive(problem, requirement(problem))
        assert sum(quick.served_rps.values()) <= sum(plan.served_rps.values()) * (1 + 1e-9), seed
        if plan.objective is not None:
            assert ceiling >= plan.objective - 1e-9, seed
            known = [p.objective for p in (quick, *plans) if p.objective is not None]
            assert max(known, default=-1.0) <= plan.objective + 2 * TIE, seed


@pytest.mark.parametrize("seed", range(20))
def test_at_time_out_the_plan_with_points_tells_its_distance(seed: int) -> None:
    problem = random_problem(seed)
    optimum, cut = solve(problem, time_limit_s=60), solve(problem, method="milp", time_limit_s=1e-6)
    within = replace(problem, demand_rps=0.0, min_replicas=0)
    assert [phrase for phrase in broken(within, cut) if "rps wanted" not in phrase] == []
    if optimum.objective is not None and cut.objective is not None:
        assert cut.objective + cut.gap >= optimum.objective - 2 * TIE


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sizes", [(0.5, 1, 2, 3, 4, 6, 8), (1, 2, 4, 8, 12, 16)])
def test_the_two_ways_agree_beyond_what_can_be_enumerated(
    seed: int, sizes: tuple[float, ...]
) -> None:
    problem = many_sizes(seed, sizes)
    one, other = solve(problem, method="exact"), solve(problem, method="milp", time_limit_s=60)
    assert one.feasible
    assert other.gap == 0
    assert one.objective == pytest.approx(other.objective, abs=2 * TIE)


def test_a_size_that_meets_the_slo_with_a_rough_point_only_is_worth_what_that_is() -> None:
    """No size has two points, and yet two sizes of the variant differ in accuracy."""
    rough = points_of(("deep", 0.9, 0.0), ("rough", 0.5, 20))
    deep = points_of(("deep", 0.9, 10), millicores=2000)
    problem = Problem(
        variants=(variant("net", 0.9, rough, deep),),
        demand_rps=5,
        objective=Objective(budget={"cpu": 4000}, cost_weight=0.1),
    )
    for method in METHODS:
        plan = solve(problem, method=method)
        assert plan.groups == (pods("net", deep),)
        assert plan.accuracy == 0.9
        assert solve(replace(problem, demand_rps=70), method=method).accuracy == 0.5


def test_sizes_with_and_without_points_may_mix_in_one_variant() -> None:
    """The plain size is the more accurate one, and the other serves as much at every point."""
    plain = Allocation(size=PodSize(resources={"cpu": 1000}), capacity_rps=10)
    rough = points_of(("a", 0.8, 10), ("b", 0.5, 20))
    rough = replace(rough, size=PodSize(resources={"cpu": 1000}, batch_size=2))
    problem = Problem(
        variants=(variant("net", 0.9, plain, rough),),
        demand_rps=8,
        objective=Objective(budget={"cpu": 1000}),
    )
    for method in METHODS:
        assert solve(problem, method=method).accuracy == 0.9
        more = solve(replace(problem, demand_rps=15), method=method)
        assert more.accuracy == pytest.approx((5 * 0.8 + 10 * 0.5) / 15)


def test_nothing_is_found_that_is_better_than_the_best() -> None:
    problem = many_sizes(1, (1, 2, 4, 8))
    tables, wanted = tables_for(problem, requirement(problem)), requirement(problem)
    assert tables is not None
    best = solve(problem).objective or 0.0
    assert len(mixed.optima(problem, tables, wanted, best)) in (1, 2)
    for more in (2 * TIE, 0.01, 100.0):
        assert mixed.optima(problem, tables, wanted, best + more) == []


def test_where_labels_are_too_many_the_programme_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = many_sizes(1, (1, 2, 4, 8))
    expected = solve(problem, method="exact")
    monkeypatch.setattr(mixed, "MOST_LABELS", 0)
    with pytest.raises(TooLarge):
        solve(problem, method="exact")
    assert solve(problem).objective == pytest.approx(expected.objective, abs=2 * TIE)


def test_one_point_of_the_variant_s_accuracy_is_as_none() -> None:
    for seed in range(12):
        plain = only(random_problem(seed), 0)
        one = replace(plain, variants=tuple(with_one_point(variant) for variant in plain.variants))
        expected = solve(plain)
        found = solve(one)
        assert shape(found) == shape(expected)
        assert (found.served_rps, found.accuracy) == (expected.served_rps, expected.accuracy)
        assert (found.objective, found.cost) == (expected.objective, expected.cost)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([("a", 0.9, 0.5), ("a", 0.8, 1.0)], "two operating points called a"),
        ([("a", 0.9, 0.5), ("b", 0.8, 0.9)], "must rise to its capacity"),
        ([("a", 0.9, 1.0), ("b", 0.8, 1.0)], "must rise to its capacity"),
        ([("a", 0.9, 0.0), ("b", 0.8, 1.0)], "must rise to its capacity"),
        ([("a", 0.8, 0.5), ("b", 0.9, 1.0)], "of net must fall"),
        ([("a", 0.95, 1.0)], "of net must fall, from its own at most"),
        ([("a", float("nan"), 1.0)], "the accuracy of net at a must be a number"),
        ([("a", 0.9, 0.2), ("b", 0.5, 0.25), ("c", 0.4, 1.0)], "below the line between two"),
    ],
)
def test_points_that_are_no_frontier_are_refused_by_name(
    points: list[tuple[str, float, float]], said: str
) -> None:
    wrong = Allocation(
        size=PodSize(resources={"cpu": 1000}),
        capacity_rps=10,
        points=tuple(
            PointCapacity(name=name, accuracy=accuracy, capacity_ratio=ratio)
            for name, accuracy, ratio in points
        ),
    )
    problem = Problem(
        variants=(variant("net", 0.9, wrong),),
        demand_rps=1,
        objective=Objective(budget={"cpu": 1000}),
    )
    with pytest.raises(InvalidProblem, match=said):
        solve(problem)


# --- the reference: every set of pods, and of each what its points can do, by a linear sweep


def exhaustive(problem: Problem) -> tuple[float, float, bool]:
    """What can be served at most, what serving that is worth at best, and whether it will do."""
    found = [(served(problem, groups), groups) for groups in every_plan(problem)]
    most = max(rps for rps, _ in found)
    kept = [groups for rps, groups in found if rps >= most * (1 - 1e-9)]
    enough = [g for g in kept if sum(group.pods for group in g) >= problem.min_replicas]
    worth = max(value(problem, groups) for groups in enough or kept)
    return most, worth, bool(enough) and most >= problem.demand_rps * (1 - 1e-9)


def every_plan(problem: Problem) -> Iterator[tuple[PodGroup, ...]]:
    budget = problem.budget["cpu"]
    choices = [
        [None]
        + [
            PodGroup(target=Target(v.name), allocation=a, pods=n)
            for a in v.allocations
            for n in range(1, budget // a.cpu_millicores + 1)
        ]
        for v in problem.variants
    ]
    for chosen in itertools.product(*choices):
        groups = tuple(group for group in chosen if group is not None)
        fits = sum(g.pods * g.allocation.cpu_millicores for g in groups) <= budget
        limits = problem.pod_limits.get
        within = all(group.pods <= limits(group.target, group.pods) for group in groups)
        if fits and within and len(groups) <= problem.max_targets:
            yield groups


def served(problem: Problem, groups: tuple[PodGroup, ...]) -> float:
    return min(problem.demand_rps, sum(g.pods * g.allocation.capacity_rps for g in groups))


def value(problem: Problem, groups: tuple[PodGroup, ...]) -> float:
    """
    The best way to answer: all pods' time in steps from one point to the next, each step the one
    that loses the least accuracy for each request more.
    """
    gained, steps = 0.0, []
    rps = served(problem, groups)
    for group in groups:
        own = next(v for v in problem.variants if v.name == group.target.variant)
        at = [(p.capacity_ratio, p.accuracy) for p in group.allocation.points]
        at = [(0.0, 0.0), *(at or [(1.0, own.accuracy)])]
        most_rps = group.pods * group.allocation.capacity_rps
        for (low, before), (high, after) in itertools.pairwise(at):
            more, gain = (high - low) * most_rps, (high * after - low * before) * most_rps
            steps.append((-gain / more, more))
    left = rps
    for loss, more in sorted(steps):
        taken = min(left, more)
        gained, left = gained - loss * taken, left - taken
    cost = sum(g.pods * g.allocation.cpu_millicores for g in groups) / problem.budget["cpu"]
    running = {group.target: group.pods for group in problem.running}
    starts = any(group.pods > running.get(group.target, 0) for group in groups)
    weights = problem.objective.cost_weight, problem.objective.loading_weight
    return gained / rps - weights[0] * cost - weights[1] * starts if rps else 0.0


# --- the instances


def random_problem(seed: int) -> Problem:
    draw = random.Random(seed)
    variants = tuple(random_variant(draw, n) for n in range(draw.randint(1, 3)))
    runs = draw.choice(variants)
    running = pods(runs.name, runs.allocations[0], draw.randint(1, 2))
    return Problem(
        variants=variants,
        max_targets=draw.choice([16, 16, 16, 1, 2]),
        pod_limits=draw.choice([{}, {}, {Target("v0"): draw.randint(0, 2)}]),
        running=draw.choice([(), (running,)]),
        demand_rps=draw.choice([1.0, draw.uniform(1, 80), float(draw.randint(1, 120))]),
        min_replicas=draw.choice([1, 1, 2]),
        objective=Objective(
            budget={"cpu": draw.choice([2000, 3000, 4000])},
            cost_weight=draw.choice([0.0, 0.05, 0.2, 1.0]),
            loading_weight=draw.choice([0.0, 0.0, 0.05]),
        ),
    )


def random_variant(draw: random.Random, index: int) -> Variant:
    best = draw.uniform(0.6, 0.95)
    names = ["a", "b", "c"][: draw.choice([1, 2, 2, 3])]
    accuracies = [best * draw.uniform(0.6, 0.99) ** n for n in range(len(names))]
    speed = draw.uniform(2, 8)
    rates = [speed * draw.uniform(1.3, 3) ** n for n in range(len(names))]
    sizes = draw.sample([1000, 1500, 2000], draw.randint(1, 2))
    return variant(
        f"v{index}",
        best,
        *(
            points_of(
                *(
                    (name, accuracy, rps * millicores / 1000 * draw.uniform(0.8, 1.1))
                    for name, accuracy, rps in zip(names, accuracies, rates, strict=True)
                ),
                millicores=millicores,
            )
            for millicores in sizes
        ),
    )


def many_sizes(seed: int, sizes: tuple[float, ...]) -> Problem:
    draw = random.Random(seed)
    return Problem(
        variants=tuple(
            variant(
                f"v{n}",
                0.9 - 0.08 * n,
                *(
                    points_of(
                        *(
                            (
                                f"p{k}",
                                0.9 - 0.08 * n - 0.03 * k,
                                5 * 1.6**n * (1 + 0.5 * k) * cores * draw.uniform(0.9, 1),
                            )
                            for k in range(5)
                        ),
                        millicores=int(1000 * cores),
                    )
                    for cores in sizes
                ),
            )
            for n in range(4)
        ),
        demand_rps=draw.uniform(50, 300),
        objective=Objective(
            budget={"cpu": 16_000},
            cost_weight=draw.choice([0.01, 0.05, 0.2]),
            loading_weight=draw.choice([0.0, 0.01]),
        ),
    )


def points_of(*points: tuple[str, float, float], millicores: int = 1000) -> Allocation:
    """Of (name, accuracy, rate)."""
    kept = frontier(Served(*point) for point in points)
    most_rps = next(rps for name, _, rps in points if name == kept[-1].name)
    size = PodSize(resources={"cpu": millicores})
    return Allocation(size=size, capacity_rps=most_rps, points=kept)


def only(problem: Problem, place: int) -> Problem:
    """Every size with one of its points alone, as a variant without points has it."""

    def plain(v: Variant) -> Variant:
        accuracy = {a.points[place].accuracy for a in v.allocations}
        allocations = tuple(
            replace(a, capacity_rps=a.points[place].capacity_ratio * a.capacity_rps, points=())
            for a in v.allocations
        )
        return replace(v, accuracy=min(accuracy), allocations=allocations)

    return replace(problem, variants=tuple(map(plain, problem.variants)))


def with_one_point(v: Variant) -> Variant:
    point = PointCapacity(name="only", accuracy=v.accuracy, capacity_ratio=1.0)
    return replace(v, allocations=tuple(replace(a, points=(point,)) for a in v.allocations))


def variant(name: str, accuracy: float, *allocations: Allocation) -> Variant:
    return Variant(name=name, accuracy=accuracy, load_time_s=5.0, allocations=allocations)


def pods(name: str, allocation: Allocation, count: int = 1) -> PodGroup:
    return PodGroup(target=Target(name), allocation=allocation, pods=count)


def shape(plan: Plan) -> list[tuple[Target, PodSize, int]]:
    return [(g.target, g.allocation.size, g.pods) for g in plan.groups]
