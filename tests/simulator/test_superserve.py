"""SuperServe's evaluation: the orderings that it prints, in two seconds of virtual time each."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from infadapter_scheduler import Arrival
from infadapter_scheduler.points.rivals import Fixed
from infadapter_simulator.reproduction.superserve.asked import Asked
from infadapter_simulator.reproduction.superserve.comparison import (
    Both,
    fixed,
    holding,
    span_closed,
    times_as_often,
)
from infadapter_simulator.reproduction.superserve.faults import run_steps
from infadapter_simulator.reproduction.superserve.ladder import (
    CAPACITY_RPS,
    GPUS,
    SLO_S,
    alone,
    supernet,
)
from infadapter_simulator.reproduction.superserve.serving import (
    CHOOSING,
    Delivered,
    admitted,
    delivered,
    queued,
)
from infadapter_simulator.reproduction.superserve.workload import bursty, rising, traced, warped

SECONDS = 2.0


def draw() -> np.random.Generator:
    return np.random.default_rng(1)


def burst(variant_rps: float, cv2: float) -> Iterator[Arrival]:
    return bursty(1500, variant_rps, cv2, SECONDS, draw())


@cache
def chosen(name: str, variant_rps: float, cv2: float, admits: bool = True) -> Delivered:
    model = supernet()
    policy = (admitted if admits else queued)(model, CHOOSING[name]())
    return delivered(policy, model, burst(variant_rps, cv2), GPUS)


@cache
def of_fixed(accuracy: float, variant_rps: float, cv2: float) -> Delivered:
    model = alone(accuracy)
    return delivered(queued(model, Fixed(0)), model, burst(variant_rps, cv2), GPUS)


def test_capacities_and_the_slo_are_as_calibrated() -> None:
    for point in supernet().points:
        assert GPUS * 16 / point.execution_s[16] == pytest.approx(CAPACITY_RPS[point.accuracy])
    assert supernet().points[-1].execution_s[1] < SLO_S / 4


def test_bursts_have_the_rate_and_the_variation_that_they_are_asked_for() -> None:
    times = [a.arrival_s for a in bursty(100, 900, 4, 40.0, draw())]
    assert times == sorted(times)
    assert len(times) == pytest.approx(40_000, rel=0.03)
    gaps = np.diff(list(warped(lambda at_s: 500.0, 8.0, 200.0, draw())))
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(8.0, rel=0.1)


def test_a_rate_rises_after_a_quarter_and_a_trace_keeps_its_shape() -> None:
    times = np.array([a.arrival_s for a in rising(1000, 3000, 500, 1.0, 8.0, draw())])
    counts = np.histogram(times, bins=8, range=(0, 8))[0]
    assert counts[0] == pytest.approx(1000, rel=0.15)
    assert counts[7] == pytest.approx(3000, rel=0.15)
    stepped = np.array([a.arrival_s for a in traced([100.0, 900.0], 1.0, 10.0, draw())])
    assert (stepped < 10).mean() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("policy", ["ours", "SlackFit"])
@pytest.mark.parametrize(("variant_rps", "cv2"), [(2950, 2), (4900, 4), (5550, 8)])
def test_more_than_999_in_a_thousand_are_on_time_in_every_burst(
    policy: str, variant_rps: float, cv2: float
) -> None:
    assert chosen(policy, variant_rps, cv2).attainment > 0.999
    assert chosen(policy, variant_rps, cv2).late == 0


def test_accuracy_falls_as_bursts_grow_and_as_they_vary() -> None:
    by_rate = [chosen("ours", rate, 2).accuracy for rate in (2950, 4900, 5550)]
    assert by_rate == sorted(by_rate, reverse=True)
    assert chosen("ours", 5550, 8).accuracy < chosen("ours", 5550, 2).accuracy


def test_the_lowest_accuracy_is_always_on_time_and_up_to_five_points_less_accurate() -> None:
    lowest = chosen("lowest accuracy", 2950, 2)
    assert lowest.attainment == 1.0
    assert 4.0 < chosen("ours", 2950, 2).accuracy - lowest.accuracy < 6.34
    narrower = chosen("ours", 5550, 8).accuracy - lowest.accuracy
    assert narrower < chosen("ours", 5550, 2).accuracy - lowest.accuracy


def test_a_fixed_subnet_suffers_from_variation_and_from_the_rate() -> None:
    assert of_fixed(76.69, 5550, 8).attainment < of_fixed(76.69, 5550, 2).attainment
    assert of_fixed(78.25, 5550, 2).attainment < of_fixed(78.25, 2950, 2).attainment
    assert of_fixed(80.16, 5550, 2).attainment < 0.05, "it diverges at 7,000"


def test_max_accuracy_never_drains_where_nobody_is_refused() -> None:
    assert chosen("MaxAcc", 5550, 4, False).attainment < 0.2
    assert chosen("SlackFit", 5550, 4, False).attainment > 0.999


@pytest.mark.parametrize("policy", list(CHOOSING))
def test_behind_admission_no_policy_makes_anybody_late(policy: str) -> None:
    assert chosen(policy, 5550, 8).late == 0
    assert chosen(policy, 5550, 8).attainment > 0.99


def test_the_fixed_79_begins_to_diverge_as_the_rate_rises_faster_and_higher() -> None:
    model = alone(79.44)
    on_time = {
        (last, by): delivered(
            queued(model, Fixed(0)), model, rising(2500, last, by, 8, 4.0, draw()), GPUS
        ).attainment
        for last, by in ((6800, 250), (6800, 5000), (4800, 5000))
    }
    assert on_time[6800, 5000] < on_time[6800, 250]
    assert on_time[6800, 5000] < on_time[4800, 5000]


def test_with_half_of_the_workers_accuracy_is_lost_and_not_deadlines() -> None:
    steps = run_steps(Asked(0.15, lambda done, total: None), "ours")
    assert all(step.attainment > 0.99 for step in steps)
    assert steps[4].accuracy < steps[0].accuracy - 1.0


def test_a_switching_delay_costs_what_switching_for_nothing_does_not() -> None:
    model, found = supernet(), []
    for switch_s in (0.0, 0.1):
        policy = queued(model, CHOOSING["SlackFit"]())
        found.append(delivered(policy, model, burst(4900, 4), GPUS, switch_s=switch_s).attainment)
    assert found[1] < 0.1 < 0.999 < found[0]


def both(attainment: float, accuracy: float) -> Both:
    one = Delivered(1000, round(1000 * attainment), 0, accuracy * round(1000 * attainment))
    return Both(one, one)


def test_what_is_claimed_is_beside_the_fixed_subnet_that_holds_as_much() -> None:
    found = {
        "ours": both(1.0, 78.0),
        **{fixed(a): both(1.0 if a < 77 else 0.5, a) for a in CAPACITY_RPS},
    }
    assert holding(found, 1.0) == 76.69
    assert span_closed(found) == pytest.approx((78.0 - 76.69) / (80.16 - 76.69))
    assert times_as_often(found) == (2.0, 2.0)


def test_our_policy_is_within_a_quarter_of_a_point_of_slackfit_where_batching_gains() -> None:
    assert chosen("ours", 2950, 8).accuracy > chosen("SlackFit", 2950, 8).accuracy - 0.25
