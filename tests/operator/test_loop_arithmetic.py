"""The reference arithmetic of the loop's tests, on examples that can be computed by hand."""

import pytest

from infadapter_operator.domain.observed import Cause, Observed, Pod, Resize, Trouble
from infadapter_solver.problem import CPU, PodGroup, Target
from tests.builders import MIDDLE, SMALL, a_pod, a_service
from tests.operator.loop_arithmetic import Standing, all_ready, held, pod_rps

SERVICE = a_service(budget={CPU: 2000}, max_surge={CPU: 0})


def standing(
    *pods: Pod, planned: int = 2, floor_rps: float = 30.0, node: int = 10**9, sent_to: str = ""
) -> Standing:
    """Return a Standing whose plan has `planned` pods of `middle`, one core each."""
    size = next(a for a in MIDDLE.allocations if a.cpu_millicores == 1000)
    return Standing(
        service=SERVICE,
        groups=[PodGroup(target=Target("middle"), allocation=size, pods=planned)],
        observed=Observed(pods=pods, weights={sent_to: 100} if sent_to else {}),
        node={CPU: node},
        floor_rps=floor_rps,
    )


def test_a_pod_serves_what_the_largest_row_inside_it_does() -> None:
    assert pod_rps(SERVICE, a_pod("small-1", 1000)) == 20.0
    assert pod_rps(SERVICE, a_pod("small-1", 1900)) == 20.0
    assert pod_rps(SERVICE, a_pod("small-1", 400)) == 0.0
    assert pod_rps(SERVICE, a_pod("other-1", 1000)) == 0.0
    assert SMALL.name == "small"


def test_a_pod_holds_the_larger_size_while_it_is_resized() -> None:
    growing = a_pod("small-1", 500, wanted=2000, resize=Resize.DEFERRED)
    refused = a_pod("small-2", 500, wanted=4000, resize=Resize.REFUSED)
    lost = Trouble(cause=Cause.NODE_LOST, message="", since_s=0.0)
    assert held([growing, refused, a_pod("small-3", 700, trouble=lost)]) == {CPU: 2500}


def test_planned_pods_are_ready_at_their_size_or_a_larger_one() -> None:
    groups = standing().groups
    both = Observed(pods=(a_pod("middle-1", 1000), a_pod("middle-2", 2000)))
    small = Observed(pods=(a_pod("middle-1", 1000), a_pod("middle-2", 500)))
    assert all_ready(groups, both)
    assert not all_ready(groups, small)


OLD = a_pod("small-1", 1000), a_pod("small-2", 1000)
STARTING = a_pod("middle-1", 1000, ready=False)
UNMEASURED = a_pod("small-2", 400)
PLANNED = a_pod("middle-1", 1000)
STAYS_SMALL = a_pod("middle-2", 500, wanted=1000, resize=Resize.DEFERRED)
PENDING = a_pod("middle-1", 1000, ready=False, unschedulable_since_s=0.0)


@pytest.mark.parametrize(
    ("found", "is_stuck"),
    [
        (standing(*OLD), True),
        (standing(*OLD, floor_rps=20.0), False),  # one of them can be removed
        (standing(OLD[0]), False),  # there is room for a start
        (standing(OLD[0], node=1500), True),  # in the budget, but not on the node
        (standing(OLD[0], STARTING), False),
        (standing(OLD[0], PENDING), True),
        (standing(*OLD, planned=0), False),  # nothing is missing
        (standing(OLD[0], a_pod("small-2", 1000, leaving=True, ready=False)), False),
        (standing(OLD[0], UNMEASURED), False),  # the router does not send to it
        (standing(OLD[0], UNMEASURED, sent_to="small-2"), True),  # its capacity is unknown
        (standing(OLD[0], UNMEASURED, sent_to="small-2", floor_rps=20.0), False),
        (standing(PLANNED, STAYS_SMALL, node=1500), True),  # two are planned
        (standing(PLANNED, STAYS_SMALL, node=1500, planned=1), False),  # nothing is missing
    ],
)
def test_whether_no_way_is_left_but_to_give_up(found: Standing, is_stuck: bool) -> None:
    assert found.has_no_path() is is_stuck
