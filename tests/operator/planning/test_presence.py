"""Pods that count in planning: not failing pods that are waited for, nor pods of lost nodes."""

from dataclasses import replace

import pytest

from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize, Trouble
from infadapter_operator.domain.progress import Block
from infadapter_operator.planning.backoff import JITTER, blocks_after
from infadapter_operator.planning.failures import failing
from infadapter_operator.planning.presence import Present, present
from infadapter_solver.problem import CPU, PodGroup, PodSize, Target
from tests.builders import SMALL, a_service, recall

TARGET = Target("small")
GONE = Trouble(cause=Cause.IMAGE, message="no such image", since_s=0.0)
LOST = Trouble(cause=Cause.NODE_LOST, message="its node does not answer", since_s=0.0)
SERVICE = a_service()
GROUP = PodGroup(target=TARGET, allocation=SMALL.allocations[1], pods=1)
PLAN = recall(SERVICE, (GROUP,), demand_rps=10.0, decided_at_s=0.0).plan


def a_pod(name: str, trouble: Trouble | None = None) -> Pod:
    return Pod(
        name=name,
        target=TARGET,
        size=PodSize(resources={CPU: 1000}),
        wanted=PodSize(resources={CPU: 1000}),
        ready=trouble is None,
        created_at_s=0.0,
        trouble=trouble,
    )


def test_a_pod_that_fails_is_waited_for_and_not_counted() -> None:
    observed = Observed(pods=(a_pod("good"), a_pod("bad", GONE)), desired_pods={TARGET: 2})
    there = present(SERVICE, observed, blocks_after(SERVICE, {}, observed, 100.0), PLAN, 100.0)
    assert [pod.name for pod in there.counted.pods] == ["good"]
    assert there.counted.desired_pods == {TARGET: 1}
    assert there.absent == {TARGET: 1}
    assert there.counted.pod_limits == {TARGET: 1}
    assert there.counted.awaited_resources == {CPU: 1000}


def test_in_a_full_budget_the_planned_pod_that_fails_is_its_own_room() -> None:
    """Regression: counted twice, it was removed and retried, with a new plan each time."""
    full = a_service(budget={CPU: 2000}, max_surge={CPU: 0})
    plan = replace(PLAN, groups=(replace(GROUP, pods=2),))
    observed = Observed(pods=(a_pod("good"), a_pod("bad", GONE)), desired_pods={TARGET: 2})
    blocks = blocks_after(full, {}, observed, 100.0)
    assert present(full, observed, blocks, plan, 100.0).counted.awaited_resources == {CPU: 1000}
    smaller = a_service(budget={CPU: 1900}, max_surge={CPU: 0})
    assert present(smaller, observed, blocks, plan, 100.0).counted.awaited_resources == {}


def test_who_loads_after_its_trouble_has_no_other_one_until_it_is_tried_again() -> None:
    """Regression: its block changed to a cause shared with others, and another variant started."""
    silent = replace(a_pod("bad"), ready=False)
    fails = Observed(pods=(replace(silent, trouble=GONE),), desired_pods={TARGET: 1})
    blocks = blocks_after(SERVICE, {}, fails, 100.0)
    loads = replace(fails, pods=(silent,))
    assert blocks_after(SERVICE, blocks, loads, 101.0) == blocks
    later = blocks_after(SERVICE, blocks, loads, 1 + blocks[TARGET].until_s)
    assert later[TARGET].cause is Cause.NOT_READY


def test_a_new_plan_is_no_progress_of_a_pod_that_was_given_up() -> None:
    silent = replace(a_pod("bad"), ready=False)
    before = Observed(pods=(a_pod("good"), silent), desired_pods={TARGET: 2}, moved_at_s=0.0)
    blocks = blocks_after(SERVICE, {}, before, 100.0)
    after = replace(before, moved_at_s=100.0)
    assert [pod.name for pod in failing(SERVICE, after, blocks, 101.0)] == ["bad"]
    assert failing(SERVICE, after, {}, 101.0) == []
    assert blocks_after(SERVICE, blocks, after, 101.0) == blocks


def test_nor_of_one_that_finds_no_node_until_a_node_takes_it() -> None:
    waiting = replace(a_pod("bad"), ready=False, unschedulable_since_s=0.0)
    before = Observed(pods=(a_pod("good"), waiting), desired_pods={TARGET: 2}, moved_at_s=0.0)
    blocks = blocks_after(SERVICE, {}, before, 100.0)
    after = replace(before, moved_at_s=100.0)
    assert [pod.name for pod in failing(SERVICE, after, blocks, 101.0)] == ["bad"]
    loads = replace(after, pods=(a_pod("good"), replace(waiting, unschedulable_since_s=None)))
    assert failing(SERVICE, loads, blocks, 101.0) == []


