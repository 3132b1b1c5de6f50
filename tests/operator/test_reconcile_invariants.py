"""
Property-based tests: whatever a platform does, the invariants that `Runner` checks hold between all
cycles, and the loop comes to rest when nothing changes any more.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.ports import QuotaExceeded, StepRefused
from infadapter_operator.domain.steps import Step
from infadapter_simulator.world.faults import Faults
from infadapter_solver.problem import CPU
from tests.builders import a_service
from tests.deep import DEEP
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World

TROUBLE_S = 200.0
CALM_S = 300.0
SETTLING_S = 150.0  # after the last plan: the slowest start, a stepwise exchange, a late router

modest = settings(
    max_examples=12 if DEEP else 7,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # shrinking would take minutes
    suppress_health_check=[HealthCheck.too_slow],
)
rates = st.lists(
    st.sampled_from([0.0, 0.3, 3.0, 9.0, 17.0, 31.0, 55.0, 90.0, 170.0]), min_size=1, max_size=8
)


def in_turn(values: Sequence[float], each_s: float) -> Callable[[float], float]:
    """Return a load that has each rate for `each_s`, and then stays at the last one."""

    def at(now_s: float) -> float:
        index = max(0, int((now_s - BEGIN_S) // each_s))
        return values[min(index, len(values) - 1)]

    return at


@st.composite
def worlds(draw: st.DrawFn, blind_s: tuple[tuple[float, float], ...] = ()) -> World:
    budget = draw(st.sampled_from([1000, 2000, 3000, 8000, 12000]))
    surge = draw(st.sampled_from([0, 500, 1000, budget]))
    service = a_service(budget={CPU: budget}, max_surge={CPU: surge})
    world = World(
        service=service,
        load=in_turn(draw(rates), draw(st.sampled_from([5.0, 13.0, 30.0]))),
        confirm_s=draw(st.sampled_from([0.0, 1.0, 4.0])),
        began_s=draw(st.sampled_from([0.0, BEGIN_S - 1])),
        faults=Faults(
            node_millicores=budget + draw(st.sampled_from([0, 500, 10**6])), blind_s=blind_s
        ),
    )
    if draw(st.booleans()):
        world.add("middle", draw(st.sampled_from([500, 800])))
    return world


def comes_to_rest(runner: Runner) -> bool:
    last_plan_s = max(seen.now_s for seen in runner.looks if seen.plan_changed)
    until_s = max(last_plan_s + SETTLING_S, BEGIN_S + TROUBLE_S + SETTLING_S)
    return not any(seen.steps for seen in runner.looks if seen.now_s > until_s)


@modest
@given(world=worlds(), every_s=st.sampled_from([2.0, 5.0]))
def test_serves_as_it_did_and_comes_to_rest(world: World, every_s: float) -> None:
    runner = Runner(world=world, every_s=every_s)
    asyncio.run(runner.run(TROUBLE_S + CALM_S))
    assert comes_to_rest(runner)


@modest
@given(
    world=st.tuples(st.floats(0, TROUBLE_S), st.sampled_from([5.0, 60.0, 200.0])).flatmap(
        lambda outage: worlds(((BEGIN_S + outage[0], BEGIN_S + min(sum(outage), TROUBLE_S)),))
    ),
    seed=st.integers(0, 10**6),
    restarts=st.lists(st.integers(1, int(TROUBLE_S) // 5), max_size=3, unique=True),
)
def test_also_with_refusals_outages_and_restarts(
    world: World, seed: int, restarts: list[int]
) -> None:
    chance = random.Random(seed)

    def refuses(_: Step) -> StepRefused | None:
        refused = world.now_s < BEGIN_S + TROUBLE_S and chance.random() < 0.4
        return QuotaExceeded("the test refused it") if refused else None

    world.refuses = refuses
    runner = Runner(world=world, every_s=5.0)
    for at in sorted(restarts):
        asyncio.run(runner.run(BEGIN_S + 5.0 * at - world.now_s))
        runner.restart()
    asyncio.run(runner.run(BEGIN_S + TROUBLE_S + CALM_S - world.now_s))
    assert comes_to_rest(runner)


@modest
@given(values=rates, every_s=st.sampled_from([2.0, 5.0]), lag_s=st.sampled_from([0.0, 2.0, 4.0]))
@example(values=[0, 0, 0, 0, 9.0, 55.0, 9.0], every_s=2.0, lag_s=0.0)  # the plan shrinks at once
def test_with_room_every_feasible_plan_is_reached(
    values: list[float], every_s: float, lag_s: float
) -> None:
    world = World(service=a_service(), load=in_turn(values, 13.0), lag_s=lag_s)
    runner = Runner(world=world, every_s=every_s)
    asyncio.run(runner.run(TROUBLE_S + CALM_S))
    last = runner.looks[-1].decision
    assert last is not None
    if last.plan.feasible and runner.looks[-1].load_rps is not None:
        wanted = {(g.target, g.allocation.size): g.pods for g in last.plan.groups}
        assert Counter((pod.target, pod.size) for pod in world.pods) == wanted


@pytest.mark.parametrize("every_s", [1.0, 5.0])
def test_rests_where_what_serves_is_just_enough(every_s: float) -> None:
    """Rounded weights send a pod slightly more than it serves; calibration must ignore that."""
    world = World(service=a_service(budget={CPU: 3000}, max_surge={CPU: 0}), load=lambda _: 9.0)
    world.add("middle", 500)
    runner = Runner(world=world, every_s=every_s)
    asyncio.run(runner.run(TROUBLE_S + CALM_S))
    assert comes_to_rest(runner)


@pytest.mark.parametrize("lost_s", [20.0, 60.0])
def test_a_lost_node_costs_no_more_than_its_pods(lost_s: float) -> None:
    """The other pods keep serving, new ones replace the lost, and lost pods hold no budget."""
    world = World(service=a_service(), load=lambda _: 27.0)
    runner = Runner(world=world, every_s=1.0)
    asyncio.run(runner.run(lost_s))
    world.lose_node_of(world.pods[0])
    asyncio.run(runner.run(TROUBLE_S))
    assert world.carried_rps() >= 27.0
    last = asyncio.run(runner.run(TROUBLE_S + CALM_S))  # in which lost pods are evicted
    assert world.carried_rps() >= 27.0
    assert not any(seen.steps for seen in last[-60:])
