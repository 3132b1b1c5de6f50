"""
Of equal plans the one of fewer models is taken: each model is one more thing to run.

Asked of others: https://github.com/aws/karpenter-provider-aws/issues/5903 (two nodes for one at the
same price), https://github.com/evcc-io/optimizer/pull/115 (a weight for what decides a tie is lost
in the tolerance of the solver).
"""

import random
from dataclasses import replace

import pytest

from infadapter_solver import Allocation, Method, Objective, PodSize, Problem, Variant, score, solve
from infadapter_solver.objective import TIE

EQUAL = 1e-9


@pytest.mark.parametrize("method", ["exact", "milp"])
def test_of_equal_plans_the_one_of_fewer_models_is_taken(method: Method) -> None:
    for seed in range(80):
        problem = with_equal_models(random.Random(seed))
        plan = solve(problem, method=method)
        for most in range(1, len(plan.groups) if plan.feasible else 1):
            fewer = solve(replace(problem, max_targets=most), method="exact")
            as_good = fewer.feasible and score(problem, fewer) >= score(problem, plan) - TIE / 10
            assert not (as_good and fewer.cost <= plan.cost + EQUAL), seed


def with_equal_models(draw: random.Random) -> Problem:
    rps_per_core = draw.choice([10, 20])
    variants = tuple(
        Variant(
            name=f"v{index}",
            accuracy=draw.choice([0.7, 0.7, 0.8]),
            load_time_s=1.0,
            allocations=tuple(
                Allocation(
                    size=PodSize(resources={"cpu": 1000 * cores}),
                    capacity_rps=float(rps_per_core * cores),
                )
                for cores in sorted(draw.sample(range(1, 9), draw.randint(1, 4)))
            ),
        )
        for index in range(draw.randint(2, 4))
    )
    return Problem(
        variants=variants,
        demand_rps=float(draw.randint(1, 12) * rps_per_core),
        objective=Objective(
            budget={"cpu": draw.choice([8000, 16_000])}, accuracy_weight=draw.choice([0.0, 1.0])
        ),
    )
