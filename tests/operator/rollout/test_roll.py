"""Rolling changes: how much they hold at most, in any order, and that they begin."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.progress import Phase
from infadapter_operator.rollout.free import most_beyond
from infadapter_solver.problem import CPU, PodGroup, Target
from tests.builders import a_service, recall
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World
from tests.operator.rollout.test_surge_time import a_row, a_variant

SIZES = st.sampled_from([200, 400, 1000, 2000])


def held_at_most(old: tuple[int, ...], new: int, pods: int) -> int:
    """Old pods leave in this order, one at a time, each when one that replaces it is Ready."""
    there, most = list(old), 0
    while there:
        most = max(most, sum(there) + new * (pods + 1 - len(there)))  # one more than there shall be
        leaves = there.pop(0)
        started = min(pods, pods + 1 - len(there))
        most = max(most, leaves + sum(there) + new * started)
    return most


@given(old=st.lists(SIZES, min_size=1, max_size=5), new=SIZES, more=st.integers(0, 3))
def test_a_roll_asks_for_what_it_holds_at_most_in_any_order(
    old: list[int], new: int, more: int
) -> None:
    pods = len(old) + more
    orders = set(itertools.permutations(old))
    assert most_beyond(old, new, pods) == max(held_at_most(o, new, pods) for o in orders) - sum(old)


BATCHED, SINGLE, BESIDE = a_row(2000, 200.0, batch_size=4), a_row(1000, 60.0), a_row(1000, 30.0)
SERVICE = a_service(
    variants=(a_variant("rolled", SINGLE, BATCHED), a_variant("beside", BESIDE)),
    budget={CPU: 4000},
    interval_s=3600.0,
)
TWO_ROLLED = PodGroup(target=Target("rolled"), allocation=SINGLE, pods=2)
TWO_BESIDE = PodGroup(target=Target("beside"), allocation=BESIDE, pods=2)


@pytest.mark.parametrize(
    ("surge", "groups", "demand_rps"),
    [
        pytest.param(4000, (TWO_ROLLED,), 150.0, id="all there"),
        pytest.param(4000, (TWO_BESIDE, TWO_ROLLED), 250.0, id="with others beside"),
        pytest.param(2000, (TWO_BESIDE, TWO_ROLLED), 150.0, id="which wait for its room"),
        pytest.param(0, (TWO_BESIDE, TWO_ROLLED), 150.0, id="without surge"),
    ],
)
def test_a_roll_begins_although_what_it_replaces_serves_more_than_what_comes(
    surge: int, groups: tuple[PodGroup, ...], demand_rps: float
) -> None:
    """Pods of another batch size: each serves 200 rps, of 60 that are planned in its place."""
    service = replace(SERVICE, max_surge={CPU: surge})
    world = World(service, lambda _: demand_rps, began_s=BEGIN_S - 100.0)
    old = [world.start("rolled", BATCHED.size, ready=True) for _ in range(2)]
    world.route({pod.name: 100 for pod in old}, at_once=True)
    runner = Runner(world=world)
    decision = recall(service, groups, demand_rps=demand_rps, decided_at_s=BEGIN_S)
    runner.state = replace(runner.state, decision=decision)
    asyncio.run(runner.run(60.0))
    last = runner.looks[-1]
    assert last.decision is not None
    assert last.decision.plan.groups == groups
    assert last.progress is not None
    assert last.progress.phase is Phase.DONE, last.progress
    rolled = [pod for pod in world.seen().pods if pod.target.variant == "rolled"]
    assert [pod.size for pod in rolled] == [SINGLE.size] * 2
