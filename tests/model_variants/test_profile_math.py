import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_profiles.profile import Point, Profile, ProfiledAllocation
from infadapter_profiles.sizes import PodSize
from infadapter_server.profiling.percentiles import (
    ENOUGH,
    FRACTIONS,
    kept_up,
    plan_rates,
    point_of,
    requests_needed,
    saturation_rps,
    with_allocation,
)
from infadapter_workload.arrivals import constant_rate
from infadapter_workload.outcomes import TIMED_OUT, Outcome

SERVICE_S = 0.01
POINT = Point(rps=50, latency_s={50.0: 0.01, 99.0: 0.04}, refused_ratio=0.25)


def measured(millicores: int, saturation_rps: float) -> ProfiledAllocation:
    size = PodSize(resources={"cpu": millicores})
    return ProfiledAllocation(size=size, saturation_rps=saturation_rps, points=(POINT,))


def queued(rate_rps: float, seconds: float, service_s: float = SERVICE_S) -> list[Outcome]:
    """One server with a fixed service time: M/D/1."""
    free_s = 0.0
    outcomes = []
    for due_s in constant_rate(rate_rps, seconds, seed=1).tolist():
        free_s = max(free_s, due_s) + service_s
        outcomes.append(Outcome(scheduled_s=due_s, sent_s=due_s, done_s=free_s, code=200))
    return outcomes


def erlang_waiting(utilisation: float) -> Callable[[float], float]:
    """P(waiting <= t service times) in M/D/1 (Erlang, 1909)."""

    def probability(t: float) -> float:
        terms = (
            (-utilisation * (t - k)) ** k / math.factorial(k) * math.exp(utilisation * (t - k))
            for k in range(math.floor(t) + 1)
        )
        return (1 - utilisation) * math.fsum(terms)

    return probability


@pytest.mark.parametrize("utilisation", [0.3, 0.5, 0.7])
def test_percentiles_are_those_of_the_queue_that_was_measured(utilisation: float) -> None:
    seconds = 1_000.0
    point = point_of(queued(utilisation / SERVICE_S, seconds), seconds)
    assert point is not None
    assert point.rps == pytest.approx(utilisation / SERVICE_S, rel=0.02)
    waiting = erlang_waiting(utilisation)
    for percent in (90.0, 95.0, 99.0):
        services = point.latency_s[percent] / SERVICE_S - 1
        assert 1 - waiting(services) == pytest.approx(1 - percent / 100, rel=0.25)


def test_a_percentile_needs_a_request_beyond_it() -> None:
    assert [requests_needed(p) for p in (50, 90, 95, 99, 99.9)] == [2, 10, 20, 100, 1000]
    for n, percents in ((2, [50]), (99, [50, 90, 95]), (100, [50, 90, 95, 99])):
        point = point_of(queued(100, 20)[:n], 1)
        assert point is not None
        assert list(point.latency_s) == percents


def test_refusals_are_a_ratio_and_silence_counts_as_the_time_waited() -> None:
    quick = [Outcome(scheduled_s=0, sent_s=0, done_s=0.01, code=200)] * 50
    refused = [Outcome(scheduled_s=0, sent_s=0, done_s=0.001, code=503)] * 50
    silent = [Outcome(scheduled_s=0, sent_s=0, done_s=5, code=0, error=TIMED_OUT)] * 50
    point = point_of([*quick, *refused, *silent], 1)
    assert point is not None
    assert point.refused_ratio == pytest.approx(1 / 3)
    assert (point.latency_s[50], point.latency_s[90]) == (0.01, 5)


@pytest.mark.parametrize(("rate_rps", "steady"), [(50, True), (90, True), (110, False)])
def test_a_growing_queue_is_told_from_a_full_one(rate_rps: float, steady: bool) -> None:
    assert kept_up(queued(rate_rps, 20)) is steady


def test_nothing_follows_from_refusals_alone() -> None:
    refused = Outcome(scheduled_s=0, sent_s=0, done_s=0.001, code=503)
    assert point_of([refused] * 50, 1) is None
    assert saturation_rps([refused] * 50, 1) == 0
    assert saturation_rps([], 1) == 0


def test_saturation_is_the_service_rate_and_one_pause_does_not_change_it() -> None:
    busy = queued(1_000, 12)  # ten times what can be served
    assert saturation_rps(busy, 12) == pytest.approx(100, rel=0.01)
    paused = [o for o in busy if not 5 < o.done_s < 6]
    assert saturation_rps(paused, 12) == pytest.approx(100, rel=0.01)


def test_of_a_slow_server_a_few_answers_give_a_rate() -> None:
    assert saturation_rps(queued(50, 3, service_s=0.25), 3) == pytest.approx(4, rel=0.15)


@given(saturation=st.floats(1, 5_000), seconds=st.floats(1, 600))
def test_the_plan_fills_the_time_with_ascending_rates(saturation: float, seconds: float) -> None:
    plan = plan_rates(saturation, seconds)
    assert sum(time_s for _, time_s in plan) == pytest.approx(seconds)
    rates = [rate for rate, _ in plan]
    assert rates == sorted(rates)
    assert 2 <= len(plan) <= len(FRACTIONS)
    assert max(rates) < saturation
    if len(plan) > 2:
        assert all(rate * time_s >= ENOUGH for rate, time_s in plan)


def test_a_short_time_is_spent_on_the_rates_where_capacities_lie() -> None:
    assert [rate for rate, _ in plan_rates(100, 1)] == [70, 80]
    assert len(plan_rates(100, 60)) == len(FRACTIONS)


def test_an_allocation_is_added_or_replaced_by_its_size() -> None:
    one = Profile(variant="v", accuracy=0.8, load_time_s=2, allocations=(measured(1000, 100),))
    both = with_allocation(one, measured(2000, 190))
    assert [a.saturation_rps for a in both.allocations] == [100, 190]
    again = with_allocation(both, measured(1000, 95))
    assert {a.saturation_rps for a in again.allocations} == {190, 95}
