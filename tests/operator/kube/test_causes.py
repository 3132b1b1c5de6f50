import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.kube.causes import SERVICES, WITHIN_S, Causes
from infadapter_operator.observed import Cause
from infadapter_operator.progress import Block
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
    assert causes.same_cause(Cause.IMAGE, WITHIN_S)
    assert not causes.same_cause(Cause.IMAGE, WITHIN_S + 1)
    assert not causes.same_cause(Cause.CONFIG, 0.0)
    assert causes.shared(1.0) == {Cause.IMAGE}


def test_one_service_with_many_variants_is_one() -> None:
    causes = met("ns/a", "ns/b").met("ns/a", LARGE, Cause.IMAGE, 1.0)
    assert not causes.same_cause(Cause.IMAGE, 1.0)


def test_another_cause_does_not_count() -> None:
    causes = met("ns/a", "ns/b").met("ns/c", SMALL, Cause.REFUSED, 1.0)
    assert causes.shared(1.0) == frozenset()


@pytest.mark.parametrize(
    ("before", "now", "tells"),
    [
        ({}, {SMALL: a_block()}, True),
        ({SMALL: a_block()}, {SMALL: a_block()}, False),
        ({SMALL: a_block()}, {SMALL: a_block(come=True)}, False),
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
        recent = {s for s, c, at_s in told if c is cause and now_s - at_s <= WITHIN_S}
        assert causes.same_cause(cause, now_s) is (len(recent) >= SERVICES)
