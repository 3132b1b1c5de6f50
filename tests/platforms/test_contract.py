"""
What the loop may rely on, whatever platform it has: one set of tests for Kubernetes, for processes
on this machine and for the simulator. Where two differ, what was seen on one says nothing of the
other.
"""

from collections.abc import AsyncIterator

import pytest

from infadapter_operator.domain.observed import Observed, Pod, Resize, RouterView
from infadapter_operator.domain.ports import StepRefused
from infadapter_operator.domain.steps import (
    Backend,
    RemovePods,
    ReplacePods,
    ResizePod,
    ScaleUp,
    SetWeights,
)
from infadapter_solver.problem import Allocation
from tests.platforms.platforms import (
    BATCHING,
    FLOOR,
    ONE,
    PLATFORMS,
    TARGET,
    TWO,
    OnKubernetes,
    OnThisMachine,
    Platform,
    at_one_time,
    settled,
)


@pytest.fixture(params=PLATFORMS)
async def platform(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    made = PLATFORMS[request.param]()
    yield made
    await made.stop()


async def scaled(platform: Platform, pods: int, size: Allocation = ONE) -> Observed:
    await platform.observe()
    await platform.cluster.take(ScaleUp(target=TARGET, size=size.size, pods=pods))
    return await settled(platform)


def weights(observed: Observed, *shares: int) -> SetWeights:
    return SetWeights(
        backends=tuple(
            Backend(pod=pod.name, target=pod.target, address=_address(pod), weight=weight)
            for pod, weight in zip(at_one_time(observed).pods, shares, strict=True)
        )
    )


def _address(pod: Pod) -> str:
    return pod.address if ":" in pod.address else f"{pod.address}:80"


def sizes(observed: Observed) -> list[int]:
    return sorted(pod.resources["cpu"] for pod in observed.pods if not pod.leaving)


def names(observed: Observed) -> set[str]:
    return {pod.name for pod in observed.pods if not pod.leaving}


def outdated(observed: Observed) -> set[str]:
    return {pod.name for pod in observed.pods if pod.outdated and not pod.leaving}


def may_send_to(view: RouterView) -> set[str]:
    """A pod that is not among these can be drained."""
    return {*view.obeys, *view.may_obey}


def ready(observed: Observed) -> int:
    return sum(pod.ready for pod in observed.pods)


# --- starting -----------------------------------------------------------------------------------


async def test_pods_start_at_the_planned_size(platform: Platform) -> None:
    observed = await scaled(platform, 2, TWO)
    assert sizes(observed) == [2000, 2000]
    assert all(pod.ready and pod.target == TARGET and pod.address for pod in observed.pods)
    assert all(pod.size == pod.wanted for pod in observed.pods)


async def test_servers_are_told_the_planned_batch_limit(platform: Platform) -> None:
    observed = await scaled(platform, 2, BATCHING)
    assert [pod.size for pod in observed.pods] == 2 * [BATCHING.size]
    assert platform.batch_limits() == [8, 8]


async def test_a_pod_is_not_ready_before_it_has_loaded(platform: Platform) -> None:
    await platform.observe()
    await platform.cluster.take(ScaleUp(target=TARGET, size=ONE.size, pods=2))
    assert ready(await platform.observe()) == 0
    assert ready(await settled(platform)) == 2


async def test_later_pods_come_up_at_the_size_of_the_template(platform: Platform) -> None:
    await scaled(platform, 1, ONE)
    observed = await scaled(platform, 2, TWO)
    assert sizes(observed) == [1000, 1000]
    assert observed.templates[TARGET].resources == ONE.resources


async def test_a_resize_leaves_the_template_as_it_is(platform: Platform) -> None:
    (first,) = (await scaled(platform, 1, ONE)).pods
    await platform.cluster.take(ResizePod(pod=first.name, target=TARGET, size=TWO.size))
    assert (await settled(platform)).templates == {TARGET: ONE.size}
    observed = await scaled(platform, 2, TWO)
    by_name = {pod.name: pod.size for pod in observed.pods}
    assert by_name.pop(first.name) == TWO.size
    assert list(by_name.values()) == [ONE.size]


async def test_a_target_without_pods_has_no_template(platform: Platform) -> None:
    assert (await platform.observe()).templates == {}
    observed = await scaled(platform, 1, ONE)
    gone = tuple(names(observed))
    await platform.cluster.take(RemovePods(target=TARGET, pods=gone, remaining=0))
    assert (await settled(platform)).templates == {}


async def test_of_what_pods_come_does_not_change_with_their_size(platform: Platform) -> None:
    """A digest is of all but the size; a platform where nothing else can change needs none."""
    first = await scaled(platform, 1, ONE)
    (pod,) = names(first)
    await platform.cluster.take(ResizePod(pod=pod, target=TARGET, size=TWO.size))
    assert (await settled(platform)).digests == first.digests
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=1))
    await settled(platform)
    assert (await settled(platform)).digests == first.digests


