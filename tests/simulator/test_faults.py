"""What a real platform does to pods, as the loop gets to see it."""

from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.load import QueryFailed
from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize
from infadapter_operator.domain.steps import RemovePods, ReplacePods, ResizePod, ScaleUp
from infadapter_simulator.holding import holding
from infadapter_simulator.platform import SimulatedCluster, SimulatedLoad
from infadapter_simulator.policies.ours import at_once
from infadapter_simulator.scenario import PodSpeed, Scenario
from infadapter_simulator.world.faults import Faults, Spell
from infadapter_simulator.world.metrics import scraped_rates
from infadapter_simulator.world.node import EVICTED_S
from infadapter_simulator.world.of_requests import world_of_requests
from infadapter_simulator.world.pods import SimulatedPod
from infadapter_simulator.world.world import World
from infadapter_solver import CPU, Allocation, Objective, PodSize, Target, Variant

LOAD_S, START_S = 6.0, 8.0
SIZES = {
    cores: Allocation(size=PodSize(resources={CPU: 1000 * cores}), capacity_rps=10.0 * cores)
    for cores in (1, 2, 4, 8)
}
A = Target("a")
SCENARIO = Scenario(
    variants=tuple(
        Variant(name=name, accuracy=0.7, load_time_s=LOAD_S, allocations=tuple(SIZES.values()))
        for name in ("a", "b")
    ),
    speeds={(name, size.size): PodSpeed(1, 0.01) for name in "ab" for size in SIZES.values()},
    objective=Objective(budget={CPU: 8000}, loading_weight=0.001),
    min_ready_s=0.0,
)


@dataclass
class Platform:
    world: World
    cluster: SimulatedCluster

    def take(self, step: ScaleUp | ResizePod | ReplacePods | RemovePods) -> None:
        at_once(self.cluster.take(step))

    def seen(self) -> Observed:
        return at_once(self.cluster.observe(self.world.now_s))

    def after(self, seconds: float) -> tuple[Pod, ...]:
        self.world.advance(self.world.now_s + seconds)
        return self.seen().pods

    def run_pods(self, cores: int, pods: int, variant: str = "a") -> list[SimulatedPod]:
        """Ready before the run began."""
        return [self.world.start(variant, SIZES[cores].size, ready=True) for _ in range(pods)]


def platform(**faults: object) -> Platform:
    return played(replace(SCENARIO, faults=Faults(**faults)))  # type: ignore[arg-type]


def played(scenario: Scenario) -> Platform:
    world = world_of_requests(scenario, np.arange(0.0, 900.0), np.full(600, 1.0), 900, 1)
    return Platform(world, SimulatedCluster(world))


def up(cores: int, pods: int, variant: str = "a") -> ScaleUp:
    return ScaleUp(target=Target(variant), size=SIZES[cores].size, pods=pods)


def resize(pod: str, cores: int) -> ResizePod:
    return ResizePod(pod=pod, target=A, size=SIZES[cores].size)


