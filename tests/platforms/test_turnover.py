"""What a Deployment's controller does next, whatever pods it finds."""

from dataclasses import dataclass
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.deployment import turnover


@dataclass(eq=False)
class Found:
    ready: bool
    outdated: bool


is_ready = attrgetter("ready")

pods = st.lists(st.builds(Found, ready=st.booleans(), outdated=st.booleans()), max_size=8)
replicas = st.integers(0, 6)


def after(live: list[Found], wanted: int) -> list[Found]:
    due = turnover(live, wanted, is_ready)
    stay = [pod for pod in live if pod not in due.going]
    return stay + [Found(ready=False, outdated=False) for _ in range(due.coming)]


@given(pods, replicas)
def test_no_more_go_than_leave_as_many_ready_as_are_to_be(live: list[Found], wanted: int) -> None:
    ready = sum(pod.ready for pod in live)
    assert sum(pod.ready for pod in after(live, wanted)) >= min(ready, wanted)


@given(pods, replicas)
def test_a_roll_has_one_pod_more_and_otherwise_there_are_as_many_as_wanted(
    live: list[Found], wanted: int
) -> None:
    found = after(live, wanted)
    if any(pod.outdated for pod in live):
        assert len(found) <= max(len(live), wanted + 1)
    else:
        assert len(found) == wanted


@given(pods, replicas)
def test_for_new_pods_that_are_not_available_yet_no_ready_one_goes(
    live: list[Found], wanted: int
) -> None:
    old = [pod for pod in live if pod.outdated]
    due = turnover(live, wanted, lambda _: False)
    ready = sum(pod.ready for pod in old)
    assert not old or sum(pod.ready for pod in due.going) <= max(0, ready - wanted)


@given(pods, replicas)
def test_while_old_pods_are_there_new_ones_stay(live: list[Found], wanted: int) -> None:
    if any(pod.outdated for pod in live):
        assert not any(not pod.outdated for pod in turnover(live, wanted, is_ready).going)


@given(pods, replicas)
def test_what_is_settled_stays_until_something_happens(live: list[Found], wanted: int) -> None:
    """But for pods that a pod which went has made room for."""
    settled = after(after(live, wanted), wanted)
    assert after(settled, wanted) == settled


@given(pods, replicas)
def test_a_roll_ends_when_its_pods_become_ready(live: list[Found], wanted: int) -> None:
    """Whichever of them; here the newest."""
    for _ in range(3 * (len(live) + wanted)):
        live = after(live, wanted)
        if waiting := [pod for pod in live if not pod.ready and not pod.outdated]:
            waiting[-1].ready = True
    assert len(after(live, wanted)) == wanted
    assert not any(pod.outdated for pod in after(live, wanted))
