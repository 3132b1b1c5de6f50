"""
From samples to rates: the one place that says over how long a rate is a mean.

Capacities were measured under Poisson arrivals, so the noise of single seconds is in them already.
Planning for the highest second would count it twice; means over a few seconds do not.
"""

import math
from collections.abc import Iterable, Sequence

from infadapter_operator.demand import Sample

BUCKET_S = 5.0
"""The shortest time over which a rate is a mean, for planning."""

WINDOWS_S = (30.0, 10.0, 5.0, 3.0, 2.0, 1.0)
"""The rate of now is the mean over the first of these that the shorter ones do not contradict."""

SURPRISE_SIGMAS = 3.5
"""
How far a shorter mean must be off, in standard deviations of Poisson arrivals, to be a change and
not noise: at 3.5, a steady load of 20 rps is misread once in some 20 minutes of looks, and a jump
from 20 to 60 rps is believed after its first second.
"""


def bucketed(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """
    Means over whole buckets, each at its end; buckets without samples are left out.

    A sample stands for the time that ends with it. Buckets lie on multiples of their length, so
    that two looks at the same time see the same ones; the unfinished last one is left out.
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


def highest_rps(samples: Sequence[Sample], since_s: float) -> float:
    """The highest bucket since then; of a history too short for one, the mean."""
    recent = [sample for sample in samples if sample.at_s > since_s]
    buckets = bucketed(recent)
    if not buckets:
        return mean_rps(recent or samples[-1:])
    return max(bucket.rps for bucket in buckets)


def rate_now_rps(samples: Sequence[Sample]) -> float:
    """
    The rate at the end of the samples: as steady as the load, as quick as its jumps.

    The mean over the longest window, unless a shorter one says otherwise by more than its noise.
    """
    end_s = samples[-1].at_s
    rate = mean_rps(_last(samples, end_s - WINDOWS_S[0]))
    for window_s in WINDOWS_S[1:]:
        recent = _last(samples, end_s - window_s)
        shorter = mean_rps(recent)
        if abs(shorter - rate) > SURPRISE_SIGMAS * noise_rps(max(shorter, rate), window_s):
            rate = shorter
    return rate


def noise_rps(rate_rps: float, window_s: float) -> float:
    """The standard deviation of a mean over this long, of Poisson arrivals at this rate."""
    return math.sqrt(max(rate_rps, 0.0) / window_s)


def mean_rps(samples: Sequence[Sample]) -> float:
    return sum(sample.rps for sample in samples) / len(samples)


def _last(samples: Sequence[Sample], after_s: float) -> Sequence[Sample]:
    """At least the last sample, however far apart they are."""
    start = len(samples) - 1
    while start > 0 and samples[start - 1].at_s > after_s + 1e-9:
        start -= 1
    return samples[start:]
