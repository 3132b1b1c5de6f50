"""
Ways to a plan that once broke a bound: of each kind the simplest that was drawn.

Each is played to its end: at its plan in time, or at a rest (liveness.py).
"""

import asyncio

import pytest

from infadapter_operator.domain.observed import Cause, Resize
from tests.operator.rollout.liveness import Rollout
from tests.operator.rollout.liveness_cases import Case, Group, Kind, There

WAYS = {
    "surge that only serves makes way for what finds no node": Case(
        kinds=(
            Kind(10.0, {200: 78.35, 400: 156.7, 1000: 391.75, 2000: 783.5}),
            Kind(1.0, {400: 22.0, 1000: 55.0, 2000: 110.0}),
        ),
        plans=((Group(0, 200, 3),),),
        there=(There(1, 2000, carries=False),),
        demand_rps=70.51,
        budget=1600,
        surge=1000,
        node=2000,
    ),
    "overloaded, what is beyond the budget goes back at a rest": Case(
        kinds=(Kind(10.0, {200: 78.35, 400: 156.7, 600: 235.05, 2000: 783.5}),),
        plans=((Group(0, 600, 6),),),
        there=(There(0, 2000), There(0, 400, carries=False), There(0, 400), There(0, 800)),
        demand_rps=1269.27,
        budget=3600,
        surge=500,
        confirm_s=0.0,
    ),
    "no size above the largest Ready one is planned where a smaller one finds no node": Case(
        kinds=(
            Kind(1.0, {200: 4.0, 2000: 40.0}),
            Kind(3.0, {400: 22.0, 2000: 110.0}),
            Kind(10.0, {200: 11.0, 1000: 55.0}),
            Kind(1.0, {400: 22.0, 2000: 110.0}),
        ),
        plans=((Group(3, 2000, 1),),),
        there=(There(1, 400), There(0, 200), There(0, 200, carries=False)),
        demand_rps=108.9,
        budget=3000,
        surge=0,
        node=2000,
        confirm_s=4.0,
    ),
    "what a pod serves of a size below all that was measured is not known": Case(
        kinds=(
            Kind(3.0, {600: 12.0, 1000: 20.0}),
            Kind(3.0, {1000: 20.0}),
            Kind(0.1, {1000: 55.0}),
        ),
        plans=((Group(2, 1000, 3),),),
        there=(
            There(0, 800, carries=False),
            There(0, 600, carries=False),
            There(2, 1000, ready=False, carries=False),
            There(2, 1000),
            There(1, 800),
        ),
        demand_rps=163.35,
        budget=4000,
        surge=500,
        confirm_s=4.0,
    ),
    "headroom above the demand goes before what carries": Case(
        kinds=(
            Kind(10.0, {400: 44.72, 2000: 223.6}),
            Kind(1.0, {200: 4.0, 2000: 40.0}),
            Kind(10.0, {200: 0.8, 2000: 8.0}),
            Kind(3.0, {200: 11.0, 400: 22.0, 1000: 55.0, 2000: 110.0}),
        ),
        plans=((Group(0, 400, 8), Group(2, 2000, 1)),),
        there=(
            There(1, 2000),
            There(1, 200, carries=False),
            There(1, 2000),
            There(0, 400),
            There(0, 400, carries=False),
            There(1, 200, ready=False, carries=False),
            There(3, 800),
        ),
        demand_rps=256.03,
        budget=6200,
        surge=200,
        confirm_s=0.0,
        lag_s=2.0,
    ),
    "nothing is given up while a pod that came up too large shrinks": Case(
        kinds=(
            Kind(0.1, {200: 0.8, 400: 1.6, 600: 2.4, 1000: 4.0}),
            Kind(10.0, {1000: 20.0, 2000: 40.0}),
            Kind(1.0, {400: 1.6, 2000: 8.0}),
        ),
        plans=((Group(0, 600, 8),),),
        there=(There(0, 1000, ready=False, carries=False), There(1, 2000)),
        demand_rps=13.44,
        budget=4800,
        surge=200,
    ),
    "a resize that waits for its node is waited for": Case(
        kinds=(
            Kind(0.1, {200: 4.0}),
            Kind(1.0, {2000: 40.0}),
            Kind(0.1, {200: 4.0, 400: 8.0, 1000: 20.0}),
        ),
        plans=((Group(0, 200, 4), Group(1, 2000, 5), Group(2, 400, 3)),),
        there=(
            There(2, 1000, carries=False),
            There(0, 200),
            There(2, 1000),
            There(1, 800),
            There(1, 800, carries=False),
            There(1, 2000),
            There(2, 1000),
            There(1, 800, carries=False),
        ),
        demand_rps=237.6,
        budget=13000,
        surge=2000,
        node=12000,
        confirm_s=0.0,
    ),
    "in an overload nothing shrinks for what is not sent to yet": Case(
        kinds=(Kind(0.1, {200: 43.3, 400: 86.6, 1000: 216.5, 2000: 433.0}),),
        plans=((Group(0, 1000, 5),),),
        there=(There(0, 800), There(0, 2000), There(0, 400, carries=False)),
        demand_rps=2165.0,
        budget=5000,
        surge=1000,
        confirm_s=4.0,
    ),
    "two pods that cost nothing make way and not one that takes too much": Case(
        kinds=(
            Kind(10.0, {400: 22.0}),
            Kind(3.0, {2000: 40.0}),
            Kind(10.0, {600: 12.0, 2000: 40.0}),
            Kind(0.1, {200: 4.0, 600: 12.0, 2000: 40.0}),
        ),
        plans=((Group(3, 2000, 8),),),
        there=(
            There(1, 2000),
            There(0, 800),
            There(1, 2000),
            There(2, 600, carries=False),
            There(0, 400),
            There(2, 2000, ready=False, carries=False),
            There(2, 600),
        ),
        demand_rps=288.0,
        budget=16200,
        surge=500,
        confirm_s=4.0,
    ),
    "a roll beside larger pods holds the most when it begins": Case(
        kinds=(
            Kind(10.0, {200: 0.8, 400: 1.6, 1000: 4.0}),
            Kind(0.1, {200: 22.36, 400: 44.72, 600: 67.08, 2000: 223.6}),
            Kind(3.0, {200: 78.35, 400: 156.7, 1000: 391.75}),
            Kind(10.0, {200: 0.8, 400: 1.6, 1000: 4.0, 2000: 8.0}),
        ),
        plans=(
            (Group(0, 200, 7), Group(1, 2000, 8), Group(2, 1000, 3)),
            (Group(1, 2000, 5),),
            (Group(1, 400, 8),),
            (Group(0, 200, 7), Group(1, 2000, 8), Group(2, 1000, 3)),
        ),
        there=(There(2, 400, ready=False, carries=False), There(3, 2000)),
        demand_rps=2078.75,
        budget=20400,
        surge=500,
        confirm_s=4.0,
    ),
    "patience that began anew with a pod that came has no name of a rest": Case(
        kinds=(
            Kind(0.1, {200: 4.0, 600: 12.0}),
            Kind(0.1, {200: 4.0, 600: 12.0}),
            Kind(0.1, {200: 78.35, 400: 156.7, 1000: 391.75, 2000: 783.5}),
            Kind(0.1, {200: 78.35, 400: 156.7, 1000: 391.75, 2000: 783.5}),
        ),
        plans=((Group(0, 200, 5), Group(2, 1000, 3)),),
        there=(
            There(1, 800, ready=False, carries=False),
            There(3, 1000, carries=False),
            There(2, 400, ready=False, carries=False),
            There(0, 200, carries=False),
            There(3, 2000, carries=False),
        ),
        demand_rps=1183.3,
        budget=5000,
        surge=5000,
        node=4400,
    ),
    "nothing rolls for resizes that wait while something makes way for them": Case(
        kinds=(
            Kind(10.0, {200: 43.3, 400: 86.6, 1000: 216.5, 2000: 433.0}),
            Kind(10.0, {200: 43.3, 400: 86.6, 1000: 216.5, 2000: 433.0}),
        ),
        plans=((Group(0, 1000, 2), Group(1, 1000, 5)),),
        there=(
            There(1, 1000, ready=False, carries=False),
            There(0, 2000),
            There(1, 800),
            There(0, 400),
            There(1, 1000),
            There(1, 800, carries=False),
            There(0, 400),
        ),
        demand_rps=1500.35,
        budget=7200,
        surge=7200,
        node=7000,
        lag_s=2.0,
    ),
    "who is not sent to yet by weights that are obeyed does not shrink": Case(
        kinds=(
            Kind(1.0, {200: 11.0, 400: 22.0, 600: 33.0, 2000: 110.0}),
            Kind(0.1, {200: 11.0, 400: 22.0, 1000: 55.0, 2000: 110.0}),
        ),
        plans=((Group(0, 2000, 2), Group(1, 1000, 6)), (Group(0, 400, 8), Group(1, 200, 3))),
        there=(There(0, 400), There(0, 600), There(0, 600)),
        demand_rps=146.3,
        budget=11000,
        surge=11000,
        confirm_s=4.0,
    ),
    "a roll keeps the room that it began with": Case(
        kinds=(
            Kind(1.0, {400: 1.6, 600: 2.4}),
            Kind(1.0, {600: 12.0}),
            Kind(1.0, {200: 0.8, 600: 2.4, 1000: 4.0, 2000: 8.0}),
            Kind(0.1, {200: 4.0, 1000: 20.0}),
        ),
        plans=((Group(3, 200, 5),), (Group(2, 2000, 1), Group(3, 200, 7))),
        there=(There(1, 600), There(3, 1000), There(3, 800), There(3, 200)),
        demand_rps=25.2,
        budget=3600,
        surge=0,
    ),
    "what finds no node and what waited meanwhile are not planned in turn": Case(
        kinds=(
            Kind(3.0, {200: 4.0}),
            Kind(3.0, {200: 4.0, 400: 8.0, 1000: 20.0, 2000: 40.0}),
            Kind(1.0, {200: 11.0}),
            Kind(1.0, {200: 22.36}),
        ),
        plans=((Group(2, 200, 5),),),
        there=(
            There(1, 400, ready=False, carries=False),
            There(1, 400),
            There(0, 200, ready=False, carries=False),
        ),
        demand_rps=38.5,
        budget=1200,
        surge=2000,
        node=1000,
        confirm_s=0.0,
        lag_s=2.0,
    ),
    "nor where resizes wait, too": Case(
        kinds=(
            Kind(3.0, {1000: 111.8}),
            Kind(3.0, {1000: 111.8}),
            Kind(0.1, {400: 22.0}),
            Kind(0.1, {200: 11.0, 400: 22.0, 1000: 55.0}),
        ),
        plans=((Group(2, 400, 5), Group(3, 400, 1)),),
        there=(There(0, 1000), There(3, 400, carries=False), There(0, 1000, carries=False)),
        demand_rps=92.4,
        budget=2400,
        surge=2400,
        node=2400,
    ),
    "those that all weights name suffice while the router takes up one after the other": Case(
        kinds=(
            Kind(10.0, {2000: 110.0}),
            Kind(0.1, {200: 43.3, 600: 129.9, 1000: 216.5, 2000: 433.0}),
            Kind(10.0, {1000: 20.0, 2000: 40.0}),
            Kind(1.0, {200: 78.35, 600: 235.05, 1000: 391.75, 2000: 783.5}),
        ),
        plans=((Group(1, 600, 5), Group(2, 1000, 3)),),
        there=(
            There(1, 600, ready=False, carries=False),
            There(1, 2000),
            There(3, 2000),
            There(2, 1000),
            There(1, 600),
            There(1, 800),
            There(1, 200),
        ),
        demand_rps=702.4,
        budget=7000,
        surge=500,
        node=7400,
        confirm_s=4.0,
    ),
    "a plan that is reached while a roll goes on is not left as it is": Case(
        kinds=(Kind(0.1, {200: 4.0, 600: 12.0, 1000: 20.0, 2000: 40.0}),),
        plans=((Group(0, 600, 1),), (Group(0, 600, 3),), (Group(0, 600, 5),)),
        there=(
            There(0, 2000, ready=False, carries=False),
            There(0, 200, ready=False, carries=False),
        ),
        demand_rps=42.0,
        budget=3000,
        surge=0,
        confirm_s=0.0,
        lag_s=2.0,
    ),
    "what waits for a node is no reason to make room in the budget for more of it": Case(
        kinds=(
            Kind(10.0, {1000: 111.8}),
            Kind(10.0, {200: 22.36, 400: 44.72, 600: 67.08, 1000: 111.8}),
            Kind(1.0, {400: 86.6, 1000: 216.5}),
            Kind(10.0, {200: 22.36, 400: 44.72, 600: 67.08, 1000: 111.8}),
        ),
        plans=((Group(2, 400, 4),),),
        there=(There(2, 1000), There(1, 200)),
        demand_rps=342.94,
        budget=2600,
        surge=200,
        node=1800,
    ),
    "what is beyond the budget goes back although a roll stands still": Case(
        kinds=(
            Kind(10.0, {600: 235.05, 2000: 783.5}),
            Kind(10.0, {600: 235.05, 2000: 783.5}),
            Kind(1.0, {200: 0.8, 400: 1.6, 600: 2.4, 1000: 4.0}),
            Kind(10.0, {200: 43.3, 400: 86.6, 1000: 216.5, 2000: 433.0}),
        ),
        plans=((Group(0, 2000, 4), Group(1, 2000, 3), Group(2, 200, 1)),),
        there=(There(1, 600, carries=False), There(3, 2000), There(3, 800, carries=False)),
        demand_rps=4936.77,
        budget=14200,
        surge=14200,
        node=14400,
        lag_s=2.0,
    ),
    "what waits for its size serves on where a roll for it finds no node": Case(
        kinds=(Kind(1.0, {600: 12.0, 2000: 40.0}),),
        plans=((Group(0, 2000, 4),),),
        there=(
            There(0, 600),
            There(0, 600),
            There(0, 2000),
            There(0, 600, carries=False),
            There(0, 800),
        ),
        demand_rps=158.4,
        budget=8000,
        surge=8000,
        node=8200,
    ),
}