def cores_of(pods: tuple[Pod, ...]) -> list[int]:
    return sorted(pod.resources[CPU] // 1000 for pod in pods if not pod.leaving)


def test_without_faults_pods_come_when_they_have_loaded() -> None:
    here = platform()
    here.take(up(1, 2))
    assert [pod.ready for pod in here.after(START_S - 0.1)] == [False, False]
    assert here.seen().pods[0].unready_since_s == 0.0
    pods = here.after(0.1)
    assert [(pod.ready, pod.trouble, pod.unready_since_s) for pod in pods] == [
        (True, None, None)
    ] * 2


# A node that is full


def test_a_pod_without_room_waits_unscheduled_and_starts_when_another_has_gone() -> None:
    here = platform(node_millicores=4000)
    first, _ = here.run_pods(2, 2)
    here.world.advance(5.0)
    here.take(up(2, 1, "b"))
    (waiting,) = [pod for pod in here.after(START_S) if pod.target.variant == "b"]
    assert (waiting.ready, waiting.unschedulable_since_s) == (False, 5.0)
    here.take(RemovePods(target=A, pods=(first.name,), remaining=1))
    gone_s = here.world.now_s + SCENARIO.drain_s
    (scheduled,) = [pod for pod in here.after(SCENARIO.drain_s) if pod.target.variant == "b"]
    assert scheduled.unschedulable_since_s is None
    assert not here.after(START_S - 0.1)[-1].ready
    assert here.after(0.1)[-1].ready
    assert here.world.pods[-1].ready_since_s == gone_s + START_S


def test_a_pod_without_a_node_holds_nothing() -> None:
    here = platform(node_millicores=4000)
    here.run_pods(4, 1)
    here.take(up(2, 1, "b"))
    here.after(20)
    assert holding(here.world.held, 4000, 0, 20).peak_cores == 4.0


def test_a_resize_without_room_is_deferred_until_there_is_some() -> None:
    here = platform(node_millicores=4000)
    first, second = here.run_pods(2, 2)
    here.world.advance(3.0)
    here.take(resize(first.name, 4))
    pod = here.after(10)[0]
    assert (pod.resize, pod.resize_since_s) == (Resize.DEFERRED, 3.0)
    assert (pod.resources[CPU], pod.wanted.cpu_millicores) == (2000, 4000)
    here.take(RemovePods(target=A, pods=(second.name,), remaining=1))
    assert here.after(SCENARIO.drain_s)[0].resize is Resize.IN_PROGRESS
    pod = here.after(SCENARIO.resize_s)[0]
    assert (pod.resize, pod.resources[CPU]) == (Resize.NONE, 4000)


def test_a_resize_beyond_the_node_is_refused_and_room_made_by_shrinking_is_used() -> None:
    here = platform(node_millicores=4000)
    first, second = here.run_pods(2, 2)
    here.take(resize(first.name, 8))
    assert here.after(5)[0].resize is Resize.REFUSED
    here.take(resize(second.name, 1))
    here.take(up(1, 1, "b"))
    assert here.after(0)[-1].unschedulable_since_s == 5.0
    assert here.after(SCENARIO.resize_s)[-1].unschedulable_since_s is None


# Pods that do not come


@pytest.mark.parametrize("cause", [Cause.IMAGE, Cause.CRASH])
def test_pods_of_a_variant_do_not_become_ready_until_the_spell_is_over(cause: Cause) -> None:
    here = platform(
        never_ready=(Spell(variant="a", from_s=10, until_s=60, cause=cause, message="no"),)
    )
    here.take(up(1, 1))
    assert here.after(12)[0].ready
    here.take(up(1, 2))
    here.take(up(1, 1, "b"))
    old, bad, good = here.after(30)
    assert (old.ready, bad.ready, good.ready) == (True, False, True)
    assert bad.trouble is not None
    assert (bad.trouble.cause, bad.trouble.message, bad.trouble.since_s) == (cause, "no", 12.0)
    now = here.after(18)[1]  # the spell ends at 60
    assert (now.trouble, now.ready) == (None, False)
    assert here.after(START_S)[1].ready


def test_that_a_pod_runs_and_is_not_ready_is_nothing_that_a_platform_tells() -> None:
    here = platform(never_ready=(Spell(variant="a", cause=Cause.NOT_READY),))
    here.take(up(1, 1))
    (pod,) = here.after(100)
    assert (pod.ready, pod.trouble, pod.unready_since_s) == (False, None, 0.0)


def test_pods_for_which_there_is_no_node_wait_for_one_until_the_spell_is_over() -> None:
    here = platform(unschedulable=(Spell(variant="a", from_s=10, until_s=60),))
    here.take(up(1, 1))
    here.world.advance(12)
    here.take(up(1, 2))
    here.take(up(1, 1, "b"))
    old, waits, other = here.after(30)
    assert (old.ready, waits.unschedulable_since_s, other.ready) == (True, 12.0, True)
    assert here.after(18)[1].unschedulable_since_s is None
    assert here.after(START_S)[1].ready
    assert holding(here.world.held, 0, 12, 60).peak_cores == 2.0


def test_refused_pods_are_not_made_and_stay_wanted_until_they_may_be() -> None:
    quota = Spell(variant="a", from_s=5, until_s=50, message="exceeded quota")
    here = platform(refused=(quota,))
    here.run_pods(1, 1)
    here.world.advance(10)
    here.take(up(1, 3))
    assert len(here.after(5)) == 1
    seen = here.seen()
    assert seen.desired_pods == {A: 3}
    refusal = seen.refusals[A]
    assert (refusal.cause, refusal.message, refusal.since_s) == (
        Cause.REFUSED,
        "exceeded quota",
        10.0,
    )
    here.take(RemovePods(target=A, pods=(), remaining=2))
    assert here.seen().desired_pods == {A: 2}
    assert len(here.after(35)) == 2
    assert not here.seen().refusals


@pytest.mark.parametrize("resize_is", [Resize.DEFERRED, Resize.FAILING, Resize.REFUSED])
def test_pods_do_not_grow_until_the_spell_is_over(resize_is: Resize) -> None:
    here = platform(stuck_resizes=(Spell(variant="a", until_s=40, resize=resize_is),))
    (pod,) = here.run_pods(1, 1)
    here.world.advance(2.0)
    here.take(resize(pod.name, 2))
    seen = here.after(20)[0]
    assert (seen.resize, seen.resize_since_s, seen.resources[CPU]) == (resize_is, 2.0, 1000)
    assert here.after(18)[0].resize is Resize.IN_PROGRESS
    assert here.after(SCENARIO.resize_s)[0].resources[CPU] == 2000


def test_pods_that_can_not_grow_can_shrink() -> None:
    here = platform(stuck_resizes=(Spell(variant="a"),))
    (pod,) = here.run_pods(2, 1)
    here.take(resize(pod.name, 1))
    assert here.after(SCENARIO.resize_s)[0].resources[CPU] == 1000


def test_a_lost_node_takes_its_pods_which_are_replaced_when_they_are_evicted() -> None:
    here = platform(lost_nodes=(Spell(variant="a", from_s=20),))
    (lost,) = here.run_pods(2, 1)
    here.run_pods(1, 1, "b")
    assert all(pod.ready for pod in here.after(19))
    first, other = here.after(1)
    assert (first.ready, first.is_lost, other.ready) == (False, True, True)
    assert first.trouble is not None
    assert first.trouble.since_s == 20.0
    here.world.remove(lost)
    assert lost.name in [pod.name for pod in here.after(EVICTED_S - 1)]
    pods = here.after(1)
    assert lost.name not in [pod.name for pod in pods]
    assert holding(here.world.held, 0, 25, 30).peak_cores == 3.0


def test_a_node_can_be_lost_from_the_first_second_on() -> None:
    here = platform(lost_nodes=(Spell(variant="a"),))
    here.run_pods(1, 1)
    assert [pod.is_lost for pod in here.after(1)] == [True]


def test_a_pod_whose_resize_is_stuck_while_it_does_not_start_gets_over_both() -> None:
    spell = Spell(variant="a", until_s=20)
    here = platform(stuck_resizes=(spell,), never_ready=(spell,))
    here.take(up(1, 1))
    here.take(resize(here.after(2)[0].name, 2))
    assert here.after(2)[0].resize is Resize.FAILING
    (pod,) = here.after(16 + START_S)
    assert (pod.ready, pod.resources[CPU]) == (True, 2000)


def test_a_deployment_makes_up_for_an_evicted_pod() -> None:
    here = platform(lost_nodes=(Spell(variant="a", from_s=20),))
    here.run_pods(2, 1)
    here.after(20)
    assert len(here.after(EVICTED_S - 1)) == 1
    (new,) = here.after(1)
    assert (new.created_at_s, new.is_lost) == (20 + EVICTED_S, False)


def test_a_pod_that_vanishes_is_gone_at_once_and_made_up_for() -> None:
    here = platform()
    first, _ = here.run_pods(1, 2)
    here.world.route({pod.name: 1 for pod in here.world.pods})
    here.world.advance(5.2)
    here.seen()
    here.world.vanish(first)
    there = {pod.name: (pod.ready, pod.created_at_s) for pod in here.seen().pods}
    assert there == {"a-1": (True, 0.0), "a-2": (False, 5.2)}
    here.world.advance(9.0)
    assert set(here.world.traffic.slot_of[here.world.traffic.arrivals_s > 5.2][:3]) == {1}


def test_while_prometheus_does_not_answer_nothing_is_known_of_the_load() -> None:
    here = platform(blind_s=((10.0, 20.0),))
    load = SimulatedLoad(here.world)
    for at_s, answers in ((9.0, True), (10.0, False), (19.9, False), (20.0, True)):
        here.world.advance(at_s)
        told = nullcontext() if answers else pytest.raises(QueryFailed)
        with told:
            at_once(load.history(60.0, at_s))


# Templates and times


def test_a_template_is_kept_while_pods_are_wanted_that_nobody_makes() -> None:
    here = platform(refused=(Spell(variant="a", until_s=10),))
    here.take(up(1, 1))
    assert here.seen().templates == {A: SIZES[1].size}
    here.take(up(4, 2))
    assert cores_of(here.after(10)) == [1, 1]


def test_starts_resizes_and_scrapes_take_longer_than_told() -> None:
    here = platform(start_factor=3.0, resize_factor=2.0, lag_factor=4.0)
    (pod,) = here.run_pods(1, 1)
    here.take(resize(pod.name, 2))
    here.take(up(1, 1, "b"))
    assert here.after(1.9)[0].resources[CPU] == 1000
    assert here.after(0.1)[0].resources[CPU] == 2000
    assert scraped_rates(here.world, 10)[0] == 0.0
    assert not here.after(3 * START_S - 2.1)[1].ready
    assert here.after(0.1)[1].ready


# Rolling updates


def test_a_rolling_update_has_one_pod_more_and_never_fewer_ready() -> None:
    here = platform()
    here.run_pods(1, 3)
    here.take(ReplacePods(target=A, size=SIZES[2].size, pods=3))
    live_most, ready_least, sizes = 0, 3, []
    while here.seen().rolling:
        live = [pod for pod in here.after(0.25) if not pod.leaving]
        live_most = max(live_most, len(live))
        ready_least = min(ready_least, sum(pod.ready for pod in live))
        sizes.append(cores_of(here.seen().pods))
    assert (live_most, ready_least) == (4, 3)
    assert sizes[-1] == [2, 2, 2]
    assert 3 * START_S <= here.world.now_s <= 3 * START_S + 1
    assert here.seen().desired_pods == {A: 3}


def test_an_old_pod_stays_until_its_successor_has_been_ready_for_a_while() -> None:
    here = played(replace(SCENARIO, min_ready_s=10.0))
    (old,) = here.run_pods(1, 1)
    here.take(ReplacePods(target=A, size=SIZES[2].size, pods=1))
    assert [pod.ready for pod in here.after(START_S + 9.9)] == [True, True]
    here.after(0.1)
    assert old.leaving


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([1, 2]), min_size=1, max_size=5),
    st.integers(1, 6),
    st.lists(st.floats(0, 40), max_size=3),
)
def test_whatever_is_rolled_is_rolled_within_one_pod_more_and_none_less(
    cores: list[int], replicas: int, more_at_s: list[float]
) -> None:
    """Also while more pods are asked for."""
    here = platform()
    for each in cores:
        here.world.start("a", SIZES[each].size, ready=True)
    here.take(ReplacePods(target=A, size=SIZES[2].size, pods=replicas))
    more = sorted(more_at_s)
    seen = here.seen()
    while seen.rolling or more:
        least = min(seen.desired_pods[A], sum(pod.ready for pod in seen.pods))
        if more and here.world.now_s >= more[0]:
            more.pop(0)
            here.take(up(2, seen.desired_pods[A] + 1))
        live = [pod for pod in here.after(0.5) if not pod.leaving]
        seen = here.seen()
        desired = seen.desired_pods[A]
        assert len(live) <= max(desired + 1, len(cores))
        assert sum(pod.ready for pod in live) >= min(least, desired)
        assert here.world.now_s < 200
    assert cores_of(here.after(2 * START_S)) == [2] * here.seen().desired_pods[A]


