"""The published decisions of InfAdapter (EuroMLSys'23), by both methods."""

import json
import math
from pathlib import Path

import pytest

from infadapter_solver import Allocation, Method, Objective, Plan, PodSize, Problem, Variant, solve

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDEN = SHARED / "data" / "infadapter" / "golden_decisions.json"

# Published with InfAdapter: accuracy, load time, and the line through the measured capacities.
RESNETS = {
    "18": (0.69758, 6.44, 24.4462, -6),
    "34": (0.73314, 6.79, 13.0444, -1),
    "50": (0.7613, 6.82, 10.3212, -3),
    "101": (0.77374, 7.77, 5.0901, 0),
    "152": (0.78312, 8.52, 3.8145, -2),
}
# Measured capacities on 1 … 20 cores of the three that the motivating figure uses.
RAW = {
    "50": "8 17 30 36 48 65 67 78 84 97 109 118 128 145 148 162 161 177 184 200",
    "101": "5 10 17 22 29 31 36 39 47 47 55 65 65 71 78 82 89 88 93 98",
    "152": "1 5 13 15 16 25 25 27 29 38 40 39 46 49 53 59 59 55 61 67",
}

both_methods = pytest.mark.parametrize("method", ["exact", "milp"])


def capacities(name: str) -> list[float]:
    _, _, slope, intercept = RESNETS[name]
    return [float(math.floor(0.8 * (slope * n + intercept))) for n in range(2, 21)]


def resnet(name: str, rps: list[float], first_size: int) -> Variant:
    accuracy, load_time_s, _, _ = RESNETS[name]
    sizes = enumerate(rps, start=first_size)
    return Variant(
        name=name,
        accuracy=accuracy,
        load_time_s=load_time_s,
        allocations=tuple(
            Allocation(size=PodSize(resources={"cpu": 1000 * n}), capacity_rps=capacity)
            for n, capacity in sizes
        ),
    )


def paper(demand_rps: float, cost_weight: float, *, max_targets: int = 16) -> Problem:
    return Problem(
        variants=tuple(resnet(name, capacities(name), 2) for name in RESNETS),
        demand_rps=demand_rps,
        max_pods_per_target=1,
        max_targets=max_targets,
        resize_loads=True,
        objective=Objective(budget={"cpu": 20_000}, cost_weight=cost_weight),
    )


def cores(plan: Plan) -> dict[str, int]:
    return {g.target.variant: g.allocation.cpu_millicores // 1000 for g in plan.groups}


@both_methods
@pytest.mark.parametrize(
    ("demand_rps", "expected"),
    [
        (20, {"152": 8}),
        (40, {"101": 10}),
        (60, {"50": 8}),
        (69, {"50": 9}),  # cut off in the released model; objective 0.7388
        (100, {"50": 13}),
        (150, {"50": 19}),
        (200, {"18": 4, "50": 16}),
        (250, {"18": 8, "34": 2, "50": 10}),
        (300, {"18": 13, "50": 7}),
        (350, {"18": 17, "34": 3}),
        (386, {"18": 20}),
    ],
)
def test_sets_at_the_paper_s_weight(
    method: Method, demand_rps: float, expected: dict[str, int]
) -> None:
    plan = solve(paper(demand_rps, 0.05), method=method)
    assert plan.feasible
    assert cores(plan) == expected


@both_methods
def test_beyond_the_largest_capacity_the_plan_is_the_best_effort(method: Method) -> None:
    plan = solve(paper(387, 0.05), method=method)
    assert not plan.feasible
    assert plan.objective is None
    assert cores(plan) == {"18": 20}
    assert sum(plan.served_rps.values()) == 386


@both_methods
def test_all_golden_decisions(method: Method) -> None:
    if not GOLDEN.exists():
        pytest.skip(f"{GOLDEN.name} is not beside the repository")
    decisions = json.loads(GOLDEN.read_text())["decisions"]
    assert len(decisions) == 35
    for decision in decisions:
        for key, max_targets in (("set", 16), ("single", 1)):
            problem = paper(decision["lambda"], decision["beta"], max_targets=max_targets)
            plan, golden = solve(problem, method=method), decision[key]
            if golden is None:
                assert not plan.feasible
                continue
            where = (decision["beta"], decision["lambda"], key)
            assert cores(plan) == {name: n for name, n in golden["cores"].items() if n}, where
            assert plan.accuracy == pytest.approx(golden["AA"], abs=1e-6), where
            assert plan.objective == pytest.approx(golden["objective"], abs=1e-6), where


@both_methods
@pytest.mark.parametrize(
    ("budget", "loss", "loss_alone"),
    [(8, 2.016, 2.182), (14, 0.974, 2.182), (20, 0.200, 0.938)],
)
def test_the_paper_s_motivating_figure(
    method: Method, budget: int, loss: float, loss_alone: float
) -> None:
    for max_targets, expected in ((16, loss), (1, loss_alone)):
        problem = Problem(
            variants=tuple(
                resnet(name, [float(rps) for rps in row.split()], 1) for name, row in RAW.items()
            ),
            demand_rps=75,
            max_pods_per_target=1,
            max_targets=max_targets,
            objective=Objective(budget={"cpu": 1000 * budget}, cost_weight=0.0001),
        )
        plan = solve(problem, method=method)
        assert 100 * (0.78312 - plan.accuracy) == pytest.approx(expected, abs=0.0005)
