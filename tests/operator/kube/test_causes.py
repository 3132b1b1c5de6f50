import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.observed import Cause
from infadapter_operator.domain.progress import Block
from infadapter_operator.kube.causes import SHARED_BY_SERVICES, TRIAL_S, Causes
from infadapter_operator.planning.shared_causes import SHARED_WITHIN_S
from infadapter_solver.problem import Target

SMALL, LARGE = Target("small"), Target("large")


def a_block(target: Target = SMALL, **changes: object) -> Block:
    given = {"digest": "d", "cause": Cause.IMAGE, "message": "", "since_s": 0.0, "until_s": 30.0}
    return Block(target=target, **{**given, **changes})  # type: ignore[arg-type]


def met(*services: str, cause: Cause = Cause.IMAGE, at_s: float = 0.0) -> Causes:
    causes = Causes()
    for service in services:
        causes = causes.met(service, SMALL, cause, at_s)
    return causes


def test_three_services_at_about_the_same_time_share_a_cause() -> None:
    causes = met("ns/a", "ns/b", "ns/c")
    assert causes.same_cause(Cause.IMAGE, SHARED_WITHIN_S)
    assert not causes.same_cause(Cause.IMAGE, SHARED_WITHIN_S + 1)
    assert not causes.same_cause(Cause.CONFIG, 0.0)


def failing_one_after_another(*services: str) -> Causes:
    causes = Causes()
    for at_s, service in enumerate(services):
        causes = causes.after(service, {}, {SMALL: a_block(until_s=30.0)}, float(at_s))
    return causes


def test_the_third_service_tries_for_all_until_its_pod_would_have_come() -> None:
    causes = failing_one_after_another("ns/a", "ns/b", "ns/c", "ns/d")
    assert causes.shared(4.0) == {Cause.IMAGE}
    assert causes.tried_elsewhere("ns/c", 4.0) == frozenset()
    assert all(causes.tried_elsewhere(f"ns/{name}", 4.0) for name in "abd")
    assert causes.shared(30.0 + TRIAL_S) == frozenset()


def test_a_trial_that_fails_goes_on_with_its_next_back_off() -> None:
    causes = failing_one_after_another("ns/a", "ns/b", "ns/c")
    again = {SMALL: a_block(attempts=2, until_s=200.0)}
    causes = causes.after("ns/c", {SMALL: a_block()}, again, 95.0)
    assert causes.tried_elsewhere("ns/a", 199.0 + TRIAL_S)


@pytest.mark.parametrize("now", [{}, {SMALL: a_block(has_recovered=True)}])
def test_what_came_to_the_one_that_tried_may_come_to_all(now: dict[Target, Block]) -> None:
    causes = failing_one_after_another("ns/a", "ns/b", "ns/c")
    causes = causes.after("ns/c", {SMALL: a_block()}, now, 40.0)
    assert causes.shared(40.0) == frozenset()
    assert causes.tried_elsewhere("ns/a", 40.0) == frozenset()


def test_one_who_is_gone_holds_nobody_back_for_ever() -> None:
    causes = failing_one_after_another("ns/a", "ns/b", "ns/c")
    causes = causes.after("ns/a", {SMALL: a_block()}, {SMALL: a_block(attempts=2)}, 31 + TRIAL_S)
    assert causes.tried_elsewhere("ns/a", 31 + TRIAL_S) == frozenset()


def test_one_service_with_many_variants_is_one() -> None:
    causes = met("ns/a", "ns/b").met("ns/a", LARGE, Cause.IMAGE, 1.0)
    assert not causes.same_cause(Cause.IMAGE, 1.0)


def test_another_cause_does_not_count() -> None:
    causes = met("ns/a", "ns/b").met("ns/c", SMALL, Cause.REFUSED, 1.0)
    assert not any(causes.same_cause(cause, 1.0) for cause in Cause)


@pytest.mark.parametrize(
    ("before", "now", "tells"),
    [
        ({}, {SMALL: a_block()}, True),
        ({SMALL: a_block()}, {SMALL: a_block()}, False),
        ({SMALL: a_block()}, {SMALL: a_block(has_recovered=True)}, False),
        ({SMALL: a_block()}, {SMALL: a_block(attempts=2)}, True),
        ({SMALL: a_block()}, {SMALL: a_block(digest="e")}, True),
        ({SMALL: a_block()}, {}, False),
    ],
)
def test_what_is_new_of_a_service_is_met(
    before: dict[Target, Block], now: dict[Target, Block], tells: bool
) -> None:
    causes = met("ns/a", "ns/b").after("ns/c", before, now, 1.0)
    assert causes.same_cause(Cause.IMAGE, 1.0) is tells


WHEN = st.integers(0, 200).map(float)
MET = st.tuples(st.sampled_from("abcd"), st.sampled_from([Cause.IMAGE, Cause.CRASH]), WHEN)


@given(st.lists(MET, max_size=20).map(lambda told: sorted(told, key=lambda each: each[2])))
def test_it_is_what_counting_by_hand_gives(told: list[tuple[str, Cause, float]]) -> None:
    causes = Causes()
    for service, cause, at_s in told:
        causes = causes.met(service, SMALL, cause, at_s)
    now_s = told[-1][2] if told else 0.0
    for cause in Cause:
        recent = {s for s, c, at_s in told if c is cause and now_s - at_s <= SHARED_WITHIN_S}
        assert causes.same_cause(cause, now_s) is (len(recent) >= SHARED_BY_SERVICES)
