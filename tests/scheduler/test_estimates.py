"""Estimates follow what is measured; the safety buffer holds what it promises."""

import random
from math import exp

import pytest

from infadapter_scheduler import Arrived, ExecutorJoined, Finished, Model, Run, Scheduler
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.estimate import DecayingRate, WindowMean
from infadapter_scheduler.model import Costs

RESNET50 = Model("r", {1: 0.00273, 2: 0.00405, 4: 0.00587, 8: 0.00993, 16: 0.0173})


def test_the_profile_counts_until_two_hundred_executions_were_measured() -> None:
    window = WindowMean(10.0)
    for _ in range(100):
        window.add(20.0)
    assert window.mean == pytest.approx(15.0)
    for _ in range(100):
        window.add(20.0)
    assert window.mean == pytest.approx(20.0)


def test_a_rate_is_unbiased_from_its_first_second_and_fades() -> None:
    rate = DecayingRate(0.0, 1.0)
    for number in range(500):
        rate.add(1.0, number / 1000)
    assert rate.rate(0.5) == pytest.approx(1000, rel=0.02)
    assert rate.rate(10.5) < 1


def test_an_exact_executor_needs_no_buffer() -> None:
    buffer = SafetyBuffer()
    for _ in range(500):
        buffer.learn(0.01, 0.01)
    assert buffer.seconds(0.3, 0.01) == 0.0


@pytest.mark.parametrize("depth", [1, 4, 16])
def test_the_buffer_covers_the_promised_share_of_cumulative_errors(depth: int) -> None:
    draw = random.Random(1)
    errors = [exp(draw.gauss(0, 0.2)) for _ in range(60_000)]
    buffer = SafetyBuffer()
    for error in errors[:800]:
        buffer.learn(1.0, error)
    kept = buffer.seconds(float(depth), 1.0)
    sums = [sum(errors[i : i + depth]) - depth for i in range(800, len(errors) - depth)]
    assert sum(total > kept for total in sums) / len(sums) < 5e-4
    assert kept < 3.0 * depth**0.5, "and not much more than that"


def test_a_given_buffer_is_taken_as_it_is() -> None:
    buffer = SafetyBuffer(constant_s=0.005)
    buffer.learn(1.0, 9.0)
    assert buffer.seconds(1.0, 0.1) == 0.005


def test_requests_are_split_into_the_sizes_that_are_served() -> None:
    costs = Costs(RESNET50)
    assert costs.split_s[7] == pytest.approx(0.00587 + 0.00405 + 0.00273)
    assert costs.first[7] == 4
    assert costs.ends_s[3] == pytest.approx([0.00405, 0.00405, 0.00405 + 0.00273])
    assert costs.growing_s[8] == costs.split_s[7], "seven take longer than eight"


def test_a_size_that_is_slower_than_two_halves_is_not_used() -> None:
    costs = Costs(Model("m", {1: 0.001, 2: 0.005}))
    assert costs.first[2] == 1
    assert costs.split_s[2] == pytest.approx(0.002)


@pytest.mark.parametrize(("slo_ms", "cap"), [(4, 1), (10, 2), (20, 8), (34, 8), (35, 16)])
def test_batches_are_no_larger_than_two_of_them_fit_into_the_slo(slo_ms: float, cap: int) -> None:
    assert Costs(RESNET50).cap(slo_ms / 1000, SafetyBuffer()) == cap


@pytest.mark.parametrize(
    ("slo_ms", "rate_rps", "cap"),
    [(21, 700, 8), (21, 3_000, 8), (21, 5_000, 16), (17, 1_000_000, 8), (10, 1_000_000, 8)],
)
def test_in_an_overload_batches_are_as_large_as_arrivals_fill_them_in_time(
    slo_ms: float, rate_rps: float, cap: int
) -> None:
    costs, slo_s, buffer = Costs(RESNET50), slo_ms / 1000, SafetyBuffer()
    plain = costs.cap(slo_s, buffer)
    assert costs.overload_cap(plain, slo_s, buffer, 1.0, rate_rps) == cap


