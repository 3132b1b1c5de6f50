"""A quota equal to the budget: rollouts work as without surge, and no step is refused."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.steps import ReplacePods
from infadapter_operator.planning.quotas import limiting, within_quotas
from infadapter_operator.reconcile import Cycle
from infadapter_simulator.world.faults import Faults, Quota
from infadapter_solver.problem import CPU, Target
from tests.builders import a_service
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World
from tests.operator.rollout.test_roll import BATCHES, ONES, Played

GPU = "nvidia.com/gpu"
SERVICE = a_service(budget={CPU: 4000, GPU: 2}, max_surge={CPU: 1000, GPU: 1})


@pytest.mark.parametrize(
    ("quotas", "left", "limit"),
    [
        ({}, {CPU: 1000, GPU: 1}, ()),
        ({"team": {CPU: 4300}}, {CPU: 300, GPU: 1}, ("team",)),
        ({"team": {CPU: 3000}}, {CPU: 0, GPU: 1}, ("team",)),
        ({"wide": {CPU: 9000}, "team": {CPU: 4000, GPU: 2}}, {CPU: 0, GPU: 0}, ("team",)),
        ({"team": {CPU: 5000, GPU: 3}}, {CPU: 1000, GPU: 1}, ()),
        ({"a": {CPU: 4200}, "b": {GPU: 2}}, {CPU: 200, GPU: 0}, ("a", "b")),
    ],
)
def test_surge_is_what_every_quota_leaves_beside_the_budget(
    quotas: dict[str, dict[str, int]], left: dict[str, int], limit: tuple[str, ...]
) -> None:
    assert within_quotas(SERVICE, quotas).max_surge == left
    assert limiting(SERVICE, quotas) == limit


def test_what_is_not_asked_for_no_quota_leaves_too_little_of() -> None:
    service = replace(SERVICE, max_surge={CPU: 0})
    assert limiting(service, {"team": {CPU: 4000}}) == ()
    assert within_quotas(service, {"team": {CPU: 4000}}) is service


def a_quota(millicores: int, *, from_s: float = 0.0) -> Faults:
    return Faults(quota=Quota(millicores=millicores, from_s=from_s))


def in_peace(looks: list[Cycle]) -> bool:
    """Whether nothing was refused and no target was blocked."""
    refusals = [seen.refusals or (seen.observed or Observed()).refusals for seen in looks]
    return not any(refusals) and not any(seen.blocks for seen in looks)


@pytest.mark.parametrize("changed", [False, True], ids=["another batch size", "a template"])
@pytest.mark.parametrize(("pods", "left"), [(1, 0), (2, 0), (8, 0), (8, 1000), (8, 2000)])
def test_pods_are_rolled_as_with_the_surge_that_a_quota_leaves(
    pods: int, left: int, *, changed: bool
) -> None:
    """The steps are those of a service whose maxSurge is what the quota leaves."""
    planned = ONES if changed else BATCHES
    bounded, asked = (
        Played(pods, surge, 15.0 * pods, planned=planned, faults=faults)
        for surge, faults in (
            (1000 * pods, a_quota(1000 * pods + left)),
            (left, Faults()),
        )
    )
    for played in (bounded, asked):
        played.world.changed = changed
        asyncio.run(played.until_done(12.5 * (pods + 1)))
    assert bounded.world.taken == asked.world.taken
    assert in_peace(bounded.runner.looks)


@pytest.mark.parametrize("pods", [1, 2, 3, 8])
def test_a_roll_that_was_begun_without_room_makes_it(pods: int) -> None:
    """Regression: its first pod was refused, and it stood still until the template was reverted."""
    played = Played(pods, 1000 * pods, 15.0 * pods, planned=ONES, faults=a_quota(1000 * pods))
    before = {pod.name for pod in played.world.seen().pods}
    step = ReplacePods(target=Target("rolled"), size=ONES.size, pods=pods)
    asyncio.run(played.world.take(step))
    asyncio.run(played.until_done(12.5 * (pods + 1)))
    assert not before & {pod.name for pod in played.world.seen().pods}
    assert played.least_rps >= (pods - 2) * ONES.capacity_rps


@pytest.mark.parametrize("from_s", [1.0, 10.0, 20.0, 35.0, 60.0])
def test_a_quota_that_comes_while_pods_are_rolled_ends_no_roll(from_s: float) -> None:
    """Before, surge equals the budget; from then on there is none."""
    faults = a_quota(8000, from_s=BEGIN_S + from_s)
    played = Played(8, 8000, 120.0, planned=ONES, faults=faults)
    played.world.changed = True
    before = {pod.name for pod in played.world.seen().pods}
    asyncio.run(played.until_done(220.0))
    assert not before & {pod.name for pod in played.world.seen().pods}
    assert played.least_rps >= 6 * ONES.capacity_rps


def rising(at_s: float) -> float:
    return 30.0 if at_s < BEGIN_S + 60 else 75.0 if at_s < BEGIN_S + 180 else 20.0


def played(surge: int, faults: Faults, load: Callable[[float], float] = rising) -> Runner:
    service = a_service(budget={CPU: 4000}, max_surge={CPU: surge}, interval_s=5.0)
    world = World(service, load, began_s=BEGIN_S - 300.0, faults=faults)
    runner = Runner(world=world)
    asyncio.run(runner.run(300.0))
    return runner


@pytest.mark.parametrize("left", [0, 500, 1000])
def test_plans_are_made_and_exchanged_as_with_the_surge_that_a_quota_leaves(left: int) -> None:
    bounded = played(4000, a_quota(4000 + left))
    assert in_peace(bounded.looks)
    assert bounded.world.taken == played(left, Faults()).world.taken


def test_a_quota_that_leaves_all_of_the_surge_changes_nothing() -> None:
    assert played(4000, a_quota(8000)).world.taken == played(4000, Faults()).world.taken
