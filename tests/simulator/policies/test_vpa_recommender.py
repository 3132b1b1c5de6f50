"""The numbers are those of the original recommender, which was run on the same usage."""

import math

import pytest

from infadapter_simulator.policies.kubernetes.vpa import moves
from infadapter_simulator.policies.kubernetes.vpa_recommender import (
    Recommendation,
    Recommender,
    bucket_of,
    flat_target_millicores,
    start_of,
)

LOW, HIGH = 0.45, 2.2
"""Cores: 45 and 220 requests per second of 10 ms each."""


def recommended(recommender: Recommender) -> Recommendation:
    found = recommender.recommendation()
    assert found is not None
    return found


def minutes_until(recommender: Recommender, cores: float, target: int) -> int:
    for minute in range(1, 120 * 60):
        recommender.add(cores, 60.0 * (minute - 1))
        if recommended(recommender).target == target:
            return minute
    raise AssertionError("never")


def preloaded(cores: float, days: float, half_life_s: float = 86_400.0) -> Recommender:
    recommender = Recommender(half_life_s=half_life_s)
    recommender.preload(cores, days, 0.0)
    return recommender


def test_buckets_grow_by_a_twentieth() -> None:
    assert start_of(0) == 0.0
    assert start_of(1) == pytest.approx(0.01)
    assert start_of(2) == pytest.approx(0.0205)
    assert start_of(175) == pytest.approx(1021, abs=1)


def test_usage_goes_into_the_bucket_that_begins_below_it() -> None:
    assert bucket_of(0.0) == 0
    assert bucket_of(0.0099) == 0
    for cores in (0.45, 2.2, 19.9):
        assert start_of(bucket_of(cores)) <= cores < start_of(bucket_of(cores) + 1)
    assert bucket_of(5000.0) == 175


def test_recommends_nothing_before_the_first_sample() -> None:
    assert Recommender().recommendation() is None


def test_the_first_sample_sets_the_target_and_no_bounds() -> None:
    recommender = Recommender()
    recommender.add(HIGH, 0.0)
    assert recommended(recommender) == Recommendation(target=2539, lower=25, upper=math.inf)


def test_the_target_of_constant_usage_lies_a_margin_above_it() -> None:
    assert recommended(preloaded(LOW, 8)).target == 548 == flat_target_millicores(LOW)
    assert recommended(preloaded(HIGH, 8)).target == 2539 == flat_target_millicores(HIGH)


def test_nothing_is_recommended_below_the_floor() -> None:
    assert recommended(preloaded(0.0, 1)).target == 25


def test_nothing_is_recommended_above_the_most_that_is_allowed() -> None:
    found = preloaded(HIGH, 8).recommendation(2000)
    assert found is not None
    assert (found.target, found.lower, found.upper) == (2000, 2000, 2000)


@pytest.mark.parametrize(
    ("days", "lower", "upper"),
    [
        (1 / 288, 0.60, 289.0),
        (1 / 24, 0.95, 25.0),
        (0.5, 0.996, 3.0),
        (1, 0.998, 2.0),
        (8, 1, 1.125),
    ],
)
def test_bounds_close_in_as_history_grows(days: float, lower: float, upper: float) -> None:
    recommender = preloaded(LOW, days)
    recommender.add(LOW, 0.0)  # so that so many days lie between the first and the last
    found = recommended(recommender)
    assert found.lower / 548 == pytest.approx(lower, abs=0.005)
    assert found.upper / 548 == pytest.approx(upper, rel=0.01)


def test_after_eight_days_a_rise_takes_hours_to_be_believed() -> None:
    assert recommended(preloaded(LOW, 8)).upper == pytest.approx(616, abs=1)
    assert minutes_until(preloaded(LOW, 8), HIGH, 2539) / 60 == pytest.approx(3.63, abs=0.03)


def test_after_an_hour_a_rise_takes_minutes() -> None:
    assert minutes_until(preloaded(LOW, 1 / 24), HIGH, 2539) == 7


def test_a_fall_takes_days() -> None:
    assert minutes_until(preloaded(HIGH, 8), LOW, 548) / 60 == pytest.approx(79.6, abs=0.1)


def capped_run(days: float, half_life_s: float = 86_400.0) -> dict[int, float]:
    """One old pod whose limit is its request: hours at which each request was set."""
    recommender = preloaded(LOW, days, half_life_s)
    request = 548
    changes: dict[int, float] = {}
    for minute in range(40 * 60):
        recommender.add(min(HIGH, request / 1000), 60.0 * minute)
        found = recommended(recommender)
        if moves(request, found, age_s=12 * 3600.0) and found.target != request:
            request = found.target
            changes[request] = (minute + 1) / 60
    return changes


def test_a_pod_at_its_limit_teaches_only_its_limit() -> None:
    changes = capped_run(8)
    assert list(changes) == [671, 813, 977, 1168, 1388, 1643, 1938, 2281, 2539]
    assert changes[2281] == pytest.approx(29.2, abs=0.2)
    assert changes[2539] == pytest.approx(32.8, abs=0.2)


def test_a_shorter_half_life_is_quicker() -> None:
    changes = capped_run(8, half_life_s=3600.0)
    assert changes[2281] == pytest.approx(1.33, abs=0.05)


def test_moves_a_pod_out_of_bounds_at_any_age() -> None:
    recommendation = Recommendation(target=1000, lower=900, upper=1500)
    assert moves(899, recommendation, 0.0)
    assert not moves(900, recommendation, 0.0)
    assert not moves(1500, recommendation, 0.0)
    assert moves(1501, recommendation, 0.0)


def test_moves_a_pod_within_bounds_only_when_it_is_old_and_a_tenth_off() -> None:
    recommendation = Recommendation(target=1000, lower=500, upper=5000)
    assert moves(1200, recommendation, 12 * 3600.0)
    assert not moves(1200, recommendation, 12 * 3600.0 - 1)
    assert not moves(1100, recommendation, 12 * 3600.0)