async def test_the_template_follows_when_nothing_runs(platform: Platform) -> None:
    observed = await scaled(platform, 1, ONE)
    gone = tuple(names(observed))
    await platform.cluster.take(RemovePods(target=TARGET, pods=gone, remaining=0))
    assert not (await settled(platform)).pods
    assert sizes(await scaled(platform, 1, TWO)) == [2000]


async def test_a_step_that_is_taken_twice_has_one_effect(platform: Platform) -> None:
    before = await scaled(platform, 2)
    assert names(await scaled(platform, 2)) == names(before)
    step = RemovePods(target=TARGET, pods=(min(names(before)),), remaining=1)
    await platform.cluster.take(step)
    await platform.cluster.take(step)
    await settled(platform)
    assert names(await settled(platform)) == names(before) - set(step.pods)


# --- sizes --------------------------------------------------------------------------------------


async def test_a_resize_is_told_until_it_is_in_force(platform: Platform) -> None:
    """At once or later, but never in force without being asked for; and no pod starts anew."""
    (before,) = (await scaled(platform, 1)).pods
    await platform.cluster.take(ResizePod(pod=before.name, target=TARGET, size=TWO.size))
    (during,) = (await platform.observe()).pods
    assert during.wanted == TWO.size
    assert during.size in (ONE.size, TWO.size)
    assert (during.resize is Resize.NONE) == (during.size == during.wanted)
    (after,) = (await settled(platform)).pods
    assert (after.name, after.address, after.ready) == (before.name, before.address, True)
    assert after.size == after.wanted == TWO.size
    assert after.resize is Resize.NONE


async def test_a_resize_of_a_pod_that_is_gone_is_refused(platform: Platform) -> None:
    await scaled(platform, 1)
    with pytest.raises(StepRefused):
        await platform.cluster.take(ResizePod(pod="r18-nobody", target=TARGET, size=TWO.size))


async def test_a_replacement_never_lowers_the_number_of_ready_pods(platform: Platform) -> None:
    before = await scaled(platform, 3)
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=3))
    for _ in range(20):
        assert ready(await platform.tick()) >= ready(before)


async def test_a_replacement_leaves_new_pods_alone(platform: Platform) -> None:
    before = await scaled(platform, 2)
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=2))
    await settled(platform)
    after = await settled(platform)
    assert not names(before) & names(after)
    assert sizes(after) == [2000, 2000]
    assert ready(after) == 2


async def test_a_replacement_by_pods_of_the_size_in_force_makes_new_ones(
    platform: Platform,
) -> None:
    """That resized pods can be rolled where new ones come up at the right size already."""
    before = await scaled(platform, 1)
    await platform.cluster.take(ReplacePods(target=TARGET, size=ONE.size, pods=1))
    await settled(platform)
    after = await settled(platform)
    assert sizes(after) == [1000]
    assert not names(before) & names(after)


async def test_pods_after_a_replacement_come_up_at_its_size(platform: Platform) -> None:
    await scaled(platform, 1)
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=1))
    await settled(platform)
    await settled(platform)
    assert sizes(await scaled(platform, 2, ONE)) == [2000, 2000]


async def test_a_replacement_is_told_until_it_is_over(platform: Platform) -> None:
    before = await scaled(platform, 2)
    assert (before.rolling, outdated(before)) == (frozenset(), set())
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=2))
    during = await platform.observe()
    assert during.rolling == {TARGET}
    assert outdated(during) == names(before)
    assert during.templates == {TARGET: TWO.size}
    await settled(platform)
    after = await settled(platform)
    assert (after.rolling, outdated(after)) == (frozenset(), set())


async def test_a_replacement_holds_one_pod_more_which_nobody_asked_for(platform: Platform) -> None:
    await scaled(platform, 3)
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=3))
    for _ in range(20):
        observed = await platform.tick()
        assert len(names(observed)) <= 4
        assert observed.desired_pods == {TARGET: 3}


async def test_pods_that_are_asked_for_within_a_replacement_come_as_new_ones(
    platform: Platform,
) -> None:
    before = await scaled(platform, 2)
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=2))
    await platform.observe()
    for _ in range(2):
        await platform.cluster.take(ScaleUp(target=TARGET, size=TWO.size, pods=3))
        await platform.observe()
    await settled(platform)
    after = await settled(platform)
    assert not names(before) & names(after)
    assert sizes(after) == [2000, 2000, 2000]
    assert after.desired_pods == {TARGET: 3}


async def test_pods_that_go_within_a_replacement_do_not_come_again(platform: Platform) -> None:
    before = await scaled(platform, 2)
    await platform.cluster.take(ReplacePods(target=TARGET, size=TWO.size, pods=2))
    await platform.observe()
    gone = min(names(before))
    await platform.cluster.take(RemovePods(target=TARGET, pods=(gone,), remaining=1))
    await settled(platform)
    after = await settled(platform)
    assert sizes(after) == [2000]
    assert not names(before) & names(after)


# --- removing -----------------------------------------------------------------------------------


