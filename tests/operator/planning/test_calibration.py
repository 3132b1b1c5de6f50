"""Calibration: the ratio of delivered to profiled capacity, learnt from missed requests."""

import math
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infadapter_operator.domain.load import Delivered
from infadapter_operator.domain.observed import Observed, Pod, Resize
from infadapter_operator.domain.situation import CapacityCalibration
from infadapter_operator.planning.calibration import (
    ADAPTATION_PER_S,
    FULL_TO,
    MAX_RATIO,
    MIN_RATIO,
    MOST_KNOWN,
    TOLERATED_MISSES,
    TRIED,
    calibrated_by,
    with_calibration,
)
from infadapter_solver import Target
from tests import builders
from tests.builders import MIDDLE, SMALL, a_service

SERVICE = a_service(interval_s=5.0)
CPU_SMALL = Target("small", "cpu")
CAPACITY_RPS = 40.0  # of two cores of `small`


def a_pod(name: str = "one", millicores: int = 2000, **changes: object) -> Pod:
    pod = builders.a_pod(name, millicores, target=CPU_SMALL)
    return replace(pod, **changes)  # type: ignore[arg-type]


def lessons(
    *rates: tuple[float, float], pod: Pod | None = None, start: CapacityCalibration | None = None
) -> CapacityCalibration:
    """Return the calibration after a first cycle and one update for each (arrived, missed)."""
    observed = Observed(pods=(pod or a_pod(),))
    learnt = calibrated_by(SERVICE, start or CapacityCalibration(), observed, {}, 0.0)
    for number, (arrived_rps, missed_rps) in enumerate(rates, 1):
        delivered = {"one": Delivered(arrived_rps, missed_rps, 5.0)}
        learnt = calibrated_by(SERVICE, learnt, observed, delivered, 5.0 * number)
    return learnt


def ratio_after(*rates: tuple[float, float], **given: object) -> float:
    return lessons(*rates, **given).ratios.get(CPU_SMALL, 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("carried", [1.0, 1.03, 1.07])
def test_a_full_pod_that_misses_nothing_can_do_what_it_carried_and_a_little_more(
    carried: float,
) -> None:
    found = ratio_after(*[(carried * CAPACITY_RPS, 0.0)] * 1000)
    assert found == pytest.approx(carried + TRIED, abs=1e-9)


@pytest.mark.parametrize("filled", [0.5, 0.9, 0.98])
def test_a_pod_that_is_not_full_shows_no_more_than_the_profile(filled: float) -> None:
    """Regression: at steady load the ratio rose to 1.1, and too few pods were planned."""
    assert ratio_after(*[(filled * CAPACITY_RPS, 0.0)] * 1000) == 1.0


def test_what_was_shown_once_stays_known() -> None:
    shown = CapacityCalibration(ratios={CPU_SMALL: 1.05})
    assert ratio_after(*[(0.5 * CAPACITY_RPS, 0.0)] * 100, start=shown) == 1.05


def test_a_pod_that_misses_some_although_it_is_not_full_can_do_less() -> None:
    assert ratio_after(*[(0.5 * CAPACITY_RPS, 0.1 * CAPACITY_RPS)] * 10) < 0.8


def test_what_is_missed_in_an_overload_teaches_nothing() -> None:
    assert ratio_after(*[(2 * CAPACITY_RPS, CAPACITY_RPS)] * 100) == 1.0
    assert ratio_after((1.01 * FULL_TO * CAPACITY_RPS, 0.0)) == 1.0


def test_what_was_too_low_comes_back_to_the_profile_and_no_further() -> None:
    low = CapacityCalibration(ratios={CPU_SMALL: 0.8})
    assert 0.8 < ratio_after(*[(5.0, 0.0)] * 100, start=low) < 0.9
    assert ratio_after(*[(5.0, 0.0)] * 10_000, start=low) == 1.0


def test_nothing_arrives_and_nothing_is_learnt() -> None:
    low = CapacityCalibration(ratios={CPU_SMALL: 0.8})
    assert ratio_after(*[(0.0, 0.0)] * 100, start=low) == 0.8
    assert ratio_after(start=low) == 0.8


@pytest.mark.parametrize(
    "pod",
    [
        a_pod(ready=False),
        a_pod(leaving=True),
        a_pod(resize=Resize.IN_PROGRESS, wanted={"cpu": 4000}),
        a_pod(name="another"),
    ],
)
def test_only_settled_pods_that_are_counted_teach(pod: Pod) -> None:
    assert ratio_after((40.0, 20.0), pod=pod) == 1.0


def test_a_pod_that_was_resized_since_the_last_lesson_teaches_at_the_next_one() -> None:
    learnt = calibrated_by(SERVICE, CapacityCalibration(), Observed(pods=(a_pod(),)), {}, 0.0)
    larger = Observed(pods=(a_pod(millicores=4000),))
    delivered = {"one": Delivered(40.0, 4.0, 5.0)}
    learnt = calibrated_by(SERVICE, learnt, larger, delivered, 5.0)
    assert learnt.ratio(CPU_SMALL) == 1.0
    assert calibrated_by(SERVICE, learnt, larger, delivered, 10.0).ratio(CPU_SMALL) < 1.0


def test_a_pod_that_is_settled_for_less_than_was_counted_over_waits_with_its_lesson() -> None:
    observed = Observed(pods=(a_pod(),))
    learnt = calibrated_by(SERVICE, CapacityCalibration(), observed, {}, 0.0)
    ratios = []
    for at_s in (5.0, 10.0, 15.0):
        delivered = {"one": Delivered(40.0, 4.0, 15.0)}
        learnt = calibrated_by(SERVICE, learnt, observed, delivered, at_s)
        ratios.append(learnt.ratio(CPU_SMALL))
    assert ratios[:2] == [1.0, 1.0]
    assert ratios[2] < 1.0


def test_a_clock_that_was_set_back_teaches_nothing() -> None:
    learnt = lessons((30.0, 3.0))
    observed = Observed(pods=(a_pod(),))
    again = calibrated_by(SERVICE, learnt, observed, {"one": Delivered(30.0, 3.0, 5.0)}, -100.0)
    assert again.ratios[CPU_SMALL] == learnt.ratios[CPU_SMALL]
    assert again.at_s == -100.0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), max_size=40))
