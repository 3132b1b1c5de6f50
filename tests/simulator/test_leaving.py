"""A step of the load while pods of the time before still leave."""

from benchmarks.always_arrive.leaving import LEAVE_S, STARTS_S, leaving
from benchmarks.always_arrive.playing import AS_PLANNED, played
from infadapter_operator.delays import START_S
from infadapter_operator.rollout.surge_time import MOST_BESIDE_START_S


def test_pods_that_leave_when_they_are_drained_keep_the_time_above_the_budget_short() -> None:
    """The longest start and three seconds: what leaves for longer holds its cores all the time."""
    found = played(leaving("a step", LEAVE_S["which nothing precedes"]))
    assert found.end == AS_PLANNED
    assert found.longest_over_budget_s <= START_S + STARTS_S + MOST_BESIDE_START_S
    assert len(found.starts_s) == 1