TROUBLES = {
    "a pod too many whose growth fails goes where budget is short of it": Case(
        kinds=(Kind(0.1, {2000: 110.0}),),
        plans=((Group(0, 2000, 3),),),
        there=(
            There(0, 2000),
            There(0, 2000, ready=False, carries=False),
            There(0, 800),
            There(0, 2000),
            There(0, 800),
        ),
        demand_rps=429.0,
        budget=7000,
        surge=1000,
        node=7600,
        fates={0: Resize.FAILING},
    ),
    "what was refused its size does not serve what is planned": Case(
        kinds=(Kind(10.0, {400: 44.72, 600: 67.08}), Kind(10.0, {400: 44.72, 600: 67.08})),
        plans=((Group(0, 600, 3),),),
        there=(
            There(0, 600, carries=False),
            There(1, 400),
            There(0, 400),
            There(1, 600),
            There(0, 400, ready=False, carries=False),
            There(0, 400),
        ),
        demand_rps=261.61,
        budget=2000,
        surge=1000,
        fates={0: Resize.REFUSED, 1: Resize.REFUSED},
    ),
    "a roll replaces what waits for a node, too, and brings no pod more": Case(
        kinds=(
            Kind(0.1, {200: 43.3, 400: 86.6, 1000: 216.5, 2000: 433.0}),
            Kind(3.0, {200: 22.36, 600: 67.08, 1000: 111.8, 2000: 223.6}),
        ),
        plans=((Group(0, 1000, 1), Group(1, 1000, 1)),),
        there=(There(0, 400),),
        demand_rps=98.49,
        budget=2000,
        surge=200,
        node=400,
    ),
    "a pod that is evicted from a lost node at a rest is made anew, and taken back": Case(
        kinds=(Kind(10.0, {400: 22.0, 600: 33.0}), Kind(3.0, {200: 4.0, 1000: 20.0})),
        plans=((Group(1, 200, 2),),),
        there=(There(1, 200, lost=True), There(1, 200, ready=False, carries=False)),
        demand_rps=10.4,
        budget=600,
        surge=0,
        node=400,
        never={0: Cause.NOT_READY},
        fates={1: Resize.DEFERRED, 0: Resize.FAILING},
    ),
}


@pytest.mark.parametrize("case", WAYS.values(), ids=WAYS)
def test_a_way_that_broke_a_bound_is_gone_in_time(case: Case) -> None:
    asyncio.run(Rollout(case).reaches())


@pytest.mark.parametrize("case", TROUBLES.values(), ids=TROUBLES)
def test_trouble_that_broke_a_bound_is_a_rest_with_a_name(case: Case) -> None:
    asyncio.run(Rollout(case).rests())
