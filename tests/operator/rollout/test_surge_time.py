"""Surge is lent for a limited time, and is lent again after it has been returned."""

import asyncio
import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.delays import START_S
from infadapter_operator.domain.observed import Cause, Observed, SurgeLoan, Trouble
from infadapter_operator.domain.progress import Rest
from infadapter_operator.domain.steps import ResizePod, ScaleUp
from infadapter_operator.rollout.match import match_pods
from infadapter_operator.rollout.release import DrainContext
from infadapter_operator.rollout.repayment import is_due, repaid
from infadapter_operator.rollout.surge_time import (
    MOST_BESIDE_START_S,
    SETTLE_S,
    is_closed,
    is_over,
    loan_of,
)
from infadapter_solver.problem import CPU, Allocation, PodGroup, PodSize, Target, Variant
from tests.builders import EMPTY_PLAN, a_pod, a_service, recall
from tests.operator.loop_arithmetic import held
from tests.operator.loop_contract import LINGER_S, RESIZE_S
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World
from tests.operator.rollout.liveness import Rollout, is_reached
from tests.operator.rollout.liveness_cases import Case, Group, Kind, There

SERVICE = replace(
    a_service(),
    objective=replace(a_service().objective, budget={CPU: 4000}),
    max_surge={CPU: 4000},
)
OVER = Observed(pods=(a_pod("small-1", 4000), a_pod("small-2", 1000)))
WITHIN = Observed(pods=(a_pod("small-1", 4000),))


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_loan_lasts_until_two_looks_in_turn_saw_all_within_the_budget(looks: list[bool]) -> None:
    loan: SurgeLoan | None = None
    for index, over in enumerate(looks):
        loan = loan_of(SERVICE, (OVER if over else WITHIN).pods, loan, float(index))
        seen = looks[: index + 1]
        ended = max((i + 1 for i in range(1, index + 1) if not (seen[i] or seen[i - 1])), default=0)
        begun = [i for i in range(ended, index + 1) if seen[i]]
        assert (loan.since_s if loan else None) == (float(begun[0]) if begun else None)


def test_what_waits_for_a_node_is_not_held() -> None:
    waits = replace(a_pod("small-2", 1000, ready=False), unschedulable_since_s=0.0)
    assert not is_over(SERVICE, (a_pod("small-1", 4000), waits))


def test_starts_beyond_the_budget_begin_while_they_can_end_in_time() -> None:
    observed = replace(OVER, surge_loan=SurgeLoan(100.0))
    assert not is_closed(observed, 100.0 + MOST_BESIDE_START_S - SETTLE_S)
    assert is_closed(observed, 100.0 + MOST_BESIDE_START_S - SETTLE_S + 0.01)


@given(
    st.lists(st.sampled_from((1000, 2000, 4000)), min_size=1, max_size=6), st.floats(0.0, 1000.0)
)
def test_what_is_repaid_brings_all_within_the_budget_and_none_of_it_in_vain(
    sizes: list[int], demand_rps: float
) -> None:
    observed = Observed(pods=tuple(a_pod(f"small-{i}", size) for i, size in enumerate(sizes)))
    context = DrainContext(
        service=SERVICE,
        plan=EMPTY_PLAN,
        pods=match_pods(SERVICE, EMPTY_PLAN, observed),
        carrying=frozenset(pod.name for pod in observed.pods),
        demand_rps=demand_rps,
        now_s=0.0,
    )
    found = repaid(context, observed)
    has = {pod.name: pod.size.resources[CPU] for pod in observed.pods}
    left = {name: size.resources[CPU] if size else 0 for name, size in found.items()}
    assert sum({**has, **left}.values()) <= 4000
    assert bool(found) == (sum(has.values()) > 4000)


KINDS = (
    Kind(2.0, {1000: 20.0}),
    Kind(3.0, {1000: 20.0, 4000: 80.0}),
    Kind(6.0, {1000: 25.0, 2000: 50.0}),
)


