"""
The error budget as a feedback loop: from burn rates to the pressure for more reserve.

A percentile is a constraint over time, and a plan is made for the next seconds. What was missed so
far connects the two (multi-window burn rates, as in Google's SRE workbook). Only late and refused
requests count, and only at a demand within the plan's capacity: reserve helps neither against a
server that fails nor against a load that the budget cannot serve. A share counts as exceeded once
the lower bound of its Wilson interval is above the allowance.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from infadapter_operator.domain.error_budget import FADING, Answers, ErrorBudget, PlannedRate
from infadapter_operator.planning.kept_columns import Floats, KeptColumns, columns_of

SHORT_WINDOWS = 12
"""Short windows per long window: five minutes of an hour."""

MOST_ASKED_S, ASKED_IN_SHORT = 10.0, 1.5
"""Seconds between measurements at most, and measurements per short window at least."""

LEAST_MISSES = 10
"""Fewer misses are ignored: one late request of twenty is an accident."""

WILSON_Z = 1.96
"""Quantile of the normal distribution: a share of 1 % is doubted in one case of forty."""

FULL_LONG, MOST_FULL_SHORT = 1.2, 5.0
"""
Burn rates at which the pressure is 1, for the long and the short window; it grows from 0 at rate 1.
An hour at 1.2 times the allowance misses the SLO; five minutes at five times spend almost half of
the hour's budget.
"""

UNTOUCHED = 0.5
"""Share of the window's budget below which a high short-term burn rate causes no pressure."""

LARGEST_SHORT_SHARE = 0.5
"""
Upper bound on the share missed at which the short-term pressure is 1. Five times an allowance of 20
% could never be reached.
"""

MOST_PLANS = 400
"""Planned rates that are remembered: more than a bursty hour and a half produces."""

kept = KeptColumns()


def asked_every_s(window_s: float) -> float:
    """
    Return the time between two measurements, s; shorter than a short window, for which one is
    valid.
    """
    return min(MOST_ASKED_S, window_s / SHORT_WINDOWS / ASKED_IN_SHORT)


def measured_s(window_s: float) -> float:
    """
    Return how far back the answers are needed, s: the window plus the time over which pressure
    fades.
    """
    return (1 + FADING) * window_s


def error_budget(
    answers: Sequence[Answers],
    plans: tuple[PlannedRate, ...],
    percentile: float,
    window_s: float,
    now_s: float,
) -> ErrorBudget:
    """
    Return the error budget at `now_s`.

    `answers` are in order of time and reach back for `measured_s`. The result is neutral without
    answered requests, and with less than a window of data.
    """
    neutral = ErrorBudget(at_s=now_s, plans=plans)
    if not answers or answers[0].at_s > now_s:
        return neutral
    columns = kept.of(answers)
    known = columns[:, : int(columns[0].searchsorted(now_s, side="right"))]
    sums = _Sums(known, plans)
    at_s = known[0]
    moments_s = at_s[now_s - at_s < FADING * window_s]
    if not sums.reach(np.array([now_s]), window_s).all() or not len(moments_s):
        return neutral
    allowed = 1 - percentile / 100
    pressures = _pressures(sums, allowed, window_s, moments_s)
    fading = 1 - (now_s - moments_s) / (FADING * window_s)
    return ErrorBudget(
        left=1 - sums.share_missed(now_s, window_s) / allowed,
        pressure=float((pressures * fading).max()),
        at_s=now_s,
        plans=plans,
    )


def held(before: ErrorBudget, window_s: float, now_s: float) -> ErrorBudget:
    """
    Return the last measurement when there is no new one, or a neutral one once that is too old.
    """
    if before.at_s is None or before.at_s <= now_s < before.at_s + window_s / SHORT_WINDOWS:
        return before
    return ErrorBudget(plans=before.plans)


def with_plan(plans: tuple[PlannedRate, ...], rps: float, now_s: float) -> tuple[PlannedRate, ...]:
    """Append the capacity of the plan in force, if it changed."""
    if plans and plans[-1].rps == rps:
        return plans
    return (*plans, PlannedRate(now_s, rps))[-MOST_PLANS:]