def test_who_waits_for_a_node_is_given_up_with_one_that_waits_longer_and_is_no_larger() -> None:
    """Regression: the plan made without the first pod counted as progress of the others."""
    oldest = replace(a_pod("oldest"), ready=False, unschedulable_since_s=0.0)
    later = replace(oldest, name="later", created_at_s=90.0, unschedulable_since_s=90.0)
    smaller = replace(later, name="smaller", wanted=PodSize(resources={CPU: 900}))
    loads = replace(later, name="loads", unschedulable_since_s=None)
    pods = (a_pod("good"), oldest, later, smaller, loads)
    before = Observed(pods=pods, desired_pods={TARGET: 5}, moved_at_s=0.0)
    blocks = blocks_after(SERVICE, {}, before, 100.0)
    after = replace(before, moved_at_s=100.0)
    assert [pod.name for pod in failing(SERVICE, after, blocks, 101.0)] == ["oldest", "later"]
    plan = replace(PLAN, groups=(replace(GROUP, pods=5),))
    limits = present(SERVICE, after, blocks, plan, 101.0).counted.pod_limits
    assert limits == {TARGET: 3}  # the Ready pod, and those that may still start


def test_the_pod_more_of_a_rolling_change_was_not_asked_for() -> None:
    observed = Observed(
        pods=(a_pod("old"), a_pod("new", GONE)),
        desired_pods={TARGET: 1},
        rolling=frozenset({TARGET}),
    )
    there = present(SERVICE, observed, blocks_after(SERVICE, {}, observed, 100.0), PLAN, 100.0)
    assert [pod.name for pod in there.counted.pods] == ["old"]
    assert there.counted.desired_pods == {TARGET: 1}
    assert there.absent == {TARGET: 0}


@pytest.mark.parametrize(("batch_size", "awaited"), [(1, {"bad"}), (4, set())])
def test_no_failing_pod_is_awaited_in_the_room_that_a_roll_needs(
    batch_size: int, awaited: set[str]
) -> None:
    """Regression: a serving pod with 43 of 130 rps was released, and the failing one kept."""
    full = a_service(budget={CPU: 2000}, max_surge={CPU: 0})
    size = replace(GROUP.allocation.size, batch_size=batch_size)
    rolled = replace(GROUP, allocation=replace(GROUP.allocation, size=size))
    unplanned = replace(a_pod("bad", GONE), target=BUSY)
    observed = Observed(pods=(a_pod("old"), unplanned), desired_pods={TARGET: 1, BUSY: 1})
    blocks = blocks_after(full, {}, observed, 100.0)
    there = present(full, observed, blocks, replace(PLAN, groups=(rolled,)), 100.0)
    assert there.awaited == awaited


def test_a_lost_pod_is_missing_and_holds_nothing() -> None:
    observed = Observed(pods=(a_pod("lost", LOST),), desired_pods={TARGET: 1})
    there = present(SERVICE, observed, {}, PLAN, 100.0)
    assert not there.counted.pods
    assert there.counted.desired_pods == {TARGET: 0}
    assert not there.counted.awaited_resources


BUSY = Target("large")


def test_nothing_is_tried_again_while_another_pod_starts() -> None:
    """Otherwise the starting pod could be given up for one that may fail."""
    blocks = {TARGET: a_block(TARGET, until_s=130.0)}
    starting = replace(a_pod("starting"), target=BUSY, ready=False, created_at_s=125.0)
    for pods, due in (((starting,), ()), ((replace(starting, ready=True),), (TARGET,))):
        there = present(SERVICE, Observed(pods=pods), blocks, None, 131.0)
        assert (there.due, there.counted.pod_limits) == (due, {TARGET: 0})


def test_beside_a_plan_that_has_it_no_other_one_is_tried() -> None:
    there = present(SERVICE, Observed(), {TARGET: a_block(TARGET, until_s=130.0)}, PLAN, 131.0)
    assert (there.due, there.counted.pod_limits) == ((), {TARGET: 1})


def shared_by_two(now_s: float, **observed: object) -> Present:
    """Two of three variants fail for the same cause, and there are no pods."""
    blocks = {t: a_block(t, until_s=130.0) for t in (TARGET, BUSY)}
    return present(SERVICE, Observed(**observed), blocks, None, now_s)  # type: ignore[arg-type]


