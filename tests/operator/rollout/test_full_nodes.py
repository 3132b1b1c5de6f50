"""
Rollouts on full nodes without room for several variants, which once exceeded a time bound: the
simplest drawn case of each kind.

Each runs until its plan is reached in time, or until a rest (liveness.py).
"""

import asyncio

import pytest

from tests.operator.rollout.liveness import Rollout
from tests.operator.rollout.liveness_cases import Case, Group, Kind, There

CASES = {
    "what found no node is not planned again when a resize has waited meanwhile": Case(
        kinds=(
            Kind(1.0, {400: 156.7}),
            Kind(0.1, {200: 4.0, 400: 8.0, 600: 12.0, 1000: 20.0}),
            Kind(0.1, {200: 0.8, 600: 2.4, 1000: 4.0, 2000: 8.0}),
        ),
        plans=((Group(0, 400, 2), Group(1, 600, 3)),),
        there=(
            There(2, 200, ready=False, carries=False),
            There(2, 200, ready=False, carries=False),
            There(1, 1000, carries=False),
            There(2, 2000, carries=False),
        ),
        demand_rps=345.91,
        budget=3600,
        surge=1000,
        node=3600,
    ),
    "nor what did not grow": Case(
        kinds=(Kind(10.0, {600: 33.0, 2000: 110.0}), Kind(10.0, {600: 33.0, 2000: 110.0})),
        plans=((Group(0, 2000, 3),),),
        there=(There(0, 600, carries=False), There(1, 600, carries=False), There(1, 600)),
        demand_rps=326.7,
        budget=7000,
        surge=200,
        node=7000,
        confirm_s=0.0,
    ),
    "nor what did either, of three variants": Case(
        kinds=(
            Kind(0.1, {200: 78.35, 400: 156.7, 1000: 391.75, 2000: 783.5}),
            Kind(3.0, {1000: 391.75}),
            Kind(1.0, {600: 129.9, 2000: 433.0}),
        ),
        plans=((Group(0, 2000, 4),),),
        there=(There(0, 1000), There(1, 800, carries=False)),
        demand_rps=3102.66,
        budget=9000,
        surge=1000,
        node=8000,
    ),
    "a roll whose new pod is waited for, and does not count, stands still": Case(
        kinds=(
            Kind(10.0, {200: 11.0, 400: 22.0, 600: 33.0, 2000: 110.0}),
            Kind(3.0, {200: 22.36, 400: 44.72, 600: 67.08, 2000: 223.6}),
        ),
        plans=((Group(0, 200, 5), Group(1, 400, 5)),),
        there=(There(1, 2000),),
        demand_rps=195.02,
        budget=4000,
        surge=500,
        node=3200,
    ),
    "the only pod is not given up for a size that its node refuses and no other has": Case(
        kinds=(
            Kind(3.0, {400: 8.0, 600: 12.0, 2000: 40.0}),
            Kind(0.1, {200: 78.35, 400: 156.7, 1000: 391.75, 2000: 783.5}),
            Kind(10.0, {1000: 111.8, 2000: 223.6}),
        ),
        plans=((Group(1, 200, 2),),),
        there=(There(0, 400, carries=False),),
        demand_rps=109.69,
        budget=600,
        surge=200,
        node=400,
        confirm_s=0.0,
    ),
    "what is planned smaller as it found no node is waited for once more": Case(
        kinds=(
            Kind(10.0, {400: 8.0}),
            Kind(0.1, {400: 8.0, 600: 12.0, 1000: 20.0, 2000: 40.0}),
            Kind(10.0, {400: 8.0, 600: 12.0, 1000: 20.0, 2000: 40.0}),
            Kind(10.0, {200: 4.0, 400: 8.0, 600: 12.0, 1000: 20.0}),
        ),
        plans=((Group(1, 1000, 1),),),
        there=(There(3, 600),),
        demand_rps=14.0,
        budget=2000,
        surge=0,
        node=1000,
        lag_s=2.0,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_on_a_full_node_a_rollout_ends_in_time(case: Case) -> None:
    asyncio.run(Rollout(case).reaches())
