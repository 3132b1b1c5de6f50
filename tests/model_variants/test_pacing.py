"""An executor under a CPU quota is free again when the quota has paid for what was used."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_scheduler import Model
from infadapter_server.serving.pacing import CREDIT_S, FOLLOWED_S, STEP, USED, Pacing
from infadapter_server.serving.slowing import FULL_SPEED, Speed, slowed

QUOTA = 0.4
GRANTED = USED * QUOTA


class Process:
    """Its quota, and what it has used; batches run at full speed when the executor is free."""

    def __init__(self, quota: float = QUOTA, threads: int = 1) -> None:
        self.quota, self.used_s, self.now_s = quota, 100.0, 50.0
        self.pacing = Pacing(lambda: self.quota, lambda: threads, lambda: self.used_s)
        self.pacing.speed()

    def run(self, alone_s: float, beside_s: float = 0.0, requests: int = 1) -> float:
        """Seconds as told."""
        begin_s = self.now_s
        self.used_s += alone_s + beside_s
        told = self.pacing.ended(begin_s, begin_s + alone_s, requests)
        self.now_s = told.free_s
        return told.seconds

    def settle(self, alone_s: float, beside_s: float, requests: int = 1) -> None:
        for _ in range(1000):
            self.run(alone_s, beside_s, requests)
            self.pacing.speed()


def test_without_a_quota_it_is_free_when_it_has_ended() -> None:
    process = Process(inf)
    assert process.pacing.speed() == FULL_SPEED
    assert process.pacing.ended(1.0, 1.5, 1) == (0.5, 1.5)


def test_with_a_core_beside_its_threads_it_is_not_paced() -> None:
    assert Process(2.2, threads=2).pacing.speed() == FULL_SPEED
    assert Process(2.0, threads=2).pacing.speed() == Speed(USED)


@given(
    st.lists(st.tuples(st.floats(0.001, 0.05), st.floats(0, 0.01)), min_size=20, max_size=60),
    st.floats(0.05, 1.0),
)
def test_a_busy_executor_uses_what_is_granted(
    batches: list[tuple[float, float]], quota: float
) -> None:
    """Whatever its batches take: no more than the credit beyond it, and no less."""
    process = Process(quota)
    for alone_s, beside_s in batches:
        process.run(alone_s, beside_s)
    passed_s, used_s = process.now_s - 50.0, process.used_s - 100.0
    first_beside_s = batches[0][1]  # before the first one ends nothing is known
    granted_s = USED * quota * (passed_s + CREDIT_S)
    assert used_s - first_beside_s <= granted_s * (1 + 1e-9)
    ran_s = sum(alone_s for alone_s, _ in batches)
    assert passed_s <= max(ran_s, used_s / (USED * quota)) + ran_s + 1e-9


def test_an_execution_is_told_as_the_quota_pays_for_it() -> None:
    process = Process()
    assert process.run(0.01) == pytest.approx(0.01 / GRANTED)
    assert process.pacing.ended(60.0, 60.5, 1).seconds >= 0.5  # throttled, or others ran


def test_what_is_done_beside_executions_counts_by_request() -> None:
    process = Process()
    process.settle(0.01, 0.004, requests=4)
    share, each_s = process.pacing.speed()
    assert share == pytest.approx(GRANTED)
    assert each_s == pytest.approx(0.001 / GRANTED, rel=2 * STEP * 14 / 4)
    assert process.run(0.01, 0.004, requests=4) == pytest.approx(0.014 / GRANTED, rel=2 * STEP)
    assert process.run(0.03, 0.002, requests=2) == pytest.approx(0.032 / GRANTED, rel=2 * STEP)


def test_it_is_forgotten_within_seconds() -> None:
    process = Process()
    process.settle(0.01, 0.02)
    assert process.pacing.speed().each_s > 0.015 / GRANTED
    for _ in range(200):
        process.run(0.01)
    assert process.now_s > 5 * FOLLOWED_S
    assert process.pacing.speed().each_s < 0.001 / GRANTED


def test_time_in_which_nobody_asks_pays_for_what_is_done_in_it() -> None:
    """A scrape between two requests is no cost of theirs; nor is the quota of that time saved."""
    process = Process()
    process.run(0.01)
    process.now_s += 10.0
    process.used_s += 0.5
    begin_s = process.now_s
    assert process.run(0.03) == pytest.approx(0.03 / GRANTED)
    assert process.now_s == pytest.approx(begin_s - CREDIT_S + 0.03 / GRANTED)
    assert process.pacing.speed().each_s == 0.0


def test_a_load_is_not_made_up_for() -> None:
    process = Process()
    process.run(0.01)
    process.used_s += 3.0
    process.pacing.loaded()
    begin_s = process.now_s
    process.run(0.01)
    assert process.now_s <= begin_s + 0.01 / GRANTED + 1e-9


def test_it_follows_a_quota_that_changes() -> None:
    process = Process()
    process.quota = 0.1
    assert process.pacing.speed().share == pytest.approx(USED * 0.1)
    assert process.run(0.01) == pytest.approx(0.1 / USED)
    process.quota = inf
    assert process.pacing.speed() == FULL_SPEED
    assert process.run(0.01) == pytest.approx(0.01)


def test_what_was_used_while_nothing_was_paced_is_not_made_up_for() -> None:
    """A pod grows to more than its threads can use, computes for a while, and shrinks again."""
    process = Process()
    process.settle(0.01, 0.001)
    process.quota = 1.5
    process.pacing.speed()
    before_s = process.now_s
    while process.now_s < before_s + 100.0:
        process.run(0.9)
        process.now_s += 0.1
        process.pacing.speed()
    process.quota = QUOTA
    process.pacing.speed()
    begin_s = process.now_s
    assert process.run(0.01) == pytest.approx(0.01 / GRANTED, rel=0.2)
    assert process.now_s <= begin_s + 0.02 / GRANTED
    assert process.pacing.speed().each_s < 0.01 / GRANTED


def test_an_execution_is_paid_by_the_larger_quota_of_its_time() -> None:
    process = Process(0.9)
    process.run(0.1)
    begin_s = process.now_s
    process.quota = 0.1  # while it runs
    process.pacing.speed()
    assert process.run(1.0) == pytest.approx(1.0 / (0.1 * USED))  # so long it takes from now on
    assert process.now_s <= begin_s + 1.0 / (0.9 * USED) + 1e-9
    begin_s = process.now_s
    process.run(0.01)
    assert process.now_s >= begin_s - CREDIT_S + 0.01 / (0.1 * USED) - 1e-9


def test_what_keeps_everybody_out_is_forgotten_while_nobody_runs() -> None:
    """Refusals of an overload are paid by few; nobody could learn that it is over if none were."""
    process = Process()
    process.settle(0.01, 0.5)
    assert process.pacing.speed().each_s > 1.0
    for _ in range(80):
        speed = process.pacing.speed()
    assert speed.each_s < 0.001
    process.settle(0.01, 0.004)
    assert process.pacing.speed().each_s == pytest.approx(0.004 / GRANTED, rel=0.1)


def test_what_was_used_under_a_larger_quota_is_no_debt_under_a_smaller_one() -> None:
    """A pod that has used half a core for a minute is resized, and asked for the first time."""
    process = Process(0.9)
    process.run(0.01)
    process.now_s += 60.0
    process.used_s += 30.0
    process.quota = 0.15
    process.pacing.speed()
    begin_s = process.now_s
    assert process.run(0.006) == pytest.approx(0.006 / (USED * 0.15))
    assert process.now_s <= begin_s + 0.006 / (USED * 0.15) + 1e-9
    assert process.pacing.speed().each_s == 0.0


def test_a_dropped_batch_has_used_nothing() -> None:
    process = Process()
    process.run(0.01)
    assert process.pacing.ended(60.0, 60.0, 0) == (0.0, 60.0)


def test_a_model_is_slower_by_the_share_and_by_what_each_request_takes() -> None:
    found = slowed(Model("a", {1: 0.01, 4: 0.03}), Speed(0.5, 0.002))
    assert found.execution_s == pytest.approx({1: 0.022, 4: 0.068})