def limits(now_s: float, **observed: object) -> dict[str, int]:
    there = shared_by_two(now_s, **observed)
    return {target.variant: pods for target, pods in there.counted.pod_limits.items()}


def tried(now_s: float, **observed: object) -> list[str]:
    """Return the variants retried beside the plan, which has no pods of them."""
    assert set(limits(now_s, **observed).values()) == {0}
    return [target.variant for target in shared_by_two(now_s, **observed).due]


def test_for_one_cause_no_other_variant_is_started_until_the_back_off_is_over() -> None:
    assert limits(129.0) == {"small": 0, "middle": 0, "large": 0}
    assert tried(129.0) == []


def test_then_one_variant_is_tried_for_all_and_the_next_one_where_it_was_not_wanted() -> None:
    turns = [tried(130.0 + 30.0 * turn) for turn in range(4)]
    assert turns == [["middle"], ["large"], ["small"], ["middle"]]  # those never retried come first


def test_another_service_may_try_for_all() -> None:
    causes = frozenset({Cause.IMAGE})
    assert tried(131.0, shared_causes=causes, tried_elsewhere=causes) == []
    assert len(tried(131.0, shared_causes=causes)) == 1


def test_where_a_later_pod_came_each_variant_has_its_own_trouble() -> None:
    came = replace(a_pod("came"), target=Target("middle"), created_at_s=50.0)
    assert limits(129.0, pods=(came,)) == {"small": 0, "large": 0}


def test_variants_that_fail_for_one_cause_have_one_back_off() -> None:
    blocks = {TARGET: a_block(TARGET, until_s=130.0), BUSY: a_block(BUSY, until_s=170.0)}
    after = blocks_after(SERVICE, blocks, Observed(), 120.0)
    assert {block.until_s for block in after.values()} == {170.0}


def test_what_has_failed_for_weeks_is_tried_again_after_the_longest_back_off() -> None:
    """Regression: doubled a thousand times, the back-off overflowed, and every cycle failed."""
    before = replace(a_block(TARGET, until_s=90.0), attempts=1024)
    observed = Observed(pods=(a_pod("bad", GONE),), desired_pods={TARGET: 1})
    after = blocks_after(SERVICE, {TARGET: before}, observed, 100.0)[TARGET]
    longest_s = SERVICE.patience.retry_most_s
    assert after.attempts == 1025
    assert 100.0 + longest_s <= after.until_s <= 100.0 + (1 + JITTER) * longest_s


def test_a_back_off_that_ends_in_a_far_future_ends_as_the_longest_would() -> None:
    """Regression: after a clock ran an hour ahead, nothing was retried for that hour."""
    before = {TARGET: a_block(TARGET, until_s=3700.0)}
    after = blocks_after(SERVICE, before, Observed(), 100.0)[TARGET]
    assert after.until_s == 100.0 + (1 + JITTER) * SERVICE.patience.retry_most_s


def sized(name: str, millicores: int, resize: Resize = Resize.NONE, **changes: object) -> Pod:
    of = PodSize(resources={CPU: millicores})
    size = {"size": of, "wanted": of, "resize": resize}
    return replace(a_pod(name), **{**size, **changes})  # type: ignore[arg-type]


def planned(block: Block, *pods: Pod) -> tuple[dict[Target, int], dict[Target, int]]:
    there = present(SERVICE, Observed(pods=pods), {block.target: block}, PLAN, 101.0)
    return dict(there.counted.pod_limits), dict(there.counted.size_limits)


def test_a_pod_that_can_not_grow_is_no_reason_to_shrink_larger_ones() -> None:
    """
    Four pods of 2000m and one of 200m are not planned as five, or forty, of 200m. Nor are they
    planned larger: nodes have even less room for that, and such a plan was kept without end.
    """
    block = replace(a_block(TARGET, until_s=130.0), cause=Cause.RESIZE, grown_millicores=200)
    larger = [sized(f"larger-{n}", 2000) for n in range(4)]
    small = sized("small", 200, Resize.DEFERRED, wanted=PodSize(resources={CPU: 2000}))
    assert planned(block, *larger, small) == ({TARGET: 4}, {TARGET: 2000})
    assert planned(block, *larger) == ({TARGET: 4}, {TARGET: 2000})