@settings(max_examples=12, deadline=None)
@given(
    groups=st.lists(
        st.sampled_from(
            (Group(1, 1000, 2), Group(1, 4000, 1), Group(2, 1000, 2), Group(2, 2000, 1))
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda group: group.kind,
    ),
    surge=st.sampled_from((1000, 2000, 4000, 8000)),
    demand_rps=st.floats(20.0, 600.0),
)
def test_more_than_the_budget_is_held_for_a_start_and_its_end_at_most(
    groups: list[Group], surge: int, demand_rps: float
) -> None:
    case = Case(
        kinds=KINDS,
        plans=(tuple(groups),),
        there=tuple(There(0, 1000) for _ in range(8)),
        demand_rps=demand_rps,
        budget=8000,
        surge=surge,
    )
    start_s = max(KINDS[group.kind].load_s for group in groups)
    ends_s = (
        case.confirm_s + LINGER_S + RESIZE_S + 4.0
    )  # the simulated cluster has a cycle per second
    assert asyncio.run(longest_over_s(case)) <= start_s + MOST_BESIDE_START_S + ends_s


async def longest_over_s(case: Case) -> float:
    rollout = Rollout(case)
    await rollout.begin()
    longest, now = 0, 0
    for _ in range(60):
        await rollout.pass_a_look()
        beyond = held(rollout.world.seen().pods).get(CPU, 0) > case.budget
        now = now + 1 if beyond else 0
        longest = max(longest, now)
    return float(longest)


def context_of(observed: Observed) -> DrainContext:
    pods = match_pods(SERVICE, EMPTY_PLAN, observed)
    return DrainContext(
        service=SERVICE,
        plan=EMPTY_PLAN,
        pods=tuple(replace(one, desired=one.serving) for one in pods),
        carrying=frozenset(),
        demand_rps=0.0,
        now_s=0.0,
    )


def test_what_was_begun_is_finished_before_anything_goes_back_but_not_what_fails() -> None:
    starts = a_pod("small-2", 1000, ready=False)
    fails = replace(starts, trouble=Trouble(cause=Cause.CRASH, message="", since_s=0.0))
    for pod, due in ((starts, False), (fails, True), (replace(starts, ready=True), True)):
        observed = Observed(pods=(a_pod("small-1", 4000), pod))
        assert is_due(context_of(observed), observed) is due


def test_what_can_only_be_rolled_does_not_keep_surge_closed_for_ever() -> None:
    """Pods that can only be rolled return surge by a roll: otherwise starts would wait for ever."""
    service = a_service(
        variants=(
            a_variant("rolled", a_row(1000, 20.0, batch_size=2), a_row(2000, 40.0)),
            a_variant("starts", a_row(1000, 25.0)),
        ),
        budget={CPU: 5000},
        max_surge={CPU: 2000},
        interval_s=3600.0,
    )
    rolled, starts = service.variants
    groups = (
        PodGroup(target=Target("rolled"), allocation=rolled.allocations[0], pods=3),
        PodGroup(target=Target("starts"), allocation=starts.allocations[0], pods=2),
    )
    world = World(service, lambda _: 60.0, began_s=BEGIN_S - 100.0)
    world.route({world.add("rolled", 2000).name: 100 for _ in range(3)}, at_once=True)
    runner = Runner(world=world)
    decision = recall(service, groups, demand_rps=60.0, decided_at_s=BEGIN_S)
    runner.state = replace(runner.state, decision=decision)
    asyncio.run(runner.run(60.0))
    last = runner.looks[-1]
    assert last.decision is not None
    assert last.decision.plan.groups == groups
    assert is_reached(last.decision.plan, world.seen())
    assert last.observed is not None
    assert last.observed.surge_loan is None


def test_where_only_what_leaves_is_beyond_the_budget_the_next_loan_begins_when_one_is_over() -> (
    None
):
    leaves = replace(OVER, pods=(OVER.pods[0], replace(OVER.pods[1], leaving=True)))
    loan, since_s = SurgeLoan(100.0), []
    for look in range(60):
        loan = loan_of(SERVICE, leaves.pods, loan, 100.0 + look) or loan
        since_s.append(loan.since_s)
    terms_s = sorted(set(since_s))
    slowest_s = max(variant.load_time_s for variant in SERVICE.variants)
    longest_s = START_S + slowest_s + MOST_BESIDE_START_S
    assert len(terms_s) > 2
    assert all(0 < b - a - longest_s <= 1.0 for a, b in pairwise(terms_s))


@pytest.mark.parametrize("linger_s", [120.0, math.inf])
def test_what_leaves_slowly_is_waited_for_no_longer_than_surge_is_lent(linger_s: float) -> None:
    """A terminating pod holds surge while four others are to be replaced."""
    runner = leaving_slowly(linger_s, surge=4000)
    asyncio.run(runner.run(20.0))
    starts_s = [
        seen.now_s for seen in runner.looks if any(isinstance(step, ScaleUp) for step in seen.steps)
    ]
    assert starts_s
    assert starts_s[0] <= BEGIN_S + START_S + 2.0 + MOST_BESIDE_START_S + 2.0


def test_room_that_nothing_makes_as_what_leaves_never_goes_is_a_rest_with_a_name() -> None:
    """No serving pod is released for the room: it might not terminate either."""
    runner = leaving_slowly(math.inf, surge=1000)
    asyncio.run(runner.run(80.0))
    last = runner.looks[-1].progress
    assert last is not None
    assert last.rest is Rest.NO_SURGE
    assert runner.world.carried_rps() == 80.0


def test_while_surge_is_closed_nothing_bridges_that_would_be_repaid_at_the_next_look() -> None:
    runner = leaving_slowly(math.inf, surge=4000, demand_rps=90.0)
    asyncio.run(runner.run(20.0))
    steps = [step for seen in runner.looks for step in seen.steps]
    starts = next(i for i, step in enumerate(steps) if isinstance(step, ScaleUp))
    assert not any(isinstance(step, ResizePod) for step in steps[:starts])


def leaving_slowly(linger_s: float, *, surge: int, demand_rps: float = 70.0) -> Runner:
    """Run a plan without one of five pods, which terminates slowly, then one of four others."""
    service = a_service(
        variants=(
            a_variant("old", a_row(1000, 20.0), a_row(2000, 40.0)),
            a_variant("new", a_row(1000, 25.0)),
        ),
        budget={CPU: 4000},
        max_surge={CPU: surge},
        interval_s=3600.0,
    )
    world = World(service, lambda _: demand_rps, began_s=BEGIN_S - 100.0, linger_s=linger_s)
    pods = [world.add("old", 1000) for _ in range(5)]
    world.route({pod.name: 100 for pod in pods[:4]}, at_once=True)
    runner = Runner(world=world)
    for variant in service.variants:
        group = PodGroup(target=Target(variant.name), allocation=variant.allocations[0], pods=4)
        decision = recall(service, (group,), demand_rps=demand_rps, decided_at_s=BEGIN_S)
        runner.state = replace(runner.state, decision=decision)
        asyncio.run(runner.run(5.0 if variant.name == "old" else 1.0))
    return runner


def a_row(millicores: int, rps: float, batch_size: int = 1) -> Allocation:
    size = PodSize(resources={CPU: millicores}, batch_size=batch_size)
    return Allocation(size=size, capacity_rps=rps)


def a_variant(name: str, *rows: Allocation) -> Variant:
    return Variant(name=name, accuracy=0.6, load_time_s=2.0, allocations=rows)