def wilson_lower(missed: Floats, arrived: Floats) -> Floats:
    """
    Return the lower Wilson bound of the share missed, exceeded by the true share in all but one of
    forty cases.
    """
    n = np.maximum(arrived, 1e-9)
    share = np.minimum(missed / n, 1.0)
    z2 = WILSON_Z**2
    spread = WILSON_Z * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    bound: Floats = np.maximum(0.0, (share + z2 / (2 * n) - spread) / (1 + z2 / n))
    return bound


class _Sums:
    """Cumulative sums over the intervals, so that the sum over any window is a difference."""

    def __init__(self, answers: Floats, plans: Sequence[PlannedRate]) -> None:
        at_s, over_s, in_time, late, refused, failed = answers
        arrived = in_time + late + refused + failed
        within = arrived <= over_s * _planned_rps(plans, at_s - over_s, at_s)
        self._at_s = at_s
        self._begin_s = float(at_s[0] - over_s[0])
        self._longest_s = float(over_s.max())
        self._arrived, self._missed = _summed(arrived), _summed(late + refused + failed)
        self._judged = _summed(arrived * within)
        self._pressing = _summed((late + refused) * within)

    def reach(self, moments_s: Floats, window_s: float) -> NDArray[np.bool_]:
        """
        Whether the data cover a whole window before each moment; one interval may be missing at
        either end.
        """
        known: NDArray[np.bool_] = moments_s - window_s >= self._begin_s - self._longest_s
        return known

    def share_missed(self, moment_s: float, window_s: float) -> float:
        arrived, missed = (
            float(_within(sums, self._at_s, np.array([moment_s]), window_s)[0])
            for sums in (self._arrived, self._missed)
        )
        return missed / arrived if arrived > 0 else 0.0

    def pressing(self, moments_s: Floats, window_s: float) -> tuple[Floats, Floats]:
        """
        Return, by moment, the misses at a demand within the plan's capacity, and the arrivals at
        such demand.
        """
        missed = _within(self._pressing, self._at_s, moments_s, window_s)
        return missed, _within(self._judged, self._at_s, moments_s, window_s)


def _pressures(sums: _Sums, allowed: float, window_s: float, moments_s: Floats) -> Floats:
    """Return the pressure by moment, from the significant burn rates of both windows."""
    full_short = max(FULL_LONG, min(MOST_FULL_SHORT, LARGEST_SHORT_SHARE / allowed))
    missed, arrived = sums.pressing(moments_s, window_s)
    long = np.clip((_burns(missed, arrived, allowed) - 1) / (FULL_LONG - 1), 0.0, 1.0)
    spent = np.clip(missed / np.maximum(arrived, 1e-9) / allowed, 0.0, 1.0)
    burns = _burns(*sums.pressing(moments_s, window_s / SHORT_WINDOWS), allowed)
    short = np.clip((burns - 1) / (full_short - 1), 0.0, 1.0)
    told = np.maximum(long, short * np.maximum(0.0, spent - UNTOUCHED) / (1 - UNTOUCHED))
    pressures: Floats = told * sums.reach(moments_s, window_s)
    return pressures


def _burns(missed: Floats, arrived: Floats, allowed: float) -> Floats:
    """Return the significant burn rates; 0 where there are too few misses."""
    many = missed >= LEAST_MISSES
    burns: Floats = np.where(many, wilson_lower(missed, arrived) / allowed, 0.0)
    return burns


def _planned_rps(plans: Sequence[PlannedRate], begins_s: Floats, ends_s: Floats) -> Floats:
    """
    Return the highest planned capacity during each interval, so that requests that came before the
    pods could follow the plan count as within it.

    Before the first known plan (after a restart) that plan is assumed. Without any, all demand
    counts.
    """
    if not plans:
        return np.full(len(ends_s), math.inf)
    since_s, rps = columns_of(plans)
    first = np.maximum(0, np.searchsorted(since_s, begins_s, side="right") - 1)
    last = np.maximum(first + 1, np.searchsorted(since_s, ends_s, side="left"))
    spans = np.stack([first, last], axis=1).ravel()
    highest: Floats = np.maximum.reduceat(np.append(rps, -math.inf), spans)[::2]
    return highest


def _summed(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def _within(sums: Floats, at_s: Floats, moments_s: Floats, window_s: float) -> Floats:
    """Return the sums over the intervals that ended within the window before each moment."""
    until = np.searchsorted(at_s, moments_s, side="right")
    since = np.searchsorted(at_s, moments_s - window_s, side="right")
    differences: Floats = sums[until] - sums[since]
    return differences
