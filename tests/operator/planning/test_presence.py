"""What counts of what is observed: not a pod that is waited for, nor one of a lost node."""

from infadapter_operator.observed import Cause, Observed, Pod, Trouble
from infadapter_operator.planning.blocking import blocks_after
from infadapter_operator.planning.presence import present
from infadapter_solver.problem import CPU, PodGroup, Target
from tests.operator.loop_world import SMALL, a_service, recall

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
        resources={CPU: 1000},
        wanted={CPU: 1000},
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
    assert there.counted.aside == {CPU: 1000}


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


def test_a_lost_pod_is_missing_and_holds_nothing() -> None:
    observed = Observed(pods=(a_pod("lost", LOST),), desired_pods={TARGET: 1})
    there = present(SERVICE, observed, {}, PLAN, 100.0)
    assert not there.counted.pods
    assert there.counted.desired_pods == {TARGET: 0}
    assert not there.counted.aside
