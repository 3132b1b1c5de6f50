"""
Every rollout ends: at its plan within a time bound, or at a rest that has a name.

`python -m tests.operator.rollout.deep --cases 20000` draws more cases.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from infadapter_operator.domain.observed import Cause, Resize
from infadapter_operator.domain.progress import Rest
from tests.deep import DEEP
from tests.operator.loop_arithmetic import held
from tests.operator.rollout.liveness import RECORD, Rollout
from tests.operator.rollout.liveness_cases import (
    Case,
    Group,
    Kind,
    There,
    cases,
    rolled,
    troubled,
)


def some(usual: int, deep: int) -> settings:
    return settings(
        max_examples=deep if DEEP else usual,
        derandomize=not DEEP,  # the same cases each time, except in the deep profile
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate),  # deep.py finds a small case by itself
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.fixture(scope="module", autouse=True)
def summary() -> Iterator[None]:
    yield
    print(f"\n{RECORD}")


def reached(case: Case) -> Rollout:
    rollout = Rollout(case)
    asyncio.run(rollout.reaches())
    return rollout


def rested(case: Case) -> Rollout:
    rollout = Rollout(case)
    asyncio.run(rollout.rests())
    return rollout


@some(30, deep=2_400)
@given(case=cases())
def test_a_plan_is_reached(case: Case) -> None:
    reached(case)


@some(30, deep=1_200)
@given(case=cases(overloaded=True))
def test_a_plan_is_reached_in_an_overload(case: Case) -> None:
    reached(case)


@some(30, deep=1_200)
@given(case=cases(changing=True))
def test_the_last_of_many_plans_is_reached(case: Case) -> None:
    reached(case)


@some(25, deep=1_000)
@given(case=cases(full=True, most_pods=5))
def test_a_plan_is_reached_on_a_node_with_little_room(case: Case) -> None:
    reached(case)


@some(20, deep=1_000)
@given(case=rolled())
def test_a_plan_is_reached_by_replacing_pods(case: Case) -> None:
    reached(case)


@some(6, deep=500)
@given(case=troubled())
def test_trouble_ends_at_a_rest_with_a_name(case: Case) -> None:
    rested(case)


# --- cases that once failed ---------------------------------------------------------------------

GLYPHS = (
    Kind(1.0, {200: 78.3, 400: 156.7, 600: 235.0}),
    Kind(2.0, {200: 43.3, 400: 86.6, 600: 129.9}),
    Kind(3.0, {200: 22.4, 400: 44.7, 600: 67.1, 1000: 111.8}),
)
ONES = (Kind(2.0, {1000: 20.0}), Kind(3.0, {1000: 20.0, 8000: 160.0}), Kind(2.0, {1000: 25.0}))
EIGHT = tuple(There(0, 1000) for _ in range(8))


@pytest.mark.parametrize("demand_rps", [230.0, 240.0, 260.0])
def test_a_bridge_that_fills_budget_and_surge_is_given_back(demand_rps: float) -> None:
    reached(
        Case(
            kinds=GLYPHS,
            plans=((Group(0, 400, 2),),),
            there=(There(2, 1000), There(1, 600)),
            demand_rps=demand_rps,
            budget=800,
            surge=800,
        )
    )


@pytest.mark.parametrize("demand_rps", [60.0, 100.0, 150.0, 400.0])
@pytest.mark.parametrize("surge", [0, 1000, 8000])
@pytest.mark.parametrize(
    "plan", [Group(1, 1000, 8), Group(1, 8000, 1), Group(2, 1000, 8)], ids=["8", "1", "8-better"]
)
def test_eight_pods_are_exchanged(plan: Group, surge: int, demand_rps: float) -> None:
    reached(swap(plan, surge=surge, demand_rps=demand_rps))


@pytest.mark.parametrize("demand_rps", [100.0, 150.0, 400.0])
@pytest.mark.parametrize("plan", [Group(1, 1000, 8), Group(0, 1000, 4)])
def test_one_spare_core_on_the_node_is_enough(plan: Group, demand_rps: float) -> None:
    reached(swap(plan, surge=8000, demand_rps=demand_rps, node=9000))


@pytest.mark.parametrize("demand_rps", [150.0, 400.0])
def test_without_surge_no_more_than_one_of_eight_pods_is_missing(demand_rps: float) -> None:
    rollout = reached(swap(Group(1, 1000, 8), surge=0, demand_rps=demand_rps))
    assert rollout.least_carried_rps >= 140.0 - 1e-6


def test_an_overload_gives_the_surge_back() -> None:
    case = swap(Group(1, 1000, 8), surge=4000, demand_rps=1000.0)
    more = tuple(There(2, 1000) for _ in range(4))
    rollout = reached(replace(case, there=(*EIGHT, *more)))
    assert held(rollout.world.seen().pods)["cpu"] <= 8000


@pytest.mark.parametrize("millicores", [600, 1000])
def test_without_surge_one_pod_is_swapped_for_another_of_its_size(millicores: int) -> None:
    kinds = (Kind(2.0, {millicores: 20.0}), Kind(3.0, {millicores: 25.0}))
    reached(
        Case(
            kinds=kinds,
            plans=((Group(1, millicores, 1),),),
            there=(There(0, millicores),),
            demand_rps=15.0,
            budget=millicores,
            surge=0,
        )
    )


@pytest.mark.parametrize("surge", [0, 2000])
def test_a_refused_resize_ends_with_other_pods_or_at_a_rest(surge: int) -> None:
    rested(
        Case(
            kinds=(Kind(2.0, {1000: 20.0, 2000: 40.0}),),
            plans=((Group(0, 2000, 2),),),
            there=(There(0, 1000), There(0, 1000)),
            demand_rps=60.0,
            budget=4000,
            surge=surge,
            fates={0: Resize.REFUSED},
        )
    )


@pytest.mark.parametrize(
    "cause", [Cause.NO_NODE, Cause.REFUSED, Cause.IMAGE, Cause.CRASH, Cause.NOT_READY]
)
def test_what_never_comes_is_planned_without(cause: Cause) -> None:
    rollout = rested(
        Case(
            kinds=ONES,
            plans=((Group(2, 1000, 4),),),
            there=(There(0, 1000),),
            demand_rps=70.0,
            budget=8000,
            surge=2000,
            never={2: cause},
        )
    )
    assert rollout.world.ready_rps() >= 70.0


def test_a_router_that_confirms_later_than_the_next_look_ends_a_choice_between_equals() -> None:
    """The pods that stay must not be chosen by weights that are about to be replaced."""
    reached(
        Case(
            kinds=(Kind(1.0, {1000: 4.0}),),
            plans=((Group(0, 1000, 1),),),
            there=(There(0, 1000, ready=False), There(0, 800, carries=False)),
            demand_rps=2.8,
            budget=2000,
            surge=200,
            confirm_s=4.0,
        )
    )


@pytest.mark.parametrize(
    ("planned", "there", "demand_rps", "surge"),
    [(3, (There(0, 600),), 38.9, 0), (7, (There(0, 800), There(0, 800)), 120.0, 200)],
    ids=["no surge", "less surge than the template takes"],
)
def test_a_template_too_large_to_add_a_pod_is_rolled_with_as_many_pods_as_there_is_room_for(
    planned: int, there: tuple[There, ...], demand_rps: float, surge: int
) -> None:
    """Afterwards the others start at the planned size. No serving capacity is given up."""
    rollout = reached(
        Case(
            kinds=(Kind(1.0, {200: 43.3, 600: 129.9}),),
            plans=((Group(0, 200, planned),),),
            there=there,
            demand_rps=demand_rps,
            budget=200 * planned,
            surge=surge,
        )
    )
    last = rollout.runner.looks[-1].progress
    assert last is not None
    assert (last.ready, last.moves, last.rest) == (planned, False, None)
    assert rollout.least_carried_rps >= demand_rps


def test_a_rest_says_that_no_node_has_room() -> None:
    """No serving pod is released for a pod that no node can hold."""
    case = swap(Group(1, 8000, 1), surge=8000, demand_rps=75.0)
    rollout = rested(
        replace(case, kinds=(ONES[0], Kind(3.0, {8000: 160.0})), node=4000, there=EIGHT[:4])
    )
    asyncio.run(rollout.runner.run(5.0))
    assert rollout.least_carried_rps >= 75.0
    rests = {seen.progress.rest for seen in rollout.runner.looks if seen.progress}
    assert Rest.NO_NODE in rests


def swap(plan: Group, *, surge: int, demand_rps: float, node: int = 10**9) -> Case:
    """Return a case in which a plan replaces eight small pods that serve 160 rps."""
    return Case(
        kinds=ONES,
        plans=((plan,),),
        there=EIGHT,
        demand_rps=demand_rps,
        budget=8000,
        surge=surge,
        node=node,
    )


def test_what_starts_smaller_and_what_is_rolled_are_not_given_the_same_room() -> None:
    """One pod starts at half of its size; another target's template is larger than planned."""
    case = Case(
        kinds=(
            Kind(1.0, {200: 0.8, 400: 1.6, 600: 2.4, 2000: 8.0}),
            Kind(1.0, {1000: 216.5, 2000: 433.0}),
            Kind(10.0, {200: 0.8, 600: 2.4}),
            Kind(10.0, {200: 11.0, 400: 22.0, 1000: 55.0, 2000: 110.0}),
        ),
        plans=((Group(0, 2000, 1), Group(1, 2000, 1), Group(3, 200, 3)),),
        there=(
            There(2, 200, carries=False),
            There(3, 2000, carries=False),
            There(2, 200, carries=False),
            There(0, 600, ready=False),
            There(2, 800),
            There(0, 400, carries=False),
            There(2, 200),
        ),
        demand_rps=616.2,
        budget=4600,
        surge=500,
        node=5400,
        confirm_s=0.0,
    )
    rollout = Rollout(case)
    asyncio.run(rollout.reaches())


def test_weights_that_were_replaced_before_a_late_router_obeyed_them_keep_their_pods() -> None:
    """Regression: under unconfirmed weights two pods had all traffic, and one of them shrank."""
    serves = {200: 22.36, 400: 44.72, 1000: 111.8, 2000: 223.6}
    other = {200: 11.0, 400: 22.0, 600: 33.0, 1000: 55.0}
    reached(
        Case(
            kinds=(Kind(10.0, serves), Kind(3.0, other), Kind(1.0, serves), Kind(1.0, other)),
            plans=((Group(1, 200, 6),),),
            there=(
                There(2, 400),
                There(3, 600),
                There(3, 600, ready=False, carries=False),
                There(0, 400),
                There(3, 400),
            ),
            demand_rps=65.34,
            budget=1200,
            surge=1200,
            confirm_s=4.0,
        )
    )
