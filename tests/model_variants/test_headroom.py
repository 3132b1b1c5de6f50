"""Points are chosen for more arrivals than there are while the process uses all of its quota."""

from collections.abc import Callable
from math import inf

import pytest

from infadapter_scheduler import Choice, Situation, Timed
from infadapter_scheduler.points.keeping_up import KeepingUp
from infadapter_server.serving.headroom import LOOK_S, MOST, USED, WithinQuota

POINTS = tuple(
    Timed(number, name, accuracy, {1: seconds})
    for number, (name, accuracy, seconds) in enumerate([("quick", 0.7, 0.01), ("slow", 0.9, 0.1)])
)


def situation(now_s: float, rate_rps: float) -> Situation:
    return Situation(
        now_s=now_s,
        model="m",
        points=POINTS,
        waiting=1,
        size=1,
        slack_s=1.0,
        rate_rps=rate_rps,
        patience_s=1.0,
        behind_s=0.0,
        longest_s=lambda _: 0.3,
    )


class Remembers:
    """A policy that notes the rates that it is asked with."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def choose(self, situation: Situation) -> Choice:
        self.rates.append(situation.rate_rps)
        return Choice(0, 1)

    def ran(self, situation: Situation, choice: Choice) -> None:
        self.rates.append(-1.0)


def looked(share: Callable[[float], float], seconds: float, quota: float) -> WithinQuota:
    """For so long asked ten times a second, while a share of a core is used."""
    now_s, used_s = 100.0, 0.0
    policy = WithinQuota(Remembers(), quota=lambda: quota, cpu_time_s=lambda: used_s)
    for _ in range(round(seconds * 10)):
        now_s, used_s = now_s + 0.1, used_s + 0.1 * share(policy.weight)
        policy.choose(situation(now_s, 5.0))
    return policy


def test_a_process_with_room_chooses_as_ever() -> None:
    assert looked(lambda _: 0.1, 10, quota=0.4).weight == 1.0
    assert looked(lambda _: 9.0, 10, quota=inf).weight == 1.0, "no quota"


def test_a_process_that_uses_up_its_quota_counts_arrivals_for_more() -> None:
    assert looked(lambda _: 0.4, 2.0, quota=0.4).weight > 2
    assert looked(lambda _: 0.4, 60, quota=0.4).weight == MOST


def test_the_weight_settles_where_the_process_is_busy_and_not_throttled() -> None:
    """What it uses falls with the weight, as it does when points are faster."""
    found = looked(lambda weight: min(0.4, 1.5 / weight), 30, quota=0.4)
    assert 0.5 * 0.4 < 1.5 / found.weight < 0.9 * 0.4


def test_it_comes_back_within_seconds_of_silence() -> None:
    policy = looked(lambda _: 0.4, 60, quota=0.4)
    policy.choose(situation(200.0, 5.0))
    policy.choose(situation(200.0 + 40 * LOOK_S, 5.0))
    assert policy.weight < 2


def test_the_policy_is_asked_with_weighted_arrivals_and_told_what_ran() -> None:
    inner = Remembers()
    policy = WithinQuota(inner, quota=lambda: 0.1, cpu_time_s=lambda: inf)
    policy.longer = 3.0
    policy.choose(situation(0.0, 5.0))
    policy.ran(situation(0.0, 5.0), Choice(0, 1))
    assert inner.rates == [15.0, -1.0]


def test_what_a_process_takes_beside_its_executions_is_planned_for() -> None:
    """Each takes twice as long as expected, of half a core: four fill what one seems to."""
    clock = iter(0.02 * n for n in range(10_000))
    policy = WithinQuota(Remembers(), quota=lambda: 0.5, cpu_time_s=lambda: next(clock))
    for number in range(40):  # so far apart that each is looked at
        asked = situation(100.0 + number, 5.0)
        policy.choose(asked)
        policy.ran(asked, Choice(0, 1))
    assert policy.weight == pytest.approx(2 / (USED * 0.5), rel=0.02)


@pytest.mark.parametrize(("weight", "name"), [(1.0, "slow"), (4.0, "quick")])
def test_with_it_the_default_policy_takes_a_faster_point(weight: float, name: str) -> None:
    policy = WithinQuota(KeepingUp(), quota=lambda: inf, cpu_time_s=lambda: 0.0)
    policy.longer = weight
    choice = policy.choose(situation(0.0, 30.0 if weight > 1 else 5.0))
    assert POINTS[choice.number].name == name