def test_where_most_can_not_grow_all_are_planned_at_their_size() -> None:
    block = replace(a_block(TARGET, until_s=130.0), cause=Cause.RESIZE, grown_millicores=2000)
    small = sized("small", 2000, Resize.DEFERRED, wanted=PodSize(resources={CPU: 3000}))
    assert planned(block, sized("larger", 3000), small) == ({}, {TARGET: 2000})


def test_who_did_not_grow_beyond_a_size_that_nobody_measured_is_no_larger_one() -> None:
    """All four count as 1000m. Regression: as 1500m they counted as grown, and 2000m stayed."""
    small = sized("small", 1500, Resize.DEFERRED, wanted=PodSize(resources={CPU: 2000}))
    observed = Observed(pods=(*(sized(f"{n}", 1500) for n in range(3)), small))
    (block,) = blocks_after(SERVICE, {}, observed, 100.0).values()
    assert planned(block, *observed.pods) == ({}, {TARGET: 1000})


def test_that_nothing_grows_is_remembered_when_nothing_new_finds_a_node() -> None:
    before = replace(a_block(TARGET, until_s=95.0), cause=Cause.RESIZE, grown_millicores=2000)
    waits = sized("waits", 1000, ready=False, unschedulable_since_s=30.0, created_at_s=30.0)
    observed = Observed(pods=(sized("good", 2000), waits))
    (block,) = blocks_after(SERVICE, {TARGET: before}, observed, 100.0).values()
    assert (block.cause, block.attempts) == (Cause.NO_NODE, 2)
    assert (block.grown_millicores, block.fitting_millicores) == (2000, 800)
    assert planned(block, sized("good", 2000), waits) == ({TARGET: 1}, {TARGET: 2000})


def waiting(millicores: int, until_s: float) -> tuple[dict[Target, int], dict[Target, int]]:
    """Return the limits with a pod that waits for a node and one of 1000m that did not grow."""
    waits = sized("waits", millicores, ready=False, unschedulable_since_s=30.0, created_at_s=30.0)
    observed = Observed(pods=(sized("good", 1000), waits), desired_pods={TARGET: 2})
    block = replace(a_block(TARGET, until_s=until_s), cause=Cause.RESIZE, grown_millicores=1000)
    block = replace(block, fitting_millicores=int(0.8 * millicores))
    after = blocks_after(SERVICE, {TARGET: block}, observed, 100.0, {"waits"})
    assert after == {TARGET: block}
    there = present(SERVICE, observed, after, PLAN, 100.0, {"waits"})
    assert there.awaited == {"waits"}
    return dict(there.counted.pod_limits), dict(there.counted.size_limits)


def test_who_waits_for_a_node_keeps_others_from_growing_for_a_back_off_and_no_longer() -> None:
    """Even afterwards no further pod as large is started."""
    assert waiting(1000, until_s=130.0) == ({TARGET: 1}, {TARGET: 1000})
    assert waiting(1000, until_s=99.0) == ({TARGET: 1}, {})
    assert waiting(3000, until_s=130.0) == ({}, {TARGET: 1000})
    assert waiting(3000, until_s=99.0) == ({}, {TARGET: 2400})


@pytest.mark.parametrize(("waited_millicores", "is_left"), [(1000, True), (2500, False)])
def test_a_size_that_its_node_refuses_is_left_at_once_where_a_smaller_pod_found_no_node(
    waited_millicores: int, is_left: bool
) -> None:
    """Regression: the only pod was removed for it, and nothing served until patience ended."""
    other = a_block(Target("middle"), until_s=130.0)
    other = replace(other, cause=Cause.NO_NODE, fitting_millicores=int(0.8 * waited_millicores))
    larger = PodSize(resources={CPU: 2000})
    refused = sized("small", 1000, Resize.REFUSED, wanted=larger, resize_since_s=99.0)
    blocks = blocks_after(SERVICE, {other.target: other}, Observed(pods=(refused,)), 100.0)
    assert (TARGET in blocks) is is_left
    if is_left:
        assert blocks[TARGET].cause is Cause.RESIZE
        assert planned(blocks[TARGET], refused) == ({}, {TARGET: 1000})


def test_an_image_that_is_away_is_no_matter_of_size_whatever_was_learnt_before() -> None:
    block = replace(a_block(TARGET, until_s=130.0), fitting_millicores=1000, grown_millicores=2000)
    assert planned(block, sized("good", 500))[0] == {TARGET: 1}


def a_block(target: Target, until_s: float) -> Block:
    return Block(
        target=target,
        digest="",
        cause=Cause.IMAGE,
        message="no such image",
        since_s=100.0,
        until_s=until_s,
        created_s=40.0,
    )
