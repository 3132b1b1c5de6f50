"""The loop on a node without room for all planned pods: waiting pods, and retries."""

import asyncio
from itertools import pairwise

import pytest

from benchmarks.always_arrive.loads import plain
from infadapter_operator.domain.progress import Rest
from infadapter_operator.domain.steps import ResizePod
from infadapter_simulator.policies.ours import service_of
from infadapter_simulator.world.faults import Faults
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World

NODE_MILLICORES = 5000


def a_runner(later_rps: float) -> Runner:
    """
    Return a loop that needs two pods of three cores for 100 rps, on a node with room for one of
    three and one of two cores, and for no third pod.
    """
    service = service_of(plain({"a": (0.7, (2, 3, 4, 6))}))
    world = World(
        service,
        lambda now_s: 100.0 if now_s < BEGIN_S + 130.0 else later_rps,
        faults=Faults(node_millicores=NODE_MILLICORES),
    )
    world.add("a", 3000)
    world.add("a", 2000)
    return Runner(world=world)


def asked_to_grow(runner: Runner) -> list[float]:
    """Return when pods were requested to grow, one time for each different plan."""
    asked = [
        at_s - BEGIN_S
        for at_s, step in runner.world.taken
        if isinstance(step, ResizePod) and step.size.cpu_millicores > 2000
    ]
    return [after for before, after in pairwise([-60.0, *asked]) if after - before > 30.0]


def test_a_pod_too_many_that_waits_for_a_node_keeps_no_other_from_growing() -> None:
    """They are retried after each back-off; the third back-off is four times the first."""
    runner = a_runner(later_rps=100.0)
    asyncio.run(runner.run(380))
    waits = [pod for pod in runner.world.seen().pods if pod.unschedulable_since_s is not None]
    assert len(waits) == 1
    _, first_s, second_s = asked_to_grow(runner)
    patience = runner.world.service.patience
    assert second_s - first_s > patience.start_s + 4 * patience.retry_first_s


def test_nor_does_the_pod_more_of_a_roll_that_finds_no_node() -> None:
    """A pod of six cores is planned; the only pod is refused that size, so it is rolled."""
    service = service_of(plain({"a": (0.7, (2, 3, 4, 6))}))
    world = World(
        service,
        lambda now_s: 30.0 if now_s < BEGIN_S + 30.0 else 90.0,
        faults=Faults(node_millicores=NODE_MILLICORES),
    )
    world.add("a", 2000)
    runner = Runner(world=world)
    asyncio.run(runner.run(260))
    assert asked_to_grow(runner)[-1] > 200.0
    assert world.ready_rps() == 100.0


def test_the_rest_beside_it_keeps_its_name_after_the_back_off() -> None:
    """The load has fallen, so that no pod has to grow."""
    runner = a_runner(later_rps=60.0)
    asyncio.run(runner.run(220))
    last = runner.looks[-1]
    assert last.progress is not None
    assert last.progress.rest is Rest.NO_NODE
    assert all(block.until_s < last.now_s for block in last.blocks.values())


@pytest.fixture(scope="module")
def two_in_turn() -> Runner:
    """
    The load needs five pods of one core, or two of three, and the node has room for neither: a pod
    of three is Ready, one of a single core does not grow, and its roll's surge pod finds no node.
    """
    service = service_of(plain({"a": (0.7, (2, 3, 4)), "b": (0.8, (1, 2, 3))}))
    world = World(
        service,
        lambda now_s: 30.0 if now_s < BEGIN_S + 30.0 else 90.0,
        faults=Faults(node_millicores=4500),
    )
    world.add("a", 2000)
    runner = Runner(world=world)
    asyncio.run(runner.run(600))
    return runner


def test_two_variants_without_a_node_are_not_planned_in_turn(two_in_turn: Runner) -> None:
    """Two plans for each of two levels of load, and a change and its return for each attempt."""
    last = two_in_turn.looks[-1]
    attempts = sum(block.attempts for block in last.blocks.values())
    plans = sum(look.plan_changed for look in two_in_turn.looks)
    assert plans <= 2 * 2 + 2 * attempts
    assert last.progress is not None
    assert last.progress.rest is Rest.NO_NODE


def test_what_is_ready_but_too_small_for_the_plan_serves_on(two_in_turn: Runner) -> None:
    """The remaining plan has one pod of three cores, which serves 60 of 90 rps."""
    last = two_in_turn.looks[-1]
    assert last.decision is not None
    assert last.decision.plan.capacity_rps <= 60.0 < two_in_turn.world.carried_rps() == 80.0
