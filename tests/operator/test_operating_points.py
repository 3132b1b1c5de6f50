"""The loop in virtual time on pods with operating points: in a burst, accuracy falls first."""

import math

import pytest

from infadapter_operator.domain.load import Delivered
from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.serialize import from_json, to_json
from infadapter_operator.domain.service import Service
from infadapter_operator.domain.situation import Situation
from infadapter_operator.domain.steps import ReplacePods, ResizePod, ScaleUp
from infadapter_operator.planning.served_accuracy import served_accuracy
from infadapter_operator.reporting.plan_status import decision_from, plan_status
from infadapter_operator.reporting.status import status_of
from infadapter_simulator.world.faults import Faults
from tests.builders import GROUPED, LARGE, SMALL, a_pod, a_service, recall
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World

BURST_S = 200.0
GROUPED_ONLY = a_service(variants=(GROUPED,))


def burst_from(low_rps: float, high_rps: float) -> World:
    return World(
        service=GROUPED_ONLY,
        load=lambda at_s: high_rps if at_s >= BEGIN_S + BURST_S else low_rps,
    )


async def test_a_burst_beyond_the_best_point_needs_no_new_pod() -> None:
    """The plan is for 12 rps. The best point serves 4 rps per core, the fastest one 20."""
    world = burst_from(12.0, 30.0)
    runner = Runner(world=world)
    await runner.run(BURST_S)
    plan = runner.looks[-1].decision
    assert plan is not None
    best_rps = sum(group.pods * group.allocation.best_rps for group in plan.plan.groups)
    assert best_rps < 30.0 < plan.plan.capacity_rps
    before = len(world.taken)
    burst = await runner.run(world.service.interval_s - 1)
    grown = [s for _, s in world.taken[before:] if isinstance(s, ScaleUp | ResizePod | ReplacePods)]
    assert grown == []
    assert not any(seen.plan_changed for seen in burst)
    assert all(seen.ready_capacity_rps >= 30.0 for seen in burst)


async def test_a_burst_beyond_the_fastest_point_is_outgrown_as_ever() -> None:
    world = burst_from(12.0, 110.0)
    runner = Runner(world=world)
    await runner.run(BURST_S)
    before = len(world.taken)
    burst = await runner.run(world.service.interval_s - 1)
    assert any(seen.plan_changed for seen in burst)
    assert any(isinstance(step, ScaleUp | ResizePod) for _, step in world.taken[before:])


async def test_a_plan_with_points_is_worth_what_its_mixture_serves() -> None:
    runner = Runner(world=burst_from(60.0, 60.0))
    await runner.run(120)
    decision = runner.looks[-1].decision
    assert decision is not None
    told = plan_status(decision)
    (planned,) = told.allocations
    assert sum(point.share for point in planned.points) == pytest.approx(1.0, abs=0.002)
    accuracy = {point.name: point.accuracy for point in decision.plan.groups[0].allocation.points}
    expected = sum(point.share * accuracy[point.name] for point in planned.points)
    assert told.accuracy == pytest.approx(expected, abs=0.001)
    assert 1 <= len(planned.points) <= 2


async def test_a_plan_comes_back_with_its_points_after_a_restart() -> None:
    runner = Runner(world=burst_from(60.0, 60.0))
    await runner.run(60)
    decision = runner.looks[-1].decision
    status = status_of(GROUPED_ONLY, 1, decision, (), None, 0.0, changed=True)
    again = decision_from(GROUPED_ONLY, status)
    assert again is not None
    assert decision is not None
    assert again.plan.groups == decision.plan.groups
    assert again.plan.groups[0].allocation.points


async def test_a_situation_with_points_comes_back_from_json() -> None:
    runner = Runner(world=burst_from(12.0, 30.0))
    await runner.run(30)
    situation = runner.looks[-1].situation
    read: Situation = from_json(Situation, to_json(situation))
    assert read == situation
    assert read.service.variants[0].allocations[0].points


async def test_at_rest_nothing_moves() -> None:
    runner = Runner(world=burst_from(12.0, 12.0))
    await runner.run(120)
    assert not any(seen.steps for seen in runner.looks[-60:])
    assert not any(seen.plan_changed for seen in runner.looks[-60:])


# --- accuracy as served --------------------------------------------------------------------------

SERVICE: Service = a_service(variants=(GROUPED, SMALL, LARGE))
PODS = Observed(pods=(a_pod("grouped-0", 1000), a_pod("small-0", 1000), a_pod("large-0", 1000)))


def served(**delivered: Delivered) -> float | None:
    named = {name.replace("_", "-"): one for name, one in delivered.items()}
    return served_accuracy(SERVICE, PODS, named)


def test_pods_tell_what_their_points_were_worth_and_variants_stand_for_the_others() -> None:
    found = served(
        grouped_0=Delivered(30.0, 0.0, 5.0, 0.72),
        small_0=Delivered(12.0, 2.0, 5.0),
        gone_0=Delivered(99.0, 0.0, 5.0, 0.1),
    )
    assert found == pytest.approx((30 * 0.72 + 10 * SMALL.accuracy) / 40)


@pytest.mark.parametrize(
    "delivered",
    [{}, {"grouped_0": Delivered(0.0, 0.0, 5.0)}, {"small_0": Delivered(3.0, 3.0, 5.0)}],
)
def test_without_answers_it_is_not_known(delivered: dict[str, Delivered]) -> None:
    assert served(**delivered) is None


async def test_it_is_that_of_the_last_interval_and_ends_with_the_data() -> None:
    blind = Faults(blind_s=((BEGIN_S + 60, math.inf),))
    runner = Runner(world=World(service=GROUPED_ONLY, load=lambda _: 12.0, faults=blind))
    seen = await runner.run(60)
    assert seen[0].state.served_accuracy is None
    known = [one.state.served_accuracy for one in seen[-20:]]
    assert known == pytest.approx([GROUPED.accuracy] * 20)
    assert (await runner.look()).state.served_accuracy is None


def test_the_status_says_it_when_it_is_known_or_has_changed_and_not_at_every_look() -> None:
    made = recall(SERVICE, (), demand_rps=1.0, decided_at_s=0.0)
    none = status_of(SERVICE, 1, made, (), None, 0.0, changed=True, served_accuracy=None)
    first = status_of(SERVICE, 1, made, (), none, 5.0, changed=False, served_accuracy=0.71234)
    assert (none.served_accuracy, first.served_accuracy) == (None, 0.7123)
    for hardly in (0.695, 0.73, None):
        same = status_of(SERVICE, 1, made, (), first, 9.0, changed=False, served_accuracy=hardly)
        assert same == first
    less = status_of(SERVICE, 1, made, (), first, 9.0, changed=False, served_accuracy=0.69)
    assert less.served_accuracy == 0.69
    new = status_of(SERVICE, 1, made, (), same, 9.0, changed=True, served_accuracy=None)
    assert new.served_accuracy is None
