"""
What the loop may rely on, whatever body it has: one set of tests for Kubernetes, for processes on
this machine and for the simulator. Where two differ, what was seen on one says nothing of another.
"""

from collections.abc import AsyncIterator

import pytest

from infadapter_operator.domain.observed import Observed, Pod, Resize
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
    ONE,
    PLATFORMS,
    TARGET,
    TWO,
    Platform,
    at_one_time,
    settled,
)

_NO_TEMPLATE = "has no template: every new pod comes up at the size that its step names"
_BY_SIZE = "tells old pods from new ones by their size alone"

DIFFERS = {
    ("local", "test_later_pods_come_up_at_the_size_of_the_template"): _NO_TEMPLATE,
    ("local", "test_pods_after_a_replacement_come_up_at_its_size"): _NO_TEMPLATE,
    ("local", "test_a_replacement_by_pods_of_the_size_in_force_makes_new_ones"): _BY_SIZE,
}
"""By platform and test, what is not so yet, and why. Who mends it removes its row."""


def test_every_difference_names_a_test() -> None:
    assert {name for _, name in DIFFERS} <= set(globals())
    assert {platform for platform, _ in DIFFERS} <= set(PLATFORMS)


@pytest.fixture(params=PLATFORMS)
async def platform(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    reason = DIFFERS.get((request.param, request.function.__name__))
    if reason:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
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


def ready(observed: Observed) -> int:
    return sum(pod.ready for pod in observed.pods)


# --- starting -----------------------------------------------------------------------------------


async def test_pods_start_at_the_planned_size(platform: Platform) -> None:
    observed = await scaled(platform, 2, TWO)
    assert sizes(observed) == [2000, 2000]
    assert all(pod.ready and pod.target == TARGET and pod.address for pod in observed.pods)
    assert all(pod.size == pod.wanted for pod in observed.pods)


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


async def test_the_body_says_at_what_size_later_pods_come_up(platform: Platform) -> None:
    first = await scaled(platform, 1, ONE)
    template = first.templates.get(TARGET, TWO)
    observed = await scaled(platform, 2, TWO)
    (new,) = [pod for pod in observed.pods if pod.name not in names(first)]
    assert new.resources == template.resources


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


async def test_whom_the_router_may_still_send_to_is_known(platform: Platform) -> None:
    observed = await scaled(platform, 2)
    first, second = (pod.name for pod in at_one_time(observed).pods)
    await platform.router.set_weights(weights(observed, 1000, 0))
    await platform.obey()
    await platform.router.set_weights(weights(observed, 0, 1000))
    assert first in (await platform.router.view()).obeys
    await platform.obey()
    assert (await platform.router.view()).obeys == {second: 1000}


async def test_a_weight_of_zero_is_none(platform: Platform) -> None:
    observed = await scaled(platform, 2)
    await platform.router.set_weights(weights(observed, 0, 1000))
    await platform.obey()
    assert set(((await platform.router.view()).obeys).values()) == {1000}
