"""
Troubles that once broke a bound, or had no end: of each kind the simplest that was drawn.

Each is played to its end: at its plan, or where a rest with a name says why (liveness.py).
"""

import asyncio

import pytest

from infadapter_operator.domain.observed import Cause, Resize
from tests.operator.rollout.liveness import Rollout
from tests.operator.rollout.liveness_cases import Case, Group, Kind, There

TROUBLES = {
    "a pod that was ready before is no news of one that fails": Case(
        kinds=(Kind(3.0, {400: 156.7}), Kind(3.0, {400: 156.7})),
        plans=((Group(0, 400, 2), Group(1, 400, 2)),),
        there=(
            There(0, 400),
            There(1, 400, ready=False, carries=False),
            There(0, 400, ready=False, carries=False),
            There(1, 400, carries=False),
        ),
        demand_rps=564.12,
        budget=1600,
        surge=0,
        node=1800,
        lag_s=2.0,
        never={0: Cause.IMAGE, 1: Cause.NO_NODE},
        fates={0: Resize.DEFERRED},
    ),
    "a bridge that was refused is not asked for again and again": Case(
        kinds=(Kind(0.1, {200: 22.36, 600: 67.08, 2000: 223.6}),),
        plans=((Group(0, 2000, 4),),),
        there=(There(0, 600, carries=False),),
        demand_rps=1162.72,
        budget=8000,
        surge=8000,
        confirm_s=0.0,
        never={0: Cause.CONFIG},
        fates={0: Resize.REFUSED},
    ),
    "the only pod to be replaced is not given up for its replacement": Case(
        kinds=(Kind(10.0, {1000: 391.75}),),
        plans=((Group(0, 1000, 3),),),
        there=(There(0, 800), There(0, 800, ready=False, carries=False), There(0, 1000)),
        demand_rps=1527.83,
        budget=3200,
        surge=200,
        node=2600,
        never={0: Cause.IMAGE},
        fates={0: Resize.REFUSED},
    ),
    "beside a lost pod new ones come up at its size": Case(
        kinds=(Kind(0.1, {600: 2.4, 2000: 8.0}), Kind(3.0, {200: 4.0, 2000: 40.0})),
        plans=((Group(0, 600, 2), Group(1, 200, 4)),),
        there=(There(1, 2000, ready=False, carries=False, lost=True),),
        demand_rps=20.59,
        budget=2000,
        surge=500,
        confirm_s=0.0,
        never={1: Cause.CRASH, 0: Cause.IMAGE},
        fates={1: Resize.DEFERRED, 0: Resize.DEFERRED},
    ),
    "what is left out of a roll is not its pod more": Case(
        kinds=(
            Kind(3.0, {200: 0.8, 400: 1.6, 600: 2.4, 1000: 4.0}),
            Kind(3.0, {200: 0.8, 400: 1.6}),
            Kind(3.0, {1000: 216.5}),
        ),
        plans=((Group(0, 600, 1), Group(1, 200, 2), Group(2, 1000, 4)),),
        there=(
            There(1, 200, lost=True),
            There(0, 600, ready=False, carries=False),
            There(0, 600),
            There(0, 400),
            There(0, 600),
        ),
        demand_rps=609.0,
        budget=5000,
        surge=5000,
        node=2600,
    ),
    "a failing pod is not waited for at the expense of what serves": Case(
        kinds=(
            Kind(3.0, {1000: 216.5}),
            Kind(1.0, {2000: 783.5}),
            Kind(0.1, {200: 22.36, 400: 44.72, 600: 67.08, 2000: 223.6}),
            Kind(3.0, {200: 78.35, 1000: 391.75}),
        ),
        plans=((Group(1, 2000, 1), Group(2, 600, 2)),),
        there=(
            There(0, 1000, ready=False, carries=False, lost=True),
            There(3, 1000),
            There(3, 1000),
            There(0, 1000),
            There(3, 200),
        ),
        demand_rps=963.54,
        budget=4200,
        surge=0,
        confirm_s=0.0,
        never={1: Cause.CRASH, 2: Cause.CONFIG},
    ),
    "nothing is given up for a resize that fails": Case(
        kinds=(Kind(0.1, {200: 43.3, 400: 86.6, 1000: 216.5, 2000: 433.0}),),
        plans=((Group(0, 2000, 3),),),
        there=(
            There(0, 200),
            There(0, 200, carries=False),
            There(0, 1000, carries=False),
            There(0, 2000, carries=False),
            There(0, 200),
            There(0, 800),
            There(0, 200, carries=False),
            There(0, 2000, carries=False),
        ),
        demand_rps=1169.1,
        budget=6200,
        surge=500,
        confirm_s=0.0,
        fates={0: Resize.FAILING},
    ),
    "a resize that fails holds no room when it is known to": Case(
        kinds=(Kind(10.0, {200: 11.0, 600: 33.0, 1000: 55.0, 2000: 110.0}),),
        plans=((Group(0, 600, 4),),),
        there=(
            There(0, 1000, ready=False, carries=False),
            There(0, 600, carries=False),
            There(0, 200, carries=False),
            There(0, 200),
            There(0, 200, carries=False),
        ),
        demand_rps=138.6,
        budget=2400,
        surge=0,
        confirm_s=4.0,
        never={0: Cause.REFUSED},
        fates={0: Resize.FAILING},
    ),
    "who is too many beside a roll does not change with the weights": Case(
        kinds=(
            Kind(3.0, {600: 67.08}),
            Kind(1.0, {200: 78.35, 400: 156.7, 600: 235.05, 2000: 783.5}),
        ),
        plans=((Group(0, 600, 1), Group(1, 400, 2)),),
        there=(
            There(1, 2000, carries=False),
            There(0, 800, carries=False),
            There(1, 200, carries=False),
            There(1, 200, carries=False),
        ),
        demand_rps=494.62,
        budget=2400,
        surge=1000,
        confirm_s=0.0,
        lag_s=2.0,
        fates={1: Resize.FAILING},
    ),
    "a roll whose pods are refused is a rest": Case(
        kinds=(Kind(0.1, {400: 86.6, 600: 129.9}),),
        plans=((Group(0, 600, 2),),),
        there=(
            There(0, 400, ready=False, carries=False),
            There(0, 400, ready=False, carries=False),
        ),
        demand_rps=272.79,
        budget=2200,
        surge=0,
        confirm_s=0.0,
        never={0: Cause.REFUSED},
        fates={0: Resize.FAILING},
    ),
    "a roll whose pods do not come gives the surge back": Case(
        kinds=(
            Kind(0.1, {200: 0.8, 400: 1.6, 1000: 4.0, 2000: 8.0}),
            Kind(0.1, {200: 11.0, 2000: 110.0}),
            Kind(10.0, {200: 22.36}),
            Kind(0.1, {200: 11.0, 400: 22.0, 600: 33.0, 1000: 55.0}),
        ),
        plans=((Group(0, 1000, 3), Group(2, 200, 3), Group(3, 600, 2)),),
        there=(
            There(3, 200, ready=False, carries=False),
            There(0, 1000),
            There(0, 1000, carries=False),
            There(0, 800, ready=False, carries=False),
            There(0, 2000),
        ),
        demand_rps=290.16,
        budget=4800,
        surge=4800,
        never={2: Cause.IMAGE, 3: Cause.IMAGE},
        fates={2: Resize.REFUSED, 3: Resize.REFUSED},
    ),
    "a bridge leaves room for a roll": Case(
        kinds=(
            Kind(1.0, {400: 8.0, 1000: 20.0}),
            Kind(10.0, {1000: 216.5, 2000: 433.0}),
            Kind(0.1, {2000: 783.5}),
            Kind(1.0, {600: 33.0, 1000: 55.0, 2000: 110.0}),
        ),
        plans=((Group(1, 2000, 1),),),
        there=(
            There(3, 600, lost=True),
            There(0, 1000, ready=False, carries=False),
            There(0, 1000, ready=False, carries=False),
            There(0, 1000, ready=False, carries=False),
        ),
        demand_rps=129.9,
        budget=2000,
        surge=2000,
        node=4600,
        confirm_s=0.0,
        lag_s=2.0,
        never={2: Cause.NO_NODE, 1: Cause.CRASH},
        fates={3: Resize.FAILING},
    ),
    "sizes that do not come are learnt while pods are refused": Case(
        kinds=(Kind(3.0, {200: 22.36, 1000: 111.8}), Kind(3.0, {200: 0.8, 2000: 8.0})),
        plans=((Group(0, 200, 4),),),
        there=(
            There(0, 200),
            There(1, 800, ready=False, carries=False),
            There(0, 200, carries=False),
            There(1, 200),
        ),
        demand_rps=62.61,
        budget=1000,
        surge=500,
        node=2400,
        confirm_s=0.0,
        never={1: Cause.NO_NODE, 0: Cause.REFUSED},
        fates={0: Resize.FAILING},
    ),
}


@pytest.mark.parametrize("case", TROUBLES.values(), ids=TROUBLES)
def test_a_trouble_that_broke_a_bound_ends_at_its_plan_or_at_a_rest(case: Case) -> None:
    asyncio.run(Rollout(case).rests())
