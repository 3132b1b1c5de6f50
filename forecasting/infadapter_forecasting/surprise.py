"""
What no forecast sees: that the load has just jumped.

A generalised likelihood ratio over windows (Lai, IEEE Trans. Inf. Theory 1998): are the last k
seconds, for any of a few k, of another rate than the minute before them? Counts are Poisson or
noisier; how much noisier is read from the differences between neighbouring seconds.
"""

from dataclasses import dataclass

import numpy as np

from infadapter_forecasting.forecaster import FIRST_S, Array, Rates, Seconds
from infadapter_forecasting.rates import with_past

WINDOWS_S = (1, 2, 3, 5, 8, 12, 20, 30)
"""The seconds since a change that are tried; after the last, the new level is what is usual."""

_WIDTHS = np.array(WINDOWS_S, dtype=np.intp)

BEFORE_S = 60
NOISE_S = 120

THRESHOLD = 10.0
"""
Of the log-likelihood ratio, for a change: at a steady Poisson load, passed once in tens of hours.
"""

CONTRADICTION = 5.0
"""The same, within what follows a change: below it, shorter windows add only noise."""

LEAST_CHANGE = 0.2
"""A change by a smaller share of the rate surprises no plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    changed: bool
    rises: bool
    level_rps: float  # now: after the change if there is one, else the mean of the last half minute
    before_rps: float
    since_s: int  # how long ago it changed; 0 without a change


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprises:
    """The same for many origins."""

    changed: np.ndarray  # (origins,) bool
    level_rps: Array
    before_rps: Array
    since_s: Seconds


def surprise(history: Rates) -> Surprise:
    """At the end of the history."""
    recent = history[-(WINDOWS_S[-1] + NOISE_S) :]
    found = surprises(recent, np.array([len(recent)], dtype=np.intp))
    level, before = float(found.level_rps[0]), float(found.before_rps[0])
    return Surprise(
        changed=bool(found.changed[0]),
        rises=bool(found.changed[0]) and level > before,
        level_rps=level,
        before_rps=before,
        since_s=int(found.since_s[0]),
    )


def surprises(history: Rates, origins: Seconds) -> Surprises:
    """At each origin, from nothing after it; a history of less than half a minute has no usual."""
    lead = WINDOWS_S[-1] + NOISE_S
    ends = origins + lead
    known = with_past(history, lead)
    sums = np.concatenate(([0.0], np.cumsum(known)))
    after, before = _means(sums, ends)
    ratios = _ratios(after, before, _WIDTHS) / _dispersion(known, sums, ends)[:, None]
    enough = np.abs(after - before) >= LEAST_CHANGE * before
    seen = (origins >= FIRST_S)[:, None] & (origins[:, None] - FIRST_S / 2 >= _WIDTHS)
    ratios = np.where(enough & seen, ratios, 0.0)
    best = ratios.argmax(axis=1)
    rows = np.arange(len(origins))
    changed = ratios[rows, best] > THRESHOLD
    width = np.where(changed, best, len(WINDOWS_S) - 1)
    young = origins < FIRST_S
    usual = (sums[ends] - sums[lead]) / np.maximum(origins, 1)  # of a history so short: all of it
    return Surprises(
        changed=changed,
        level_rps=np.where(young, usual, _level(after, width)),
        before_rps=np.where(young, usual, before[rows, width]),
        since_s=np.where(changed, _WIDTHS[width], 0),
    )


def _means(sums: Array, ends: Seconds) -> tuple[Array, Array]:
    """(origins, windows): of each window, and of the minute before it."""
    starts = ends[:, None] - _WIDTHS
    after = (sums[ends][:, None] - sums[starts]) / _WIDTHS
    before = (sums[starts] - sums[starts - BEFORE_S]) / BEFORE_S
    return np.maximum(after, 0.0), np.maximum(before, 0.0)


def _ratios(after: Array, before: Array, widths: Seconds) -> Array:
    """The log-likelihood ratio of two rates to one, for Poisson counts."""
    both = (widths * after + BEFORE_S * before) / (widths + BEFORE_S)
    two = widths * _x_log_x(after) + BEFORE_S * _x_log_x(before)
    ratio: Array = two - (widths + BEFORE_S) * _x_log_x(both)
    return ratio


def _x_log_x(x: Array) -> Array:
    y: Array = x * np.log(np.maximum(x, 1e-12))
    return y


def _dispersion(known: Rates, sums: Array, ends: Seconds) -> Array:
    """(origins,) the variance of seconds over that of Poisson counts, at least 1."""
    squares = np.concatenate(([0.0, 0.0], np.cumsum(np.diff(known) ** 2)))
    starts = ends - NOISE_S
    mean = np.maximum(sums[ends] - sums[starts], 1e-9)
    steps = squares[ends] - squares[starts]
    jump = (known[ends - 1] - known[ends - 2]) ** 2  # the surprise itself is not noise
    ratio: Array = np.maximum(np.maximum(steps - jump, 0.0) / 2 / mean, 1.0)
    return ratio


def _level(after: Array, width: Seconds) -> Array:
    """The mean since the change, or over a shorter time that contradicts it: it still rises."""
    rows = np.arange(len(after))
    level = after[rows, width]
    for index in range(len(WINDOWS_S) - 2, -1, -1):
        shorter = after[:, index]
        gap = WINDOWS_S[index] * (_x_log_x(shorter) - _x_log_x(level))
        gap -= WINDOWS_S[index] * (shorter - level) * (1 + np.log(np.maximum(level, 1e-12)))
        level = np.where((index < width) & (gap > CONTRADICTION), shorter, level)
    return level
