"""The error budget: which misses count, and the pressure, compared with a plain sum."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infadapter_operator.domain.error_budget import Answers, ErrorBudget, PlannedRate
from infadapter_operator.domain.serialize import from_json, to_json
from infadapter_operator.planning.error_budget import (
    FULL_LONG,
    LEAST_MISSES,
    MOST_FULL_SHORT,
    MOST_PLANS,
    error_budget,
    held,
    measured_s,
    wilson_lower,
    with_plan,
)

WINDOW_S, STEP_S = 3_600.0, 60.0
PERCENTILE, ALLOWED = 99.0, 0.01
PLANS = (PlannedRate(0.0, 100.0),)
NO_ANSWERS: tuple[Answers, ...] = ()


def minutes(*missed: float, arrived: float = 600.0, kind: str = "late") -> tuple[Answers, ...]:
    """Return one interval per value of `missed`, oldest first."""
    return tuple(
        Answers(STEP_S * (n + 1), STEP_S, arrived - m, 0.0, 0.0, 0.0)._replace(**{kind: m})
        for n, m in enumerate(missed)
    )


def budget_of(
    answers: tuple[Answers, ...],
    now_s: float | None = None,
    plans: tuple[PlannedRate, ...] = PLANS,
) -> ErrorBudget:
    at_s = answers[-1].at_s if now_s is None and answers else now_s or 0.0
    return error_budget(answers, plans, PERCENTILE, WINDOW_S, at_s)


# --- neutral ------------------------------------------------------------------------------------


def test_without_data_it_is_neutral() -> None:
    assert budget_of(NO_ANSWERS, 1e6) == ErrorBudget(at_s=1e6, plans=PLANS)


@pytest.mark.parametrize(("known", "neutral"), [(30, True), (58, True), (60, False), (90, False)])
def test_with_less_than_an_hour_of_data_it_is_neutral(known: int, neutral: bool) -> None:
    found = budget_of(minutes(*[60.0] * known))
    assert (found.left is None) == neutral
    assert (found.pressure == 0.0) == neutral


def test_data_that_ended_long_ago_are_none() -> None:
    answers = minutes(*[60.0] * 90)
    found = budget_of(answers, answers[-1].at_s + WINDOW_S / 2)
    assert (found.left, found.pressure) == (None, 0.0)


def test_an_hour_without_requests_leaves_all_of_it() -> None:
    found = budget_of(minutes(*[0.0] * 90, arrived=0.0))
    assert (found.left, found.pressure) == (1.0, 0.0)


# --- what presses -------------------------------------------------------------------------------


def test_one_late_of_twenty_is_nothing() -> None:
    answers = minutes(*[0.0] * 89, 1.0, arrived=20 / 60)
    found = budget_of((*answers[:-1], answers[-1]._replace(in_time=19.0, late=1.0)))
    assert found.left is not None
    assert found.left < 0
    assert found.pressure == 0.0


def test_fewer_misses_than_ten_say_nothing_however_few_requests_there_were() -> None:
    quiet = [0.0] * 80
    assert budget_of(minutes(*quiet, LEAST_MISSES - 1.0, arrived=10.0)).pressure == 0.0
    assert budget_of(minutes(*quiet, LEAST_MISSES + 0.0, arrived=10.0)).pressure > 0.0


def test_as_many_as_are_allowed_leave_nothing_and_press_for_nothing() -> None:
    found = budget_of(minutes(*[6.0] * 90))
    assert found.left == pytest.approx(0.0)
    assert found.pressure == 0.0


def test_much_more_than_are_allowed_press_with_all_there_is() -> None:
    assert budget_of(minutes(*[6.0 * (FULL_LONG + 1)] * 90)).pressure == 1.0


def test_five_minutes_can_burn_the_hour() -> None:
    calm = [0.0] * 85
    found = budget_of(minutes(*calm, *[300.0] * 5))
    assert found.pressure == 1.0


def test_five_minutes_burn_nothing_while_half_of_the_hour_is_left() -> None:
    calm = [0.0] * 85
    assert budget_of(minutes(*calm, *[35.0] * 5)).pressure == 0.0
    assert budget_of(minutes(*calm, *[50.0] * 5)).pressure > 0.0


def test_what_fails_is_missed_and_moves_nothing() -> None:
    found = budget_of(minutes(*[300.0] * 90, kind="failed"))
    assert found.left == pytest.approx(1 - 0.5 / ALLOWED)
    assert found.pressure == 0.0


@pytest.mark.parametrize("kind", ["late", "refused"])
def test_beyond_the_plans_capacity_is_missed_and_moves_nothing(kind: str) -> None:
    answers = minutes(*[60.0] * 90, kind=kind)  # 10 rps
    small = (PlannedRate(0.0, 9.0),)
    assert budget_of(answers, plans=small).pressure == 0.0
    assert budget_of(answers, plans=small).left == budget_of(answers).left
    assert budget_of(answers, plans=(PlannedRate(0.0, 10.0),)).pressure == 1.0


def test_a_demand_is_held_against_the_plan_of_its_time() -> None:
    answers = minutes(*[0.0] * 60, *[600.0] * 10, *[0.0] * 20)
    then, after = answers[59].at_s, answers[69].at_s
    small_then = (PlannedRate(0.0, 100.0), PlannedRate(then, 9.0), PlannedRate(after, 100.0))
    assert budget_of(answers, plans=small_then).pressure == 0.0
    small_else = (PlannedRate(0.0, 9.0), PlannedRate(then, 100.0), PlannedRate(after, 9.0))
    assert budget_of(answers, plans=small_else).pressure > 0.0


def test_what_comes_before_pods_can_follow_the_plan_is_within_it() -> None:
    answers = minutes(*[0.0] * 80, 600.0, *[0.0] * 9)
    outgrown_s = answers[80].at_s - 50.0
    follows = (PlannedRate(0.0, 9.0), PlannedRate(outgrown_s, 11.0))
    assert budget_of(answers, plans=follows).pressure > 0.0
    too_late = (PlannedRate(0.0, 9.0), PlannedRate(answers[80].at_s, 11.0))
    assert budget_of(answers, plans=too_late).pressure == 0.0


def test_after_a_restart_the_plans_of_before_are_taken_for_the_first_that_is_known() -> None:
    answers = minutes(*[60.0] * 90)
    late_s = answers[-1].at_s
    assert budget_of(answers, plans=(PlannedRate(late_s, 9.0),)).pressure == 0.0
    assert budget_of(answers, plans=(PlannedRate(late_s, 100.0),)).pressure == 1.0
    assert budget_of(answers, plans=()).pressure == 1.0


# --- properties ---------------------------------------------------------------------------------

Counts = tuple[int, int, int, int]
COUNTS = st.tuples(st.integers(0, 400), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
SPELLS = st.lists(st.tuples(st.integers(1, 30), COUNTS), min_size=1, max_size=8)


def turns(minutes: int, spells: list[tuple[int, Counts]]) -> list[Counts]:
    """Return `minutes` of these spells in turn, such as bursts and hours of calm."""
    one_turn = [counts for times, counts in spells for _ in range(times)]
    return list(itertools.islice(itertools.cycle(one_turn), minutes))


HOURS = st.builds(turns, st.integers(61, 100), SPELLS)


def intervals(counts: list[Counts]) -> tuple[Answers, ...]:
    return tuple(
        Answers(STEP_S * (n + 1), STEP_S, *map(float, one)) for n, one in enumerate(counts)
    )


def plainly(answers: tuple[Answers, ...], capacity_rps: float, now_s: float) -> float:
    """Return the pressure by a new sum for each moment, as the reference."""

    def sums(moment_s: float, window_s: float) -> tuple[float, float]:
        own = [a for a in answers if moment_s - window_s < a.at_s <= moment_s]
        own = [a for a in own if a.arrived <= capacity_rps * a.over_s]
        return sum(a.late + a.refused for a in own), sum(a.arrived for a in own)

    def pressing_share(moment_s: float) -> float:
        missed, arrived = sums(moment_s, WINDOW_S)
        return missed / arrived if arrived else 0.0

    def believed(moment_s: float, window_s: float) -> float:
        missed, arrived = sums(moment_s, window_s)
        if missed < LEAST_MISSES:
            return 0.0
        return float(wilson_lower(np.array([missed]), np.array([arrived]))[0]) / ALLOWED

    most = 0.0
    for moment_s in (a.at_s for a in answers if now_s - WINDOW_S / 2 < a.at_s <= now_s):
        if moment_s - WINDOW_S < answers[0].at_s - 2 * STEP_S:
            continue
        long = min(1.0, (believed(moment_s, WINDOW_S) - 1) / (FULL_LONG - 1))
        short = min(1.0, max(0.0, believed(moment_s, WINDOW_S / 12) - 1) / (MOST_FULL_SHORT - 1))
        spent = min(1.0, pressing_share(moment_s) / ALLOWED)
        fading = 1 - (now_s - moment_s) / (WINDOW_S / 2)
        most = max(most, max(long, short * max(0.0, 2 * spent - 1)) * fading)
    return most


@settings(deadline=None)
@given(HOURS, st.floats(1.0, 10.0), st.floats(0.0, 1_000.0))
def test_it_is_what_a_plain_sum_says(
    counts: list[Counts], capacity_rps: float, later_s: float
) -> None:
    answers = intervals(counts)
    now_s = answers[-1].at_s + later_s
    found = budget_of(answers, now_s, (PlannedRate(0.0, capacity_rps),))
    if found.left is not None:
        assert found.pressure == pytest.approx(plainly(answers, capacity_rps, now_s), abs=1e-9)


@settings(deadline=None)
@given(HOURS, st.data())
def test_one_more_that_is_late_never_presses_less(
    counts: list[Counts], data: st.DataObject
) -> None:
    n = data.draw(st.integers(0, len(counts) - 1))
    in_time, late, refused, failed = counts[n]
    more = data.draw(st.integers(0, in_time))
    worse = [*counts]
    worse[n] = (in_time - more, late + more, refused, failed)
    before, after = budget_of(intervals(counts)), budget_of(intervals(worse))
    assert after.pressure >= before.pressure - 1e-12
    assert before.left is not None
    assert after.left is not None
    assert after.left <= before.left + 1e-12


@settings(deadline=None)
@given(HOURS, st.data())
def test_more_that_are_in_time_never_press_more(counts: list[Counts], data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(counts) - 1))
    in_time, late, refused, failed = counts[n]
    better = [*counts]
    more = data.draw(st.integers(0, 1_000))
    better[n] = (in_time + more, late, refused, failed)
    before, after = budget_of(intervals(counts)), budget_of(intervals(better))
    assert after.pressure <= before.pressure + 1e-12


@settings(deadline=None)  # each example measures a hundred times
@given(st.lists(st.integers(0, 300), min_size=61, max_size=75), st.floats(60.0, 600.0))
def test_pressure_fades_within_half_an_hour_after_and_never_drops(
    missed: list[int], step_s: float
) -> None:
    ended_s = STEP_S * len(missed)
    answers = minutes(*map(float, missed), *[0.0] * 100)
    pressures = []
    now_s = ended_s
    while now_s < ended_s + WINDOW_S * 1.5 + 2 * step_s:
        known = tuple(a for a in answers if now_s - measured_s(WINDOW_S) < a.at_s <= now_s)
        pressures.append(budget_of(known, now_s).pressure)
        now_s += step_s
    falls = [before - after for before, after in itertools.pairwise(pressures)]
    assert max(falls) <= (step_s + STEP_S) / (WINDOW_S / 2) + 1e-9
    assert pressures[-1] == 0.0


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_lower_bound_is_below_the_share_and_nears_it(missed: int, others: int) -> None:
    def bound(times: float) -> float:
        arrived = np.array([times * (missed + others)])
        return float(wilson_lower(np.array([times * missed]), arrived)[0])

    share = missed / (missed + others)
    assert 0 <= bound(1.0) <= bound(100.0) + 1e-12
    assert bound(100.0) <= share + 1e-12
    assert bound(1e9) == pytest.approx(share, abs=1e-3)


def test_the_lower_bound_is_wilsons() -> None:
    found = wilson_lower(np.array([10.0, 0.0, 5.0]), np.array([100.0, 100.0, 5.0]))
    assert found == pytest.approx([0.0552, 0.0, 0.5655], abs=1e-4)


# --- what is remembered -------------------------------------------------------------------------


def test_plans_are_remembered_once_and_not_for_ever() -> None:
    plans = with_plan(with_plan((), 10.0, 1.0), 10.0, 2.0)
    assert plans == (PlannedRate(1.0, 10.0),)
    for n in range(2 * MOST_PLANS):
        plans = with_plan(plans, float(n), 10.0 + n)
    assert len(plans) == MOST_PLANS
    assert plans[-1] == PlannedRate(9.0 + 2 * MOST_PLANS, 2.0 * MOST_PLANS - 1)


def test_what_was_measured_is_held_for_five_minutes() -> None:
    known = replace(budget_of(minutes(*[60.0] * 90)), at_s=1_000.0)
    assert held(known, WINDOW_S, 1_299.0) == known
    assert held(known, WINDOW_S, 1_300.0) == ErrorBudget(plans=PLANS)
    assert held(known, WINDOW_S, 999.0) == ErrorBudget(plans=PLANS)  # the clock has been set back
    assert held(ErrorBudget(), WINDOW_S, 5.0) == ErrorBudget()


def test_it_is_written_down_and_read_again() -> None:
    known = replace(budget_of(minutes(*[60.0] * 90)), left=math.pi)
    assert from_json(ErrorBudget, json.loads(json.dumps(to_json(known)))) == known
    assert len(json.dumps(to_json(known))) < 300