async def test_exactly_the_named_pods_go(platform: Platform) -> None:
    before = await scaled(platform, 3)
    gone = sorted(names(before))[1]
    await platform.cluster.take(RemovePods(target=TARGET, pods=(gone,), remaining=2))
    after = await settled(platform)
    assert names(after) == names(before) - {gone}
    assert gone not in {pod.name for pod in after.pods}


async def test_desired_pods_count_what_was_asked_for(platform: Platform) -> None:
    await platform.observe()
    await platform.cluster.take(ScaleUp(target=TARGET, size=ONE.size, pods=3))
    assert (await platform.observe()).desired_pods == {TARGET: 3}
    observed = await settled(platform)
    gone = tuple(sorted(names(observed))[:2])
    await platform.cluster.take(RemovePods(target=TARGET, pods=gone, remaining=1))
    assert (await platform.observe()).desired_pods == {TARGET: 1}
    assert (await settled(platform)).desired_pods == {TARGET: 1}


async def test_desired_pods_outlive_the_pods(platform: Platform) -> None:
    """Zero is known of a target that had pods, or it is named no more."""
    observed = await scaled(platform, 1)
    gone = tuple(names(observed))
    await platform.cluster.take(RemovePods(target=TARGET, pods=gone, remaining=0))
    assert (await settled(platform)).desired_pods.get(TARGET, 0) == 0


# --- looking ------------------------------------------------------------------------------------


async def test_looking_changes_nothing(platform: Platform) -> None:
    await scaled(platform, 2)
    assert at_one_time(await platform.observe()) == at_one_time(await platform.observe())


async def test_a_look_leaves_the_weights_to_the_router(platform: Platform) -> None:
    observed = await scaled(platform, 1)
    await platform.router.set_weights(weights(observed, 1000))
    await platform.obey()
    assert not (await platform.observe()).weights


# --- weights ------------------------------------------------------------------------------------


async def test_weights_are_obeyed_later_than_they_are_sent(platform: Platform) -> None:
    observed = await scaled(platform, 2)
    sent = weights(observed, 700, 300)
    assert (await platform.router.view()).obeys == {}
    await platform.router.set_weights(sent)
    assert (await platform.router.view()).obeys == {}
    await platform.obey()
    assert (await platform.router.view()).obeys == {b.pod: b.weight for b in sent.backends}


async def test_before_weights_are_sent_nothing_is_known_of_any(platform: Platform) -> None:
    assert await platform.router.view() == RouterView()


async def test_what_was_sent_last_is_told_whether_or_not_it_is_obeyed(platform: Platform) -> None:
    observed = await scaled(platform, 2)
    first, second = (pod.name for pod in at_one_time(observed).pods)
    await platform.router.set_weights(weights(observed, 600, 400))
    assert (await platform.router.view()).sent == {first: 600, second: 400}
    await platform.obey()
    await platform.router.set_weights(weights(observed, 0, 1000))
    view = await platform.router.view()
    assert (view.obeys, view.sent) == ({first: 600, second: 400}, {second: 1000})
    await platform.obey()
    view = await platform.router.view()
    assert view.obeys == view.sent == {second: 1000}


async def test_whom_the_router_may_still_send_to_is_known(platform: Platform) -> None:
    observed = await scaled(platform, 2)
    first, second = (pod.name for pod in at_one_time(observed).pods)
    await platform.router.set_weights(weights(observed, 1000, 0))
    assert may_send_to(await platform.router.view()) == {first}
    await platform.obey()
    await platform.router.set_weights(weights(observed, 0, 1000))
    view = await platform.router.view()
    assert first in view.obeys
    assert may_send_to(view) == {first, second}
    await platform.obey()
    view = await platform.router.view()
    assert view.obeys == {second: 1000}
    assert may_send_to(view) == {second}, "what was replaced never comes again"


async def test_only_what_may_be_obeyed_ever_is(platform: Platform) -> None:
    """Also where weights are replaced before anybody has confirmed them."""
    observed = await scaled(platform, 3)
    may: set[str] = set()
    for shares in ((1000, 0, 0), (0, 1000, 0), (0, 0, 1000)):
        await platform.router.set_weights(weights(observed, *shares))
        may = may_send_to(await platform.router.view())
    while (view := await platform.router.view()).obeys != view.sent:
        assert set(view.obeys) <= may
        await platform.obey()
    assert may_send_to(view) == set(view.obeys) <= may


@pytest.mark.parametrize("made", [OnKubernetes, OnThisMachine])
async def test_pods_are_asked_to_be_as_accurate_as_the_floor(
    made: type[OnKubernetes] | type[OnThisMachine],
) -> None:
    """In the simulator no scenario holds what is less accurate."""
    platform = made()
    observed = await scaled(platform, 2)
    await platform.router.set_weights(weights(observed, 700, 300))
    assert await platform.floors() == pytest.approx([FLOOR, FLOOR], abs=1e-4)
    await platform.stop()


async def test_a_weight_of_zero_is_none(platform: Platform) -> None:
    observed = await scaled(platform, 2)
    await platform.router.set_weights(weights(observed, 0, 1000))
    await platform.obey()
    assert set((await platform.router.view()).obeys.values()) == {1000}