def test_estimates_follow_an_executor_that_is_slower_than_its_profile() -> None:
    costs = Costs(RESNET50)
    for _ in range(200):
        costs.learn(8, 0.02)
    assert costs.seconds[8] == pytest.approx(0.02, rel=0.01)
    slower = 0.02 / RESNET50.execution_s[8]
    for size, profiled_s in RESNET50.execution_s.items():
        assert costs.seconds[size] == pytest.approx(slower * profiled_s, rel=0.12)


def test_sizes_that_both_run_are_known_each_by_its_own() -> None:
    costs = Costs(RESNET50)
    for _ in range(200):
        costs.learn(8, 0.02)
        costs.learn(4, RESNET50.execution_s[4])
    assert costs.seconds[8] == pytest.approx(0.02, rel=0.01)
    assert costs.seconds[4] == pytest.approx(RESNET50.execution_s[4], rel=0.01)
    assert costs.first[8] == 4, "two fours are faster then"


def test_a_calm_that_runs_only_ones_leaves_large_batches_the_better_ones() -> None:
    """
    Warmed up on a third of the quota, then one by one at three times the speed: ones alone would
    seem to be as fast as fours, and a burst be served by them.
    """
    costs = Costs(Model("m", {1: 0.006, 2: 0.011, 4: 0.016}))
    for _ in range(300):
        costs.learn(1, 0.002)
    assert costs.seconds[1] == pytest.approx(0.002, rel=0.01)
    assert costs.seconds[4] == pytest.approx(0.016 / 3, rel=0.1)
    assert costs.cap(0.25, SafetyBuffer()) == 4


def test_one_value_that_is_all_that_is_known_of_a_size_says_nothing_of_others() -> None:
    costs = Costs(Model("m", {1: 0.006, 2: 0.011, 4: 0.030}))
    costs.guess(4)
    costs.learn(4, 0.012)
    costs.learn(4, 0.018)
    assert costs.seconds[4] == pytest.approx(0.015)
    assert costs.seconds[1] == 0.006


def test_after_errors_that_no_buffer_is_enough_for_an_idle_executor_still_serves_and_learns() -> (
    None
):
    scheduler = Scheduler([Model("m", {1: 0.010})])
    scheduler.handle(ExecutorJoined("e", None, ("m",)), 0.0)
    draw, now_s, served = random.Random(1), 0.0, 0
    for number in range(2000):
        actions = scheduler.handle(Arrived(number, "m", now_s + 0.08), now_s)
        runs = [action for action in actions if isinstance(action, Run)]
        assert runs, "nothing else is under way"
        slow = 20 if number < 300 and draw.random() < 0.05 else 1
        end_s = now_s + slow * 0.010
        scheduler.handle(Finished("e", runs[0].run, now_s, end_s), end_s)
        now_s, served = end_s + 0.001, served + 1
    assert served == 2000
    assert scheduler.state.buffer.seconds(0.01, 0.01) == pytest.approx(0.0, abs=1e-4)


def test_what_is_remembered_outlives_the_window_and_is_forgotten_in_the_end() -> None:
    buffer, blind = SafetyBuffer(remembered=5000), SafetyBuffer()
    for error in (1.0, 6.0, *[1.0] * 4000):
        buffer.learn(1.0, error)
        blind.learn(1.0, error)
    assert blind.seconds(1.0, 1.0) == 0.0
    assert buffer.seconds(1.0, 1.0) == pytest.approx(5.0)
    assert buffer.seconds(16.0, 1.0) == pytest.approx(5.0), "one of it in a row is expected"
    for _ in range(4000):
        buffer.learn(1.0, 1.0)
    assert buffer.seconds(1.0, 1.0) == 0.0
