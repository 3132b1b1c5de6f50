"""Rolling updates: the most that they hold in any order, and that they begin and end."""

import asyncio
import itertools
import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.observed import Observed
from infadapter_operator.domain.progress import Phase
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_operator.rollout.free import most_beyond
from infadapter_simulator.world.faults import Faults
from infadapter_solver.problem import CPU, Allocation, PodGroup, Target
from tests.builders import a_service, recall
from tests.operator.loop_runner import Runner
from tests.operator.loop_world import BEGIN_S, World
from tests.operator.rollout.test_surge_time import a_row, a_variant

SIZES = st.sampled_from([200, 400, 1000, 2000])


def held_at_most(old: tuple[int, ...], new: int, pods: int) -> int:
    """Return the most CPU held if old pods go in this order, each when a new one is Ready."""
    there, most = list(old), 0
    while there:
        most = max(most, sum(there) + new * (pods + 1 - len(there)))  # one surge pod
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
    """Pods of 200 rps are replaced by pods of another batch size, planned to serve 60 rps."""
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


ONES, BATCHES = a_row(1000, 20.0), a_row(1000, 22.0, batch_size=4)


class Updated(World):
    """A world in which a user has changed the template of running pods; no roll has begun."""

    changed = False

    def seen(self) -> Observed:
        observed = super().seen()
        pods = tuple(replace(pod, outdated=self.changed or pod.outdated) for pod in observed.pods)
        return replace(observed, pods=pods)

    async def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        await super().take(step)
        if isinstance(step, ReplacePods) or (isinstance(step, RemovePods) and not step.remaining):
            self.changed = False


@dataclass
class Played:
    """A roll of pods that hold the whole budget: a plan replaces them by as many others."""

    pods: int
    surge: int
    demand_rps: float
    planned: Allocation = BATCHES
    least_rps: float = math.inf
    faults: Faults = field(default_factory=Faults)
    runner: Runner = field(init=False)

    def __post_init__(self) -> None:
        service = a_service(
            variants=(a_variant("rolled", ONES, BATCHES),),
            budget={CPU: 1000 * self.pods},
            max_surge={CPU: self.surge},
            interval_s=3600.0,
        )
        before_s, faults = BEGIN_S - 100.0, self.faults
        self.world = Updated(service, lambda _: self.demand_rps, began_s=before_s, faults=faults)
        old = [self.world.start("rolled", ONES.size, ready=True) for _ in range(self.pods)]
        self.world.route({pod.name: 100 for pod in old}, at_once=True)
        self.runner = Runner(world=self.world)
        group = PodGroup(target=Target("rolled"), allocation=self.planned, pods=self.pods)
        decision = recall(service, (group,), demand_rps=self.demand_rps, decided_at_s=BEGIN_S)
        self.runner.state = replace(self.runner.state, decision=decision)

    async def until_done(self, most_s: float) -> None:
        for _ in range(round(most_s)):
            (seen,) = await self.runner.run(1.0)
            self.least_rps = min(self.least_rps, self.world.carried_rps())
            assert seen.progress is not None
            if seen.progress.phase is Phase.DONE:
                return
        raise AssertionError(f"not rolled after {most_s:.0f} s: {seen.progress}")


@pytest.mark.parametrize("demand_rps", [30.0, 150.0, 400.0])
@pytest.mark.parametrize(
    ("pods", "surge", "missing"),
    [(2, 0, 1), (3, 0, 2), (8, 0, 2), (8, 500, 2), (8, 1000, 1), (8, 2000, 0)],
)
def test_pods_that_are_the_whole_budget_are_rolled_and_no_more_than_two_are_given_up(
    pods: int, surge: int, missing: int, demand_rps: float
) -> None:
    """Two pods make room for the new pod and for the terminating one."""
    played = Played(pods, surge, demand_rps)
    asyncio.run(played.until_done(12.5 * (pods + 1)))
    assert [pod.size for pod in played.world.seen().pods] == [BATCHES.size] * pods
    assert played.least_rps >= (pods - missing) * ONES.capacity_rps


@pytest.mark.parametrize(("pods", "surge", "missing"), [(1, 0, 1), (8, 0, 2), (8, 8000, 0)])
def test_a_changed_template_is_rolled_within_budget_and_surge(
    pods: int, surge: int, missing: int
) -> None:
    played = Played(pods, surge, 15.0 * pods, planned=ONES)
    before = {pod.name for pod in played.world.seen().pods}
    played.world.changed = True
    asyncio.run(played.until_done(12.5 * (pods + 1)))
    assert not before & {pod.name for pod in played.world.seen().pods}
    assert played.least_rps >= (pods - missing) * ONES.capacity_rps


def test_what_is_not_ready_is_not_waited_for_with_a_changed_template() -> None:
    """A changed template may be the fix for the pod that is not Ready."""
    played = Played(2, 0, 15.0, planned=ONES)
    played.world.pods[0].ready = False
    played.world.changed = True
    (seen,) = asyncio.run(played.runner.run(1.0))
    assert seen.rollout is not None
    assert not seen.rollout.updates
