"""The probe: a blocked target is retried by one pod beside the plan, in room it does not use."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.observed import Cause, Observed, Pod
from infadapter_operator.domain.progress import Block
from infadapter_operator.domain.service import Service
from infadapter_operator.planning.backoff import blocks_after
from infadapter_operator.planning.presence import Present, present
from infadapter_operator.planning.probe import room_beside, size_with_room
from infadapter_solver.problem import CPU, Plan, PodGroup, PodSize, Target
from tests.builders import SMALL, a_service, recall

GOOD, BAD = Target("middle"), Target("small")
BLOCK = Block(
    target=BAD,
    digest="",
    cause=Cause.CRASH,
    message="ends with code 1",
    since_s=10.0,
    until_s=100.0,
    created_s=5.0,
)
GROUP = PodGroup(target=GOOD, allocation=SMALL.allocations[1], pods=2)
MILLICORES = GROUP.allocation.cpu_millicores
NOW_S = 101.0


def a_plan(*groups: PodGroup) -> Plan:
    return recall(a_service(), groups, demand_rps=10.0, decided_at_s=0.0).plan


def a_pod(name: str, target: Target, *, ready: bool, millicores: int = MILLICORES) -> Pod:
    size = PodSize(resources={CPU: millicores})
    return Pod(name=name, target=target, size=size, wanted=size, ready=ready, created_at_s=100.5)


ONE, TWO = a_pod("one", GOOD, ready=True), a_pod("two", GOOD, ready=True)
PROBE = a_pod("probe", BAD, ready=False)


def seen(service: Service, *pods: Pod, asked: int = 1) -> Present:
    observed = Observed(pods=pods, desired_pods={GOOD: 2, BAD: asked})
    return present(service, observed, {BAD: BLOCK}, a_plan(GROUP), NOW_S)


def service_of(budget_pods: int, surge_pods: int) -> Service:
    budget, surge = budget_pods * MILLICORES, surge_pods * MILLICORES
    return a_service(budget={CPU: budget}, max_surge={CPU: surge})


def test_it_holds_its_room_and_does_not_count_while_it_starts() -> None:
    there = seen(service_of(3, 0), ONE, TWO, PROBE)
    assert there.awaited == {"probe"}
    assert there.counted.pods == (ONE, TWO)
    assert there.counted.pod_limits == {BAD: 0}
    assert (there.counted.awaited_resources, there.absent[BAD]) == ({CPU: MILLICORES}, 1)
    assert there.due == ()


def test_one_that_was_asked_for_and_is_not_there_yet_is_neither_taken_back_nor_asked_again() -> (
    None
):
    there = seen(service_of(3, 0), ONE, TWO)
    assert (there.counted.desired_pods[BAD], there.due) == (0, ())


def test_in_the_surge_it_makes_way_for_what_is_planned_and_is_not_planned_with() -> None:
    service = service_of(2, 1)
    assert seen(service, ONE, TWO, PROBE).awaited == {"probe"}
    for on_the_way in (replace(TWO, ready=False), replace(TWO, leaving=True)):
        there = seen(service, ONE, on_the_way, PROBE)
        assert there.awaited == frozenset()
        assert there.counted.pod_limits == {BAD: 0}


def test_what_has_no_room_is_told() -> None:
    there = seen(service_of(2, 0), ONE, TWO, asked=0)
    assert (there.due, there.without_room) == ((), (BAD,))
    there = seen(service_of(2, 1), ONE, TWO, asked=0)
    assert (there.due, there.without_room) == ((BAD,), ())


def test_a_size_that_the_budget_has_room_for_comes_before_one_in_the_surge() -> None:
    service = service_of(2, 2)
    sizes = {a.cpu_millicores: a for a in SMALL.allocations}
    least, most = min(sizes), max(sizes)
    wanted = PodGroup(target=BAD, allocation=sizes[most], pods=1)

    def found(room_millicores: int) -> int | None:
        size = size_with_room(service, Observed(), wanted, {CPU: room_millicores})
        return size.cpu_millicores if size else None

    surge = service.max_surge[CPU]
    assert found(surge + most) == most
    assert found(surge + least) == least
    assert found(least - 1) is None


def test_any_batch_size_shows_whether_its_pods_come() -> None:
    """Otherwise a target with room for another batch size only would never be retried."""
    size = PodSize(resources={CPU: 10**6}, batch_size=4)
    allocation = replace(SMALL.allocations[0], size=size)
    wanted = PodGroup(target=BAD, allocation=allocation, pods=1)
    room = SMALL.allocations[0].resources
    assert size_with_room(service_of(2, 0), Observed(), wanted, room) is not None


def test_before_its_back_off_is_over_nothing_is_due() -> None:
    later = {BAD: replace(BLOCK, until_s=NOW_S + 1)}
    there = present(service_of(4, 4), Observed(pods=(ONE, TWO)), later, a_plan(GROUP), NOW_S)
    assert (there.due, there.without_room, there.counted.pod_limits) == ((), (), {BAD: 0})


def test_when_it_is_ready_all_of_its_variant_may_be_planned() -> None:
    """This includes a pod created before the trouble that was only waited for."""
    came = replace(PROBE, ready=True, created_at_s=BLOCK.created_s)
    observed = Observed(pods=(ONE, TWO, came))
    assert not blocks_after(a_service(), {BAD: BLOCK}, observed, NOW_S)[BAD].has_recovered
    blocks = blocks_after(a_service(), {BAD: BLOCK}, observed, NOW_S, {"probe"})
    assert blocks[BAD].has_recovered
    there = present(a_service(), observed, blocks, a_plan(GROUP), NOW_S)
    assert (there.counted.pods, there.counted.pod_limits) == (observed.pods, {})


@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.booleans()), max_size=5),
    planned=st.integers(0, 4),
    budget=st.integers(4, 12),
    surge=st.integers(0, 6),
    probe=st.integers(1, 6),
)
def test_with_the_probe_all_that_is_planned_still_has_room(
    sizes: list[tuple[int, bool, bool]], planned: int, budget: int, surge: int, probe: int
) -> None:
    pods = tuple(
        replace(a_pod(f"pod-{n}", GOOD, ready=ready, millicores=size * 1000), leaving=leaving)
        for n, (size, ready, leaving) in enumerate(sizes)
    )
    group = replace(GROUP, pods=planned)
    plan = a_plan(*([group] if planned else []))
    service = a_service(budget={CPU: budget * 1000}, max_surge={CPU: surge * 1000})
    room = room_beside(service, Observed(pods=pods), plan, frozenset())[CPU]
    if 1000 * probe > room:
        return
    held = sum(size * 1000 for size, _, _ in sizes)
    stays = sum(size * 1000 for size, _, leaving in sizes if not leaving)
    lacking = max(0, planned * MILLICORES - stays)
    level = sum(ready and not leaving and s * 1000 == MILLICORES for s, ready, leaving in sizes)
    may = budget + (surge if level >= planned else 0)
    assert held + lacking + 1000 * probe <= 1000 * may


def test_surge_is_for_a_roll_that_is_under_way() -> None:
    rolled = replace(ONE, outdated=True)
    observed = Observed(pods=(rolled,), rolling=frozenset({rolled.target}))
    room = room_beside(service_of(4, 4), observed, a_plan(replace(GROUP, pods=1)), frozenset())
    assert room == {CPU: 4000 - ONE.resources[CPU]}