def test_of_old_pods_those_that_are_not_ready_go_first_and_none_stays_for_its_size() -> None:
    here = platform()
    carries = here.world.start("a", SIZES[2].size, ready=True)
    loads = here.world.start("a", SIZES[2].size)
    here.take(ReplacePods(target=A, size=SIZES[2].size, pods=1))
    assert (carries.leaving, loads.leaving) == (False, True)
    assert [pod.outdated for pod in here.seen().pods] == [True, True, False]
    (new,) = here.after(START_S + 1)
    assert new.ready
    assert new.name not in (carries.name, loads.name)


def test_a_roll_whose_new_pod_does_not_come_keeps_all_old_ones() -> None:
    here = platform(never_ready=(Spell(variant="a", from_s=1),))
    here.run_pods(1, 2)
    here.world.advance(2)
    here.take(ReplacePods(target=A, size=SIZES[2].size, pods=2))
    pods = here.after(200)
    assert cores_of(pods) == [1, 1, 2]
    assert sum(pod.ready for pod in pods) == 2
    assert here.seen().rolling == {A}


def test_pods_that_are_resized_after_a_roll_are_not_rolled_back() -> None:
    here = platform()
    here.run_pods(1, 1)
    here.take(ReplacePods(target=A, size=SIZES[2].size, pods=1))
    (pod,) = here.after(START_S + 1)
    here.take(resize(pod.name, 4))
    (pod,) = here.after(30)
    assert pod.resources[CPU] == 4000
    assert not here.seen().rolling
