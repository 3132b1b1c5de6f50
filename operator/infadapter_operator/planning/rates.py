"""
From samples to rates: the only place that defines over how long a rate is averaged.

Capacities were measured under Poisson arrivals, so they include the noise of single seconds.
Planning for the highest second would count that noise twice; means over a few seconds do not.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from infadapter_forecasting.noise import SURPRISE_SIGMAS, noise_rps
from infadapter_operator.domain.load import Sample
from infadapter_operator.planning.kept_columns import Floats, KeptColumns, columns_of

BUCKET_S = 5.0
"""Shortest time over which a rate is averaged for planning, s."""

WINDOWS_S = (30.0, 10.0, 5.0, 3.0, 2.0, 1.0, 0.5)
"""
Window lengths (s). The current rate is the mean over the first that the shorter ones do not
contradict.
"""

LONG_GAP_S = 60.0
"""Gap in the data, s, before which samples say little about now."""


def bucketed(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """
    Return means over whole buckets, each at its end; buckets without samples are left out.

    A sample stands for the time that ends with it. Buckets are aligned to multiples of their
    length, so that two cycles at the same time see the same ones; the unfinished last bucket is
    left out.
    """
    groups: dict[int, list[float]] = {}
    last_s = -math.inf
    for sample in samples:
        groups.setdefault(math.ceil(sample.at_s / BUCKET_S), []).append(sample.rps)
        last_s = max(last_s, sample.at_s)
    return tuple(
        Sample(index * BUCKET_S, sum(rates) / len(rates))
        for index, rates in sorted(groups.items())
        if index * BUCKET_S <= last_s
    )


def every_second(samples: Sequence[Sample], most_s: int) -> Floats:
    """
    Return the rate of each of the last seconds, back to the last gap of a minute or more.

    A sample stands for the time that ends with it. Finer samples are combined, and a second between
    coarser ones has the rate of the later sample.
    """
    at_s, rates = kept.of(samples)
    return _by_second(at_s, rates, most_s)


kept = KeptColumns()


def _by_second(at_s: Floats, rates: Floats, most_s: int) -> Floats:
    steps_s = np.diff(at_s)
    gaps = np.flatnonzero(steps_s >= LONG_GAP_S)
    first = int(gaps[-1]) + 1 if len(gaps) else 0
    at_s, rates = at_s[first:], rates[first:]
    if (steps_s[first:] == 1.0).all():
        return rates[-most_s:].copy()
    begin_s = at_s[0] - min(1.0, float(steps_s[first]) if len(at_s) > 1 else 1.0)
    edges_s = np.concatenate([[begin_s], at_s])
    counted = np.concatenate([[0.0], np.cumsum(rates * np.diff(edges_s))])
    seconds = min(max(1, round(at_s[-1] - begin_s)), most_s)
    wanted_s = at_s[-1] - np.arange(seconds + 1)[::-1]
    wanted_s[0] = max(wanted_s[0], begin_s)
    arrived = np.diff(np.interp(wanted_s, edges_s, counted))
    found: Floats = arrived / np.maximum(np.diff(wanted_s), 1e-9)
    return found


def latest_seconds(samples: Sequence[Sample], most_s: int) -> list[float]:
    """
    Return the same for a few samples as a list. Every cycle asks for it, and arrays of so few
    numbers take longer to build than to sum.
    """
    if all(later.at_s - sample.at_s == 1.0 for sample, later in pairwise(samples)):
        return [sample.rps for sample in samples[-most_s:]]
    at_s, rates = columns_of(samples)
    found: list[float] = _by_second(at_s, rates, most_s).tolist()
    return found


def highest_rps(samples: Sequence[Sample], since_s: float) -> float:
    """Return the highest bucket since `since_s`, or the mean of a history too short for one."""
    recent = [sample for sample in samples if sample.at_s > since_s]
    buckets = bucketed(recent)
    if not buckets:
        return mean_rps(recent or samples[-1:])
    return max(bucket.rps for bucket in buckets)


def rate_now_rps(samples: Sequence[Sample]) -> float:
    """
    Return the current rate: the mean over the longest window that no shorter window contradicts by
    more than its noise. It is as steady as the load and follows a jump at once.
    """
    end_s = samples[-1].at_s
    recent = _last(samples, end_s - WINDOWS_S[0])
    at_s, rates = [at_s for at_s, _ in recent], [rps for _, rps in recent]
    rate = sum(rates) / len(rates)
    for window_s in WINDOWS_S[1:]:
        latest = rates[min(bisect_right(at_s, end_s - window_s + 1e-9), len(rates) - 1) :]
        shorter = sum(latest) / len(latest)
        if abs(shorter - rate) > SURPRISE_SIGMAS * noise_rps(max(shorter, rate), window_s):
            rate = shorter
    return rate


RISING_MEANS = 3
"""
Number of consecutive means that must have risen, each by a good part of the largest rise, for a
rise to be extrapolated. A step is one rise, or two if it falls within a second.
"""

TREND_S, REACTION_S = 1.0, 3.0
"""
Means are over TREND_S, or over one sample if samples are farther apart. A decision takes effect
REACTION_S after the load that caused it: a scrape, a cycle, a resize.
"""

MIN_RISE_RATIO = 0.25
"""Smallest rise as a share of the largest: a ramp rises evenly."""

BASELINE_S = 10.0
"""
The load must also exceed its mean over this long (s) by more than noise, as there are many cycles.
"""

MAX_EXTRAPOLATION = 1.5
"""Upper limit of the extrapolation, as a multiple of the last mean."""


def rate_soon_rps(samples: Sequence[Sample], now_rps: float) -> float:
    """
    Return the current rate, or, during a rise, the rate at the time when a decision made now takes
    effect. A rise is detected from the last few seconds alone.
    """
    means = _latest_means(samples, RISING_MEANS + 1)
    rises = [later - earlier for earlier, later in pairwise(means)]
    if len(rises) < RISING_MEANS or min(rises) <= MIN_RISE_RATIO * max(rises):
        return now_rps
    risen = means[-1] - means[0]
    last = (means[-1] + means[-2]) / 2
    usual = mean_rps(_last(samples, samples[-1].at_s - BASELINE_S))
    surprising = last - usual > SURPRISE_SIGMAS * noise_rps(last, 2 * TREND_S)
    if not surprising or risen <= SURPRISE_SIGMAS * noise_rps(means[-1], TREND_S):
        return now_rps
    ahead = means[-1] + risen / RISING_MEANS * (0.5 + REACTION_S / TREND_S)
    return max(now_rps, min(ahead, MAX_EXTRAPOLATION * means[-1]))


def _latest_means(samples: Sequence[Sample], count: int) -> list[float]:
    """
    Return the latest means, oldest first: over TREND_S each, or single samples if they are farther
    apart.
    """
    end_s = samples[-1].at_s
    latest = samples[-count:]
    if len(latest) > 1 and (latest[-1].at_s - latest[0].at_s) / (len(latest) - 1) >= TREND_S - 0.01:
        return [sample.rps for sample in latest]
    edges_s = [end_s - back * TREND_S for back in range(count, -1, -1)]
    parts = [_between(samples, since_s, until_s) for since_s, until_s in pairwise(edges_s)]
    return [mean_rps(part) for part in parts if part]


def _between(samples: Sequence[Sample], after_s: float, until_s: float) -> Sequence[Sample]:
    first = bisect_right(samples, (after_s + 1e-9, math.inf))
    last = bisect_right(samples, (until_s + 1e-9, math.inf))
    return samples[first:last]


def mean_rps(samples: Sequence[Sample]) -> float:
    return sum([rps for _, rps in samples]) / len(samples)


def _last(samples: Sequence[Sample], after_s: float) -> Sequence[Sample]:
    """Return the samples after `after_s`, but at least the last one."""
    start = bisect_right(samples, (after_s + 1e-9, math.inf))
    return samples[min(start, len(samples) - 1) :]