def test_ratios_stay_within_bounds(loads: list[tuple[float, float]]) -> None:
    ratio = ratio_after(*[(rps, rps * refused) for rps, refused in loads])
    assert MIN_RATIO <= ratio <= MAX_RATIO


@pytest.mark.parametrize("true_ratio", [0.7, 0.9, 1.1])
def test_comes_to_the_load_at_which_as_much_is_missed_as_is_tolerated(true_ratio: float) -> None:
    """The pod gets the load it is believed to serve, and misses more the fuller it is."""
    most_rps, learnt = true_ratio * CAPACITY_RPS, lessons()
    for number in range(1, 2000):
        sent_rps = 0.95 * CAPACITY_RPS * learnt.ratios.get(CPU_SMALL, 1.0)
        share = min(1.0, TOLERATED_MISSES * 0.01 * math.exp(80 * (sent_rps / most_rps - 0.95)))
        delivered = {"one": Delivered(sent_rps, share * sent_rps, 5.0)}
        learnt = calibrated_by(SERVICE, learnt, Observed(pods=(a_pod(),)), delivered, 5.0 * number)
    assert learnt.ratio(CPU_SMALL) == pytest.approx(true_ratio, rel=0.02)


def test_capacities_are_those_that_were_learnt_and_the_others_stay() -> None:
    service = with_calibration(SERVICE, CapacityCalibration(ratios={CPU_SMALL: 0.8049}))
    small, middle = (next(v for v in service.variants if v.name == n) for n in ("small", "middle"))
    assert [a.capacity_rps for a in small.allocations] == pytest.approx(
        [0.8 * a.capacity_rps for a in SMALL.allocations]
    )
    assert middle.allocations == MIDDLE.allocations


def test_a_ratio_that_rounds_to_one_leaves_the_service_as_it_is() -> None:
    assert with_calibration(SERVICE, CapacityCalibration(ratios={CPU_SMALL: 1.004})) is SERVICE


def test_what_was_derived_of_ratios_is_not_kept_for_ever() -> None:
    service = a_service()
    for small, large in product(range(50, 90), range(50, 60)):
        ratios = {CPU_SMALL: small / 100, Target("large"): large / 100}
        with_calibration(service, CapacityCalibration(ratios=ratios))
    assert 0 < len(service.derived.calibrated) <= MOST_KNOWN


@given(st.floats(0.8, 0.99))
def test_pods_slower_than_profiled_are_known_for_the_price_of_seconds(speed: float) -> None:
    """
    Pods get their believed capacity. Until calibration is right, they miss no more requests than
    arrive in ln(1 / speed) / ADAPTATION_PER_S seconds and in one update: 3.7 s for 0.8.
    """
    learnt, observed = lessons(), Observed(pods=(a_pod(),))
    missed_s, at_s = 0.0, 0.0
    while learnt.ratio(CPU_SMALL) > speed + 0.01:
        at_s += 5.0
        planned_rps = learnt.ratio(CPU_SMALL) * CAPACITY_RPS
        missed_rps = max(0.0, planned_rps - speed * CAPACITY_RPS)
        missed_s += 5.0 * missed_rps / planned_rps
        delivered = {"one": Delivered(planned_rps, missed_rps, 5.0)}
        learnt = calibrated_by(SERVICE, learnt, observed, delivered, at_s)
        assert at_s < 3600
    lesson_s = 5.0 * (1 - speed)
    assert missed_s <= math.log(1 / speed) / ADAPTATION_PER_S + lesson_s + 0.2
