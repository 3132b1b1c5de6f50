"""
Derive a profile from outcomes. Pure: no server, no clock.

A profile says how the latency percentiles of one pod size grow with the rate. Units are seconds or
milliseconds and requests per second, as the names say.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from infadapter_profiles.profile import Point, Profile, ProfiledAllocation
from infadapter_workload.outcomes import GIVEN_UP, Outcome, percentile

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)  # of saturation; closest where the curve bends
ENOUGH = 100  # requests at a rate: what p99 takes
_WAITING = 32  # requests: at 0.95 of saturation, one look in thirty finds more in M/D/1
_SETTLING = 1 / 6  # of a flood, until all clients wait in the queue
_WINDOWS = 5
_PER_WINDOW = 20  # answers; with fewer, the edges of a window decide its rate


def saturation_rps(outcomes: Sequence[Outcome], duration_s: float) -> float:
    """
    Return the 2xx answers per second of a flood: the median of up to five windows, since one window
    may contain a pause of the machine. 0 without answers.
    """
    begin_s = duration_s * _SETTLING
    done_s = [o.done_s for o in outcomes if o.answered and begin_s <= o.done_s < duration_s]
    windows = max(1, min(_WINDOWS, len(done_s) // _PER_WINDOW))
    length_s = (duration_s - begin_s) / windows
    counts = [0] * windows
    for moment_s in done_s:
        counts[min(windows - 1, int((moment_s - begin_s) / length_s))] += 1
    return statistics.median(counts) / length_s


def kept_up(outcomes: Sequence[Outcome]) -> bool:
    """
    Return whether the server kept up with the rate, rather than its queue growing meanwhile. It did
    not if requests were given up, or if too many were still waiting when the last one arrived.
    """
    given_up = sum(outcome.error in GIVEN_UP for outcome in outcomes)
    last_s = max((outcome.scheduled_s for outcome in outcomes), default=0.0)
    waiting = sum(outcome.done_s > last_s for outcome in outcomes)
    return given_up <= 0.01 * len(outcomes) and waiting <= max(_WAITING, 0.05 * len(outcomes))


def point_of(outcomes: Sequence[Outcome], duration_s: float) -> Point | None:
    """
    Return the latency percentiles at one rate, or None if fewer than two requests were served.

    Refused requests count in a ratio of their own. Unanswered requests count with the time they
    were waited for: leaving them out would make an overloaded server look fast.
    """
    waited_ms = [o.latency_s * 1e3 for o in outcomes if not o.refused]
    if len(waited_ms) < 2:
        return None
    latency_s = {
        percent: _rounded(percentile(waited_ms, percent)) / 1000
        for percent in PERCENTILES
        if len(waited_ms) >= requests_needed(percent)
    }
    refused = sum(outcome.refused for outcome in outcomes)
    return Point(
        rps=len(outcomes) / duration_s,
        latency_s=latency_s,
        refused_ratio=refused / len(outcomes),
    )


def requests_needed(percent: float) -> int:
    """Return the number of requests of which one lies beyond the percentile: 100 for p99."""
    return math.ceil(round(100 / (100 - percent), 6))


def plan_rates(
    saturation: float, seconds: float, fractions: Sequence[float] = FRACTIONS
) -> tuple[tuple[float, float], ...]:
    """Return (rate, seconds) pairs, ascending in rate, that fill the time.

    Half of the time is shared evenly, since a long queue takes long to show; half so that all
    rates see equally many requests. While some rate would see too few for a 99th percentile, the
    lowest and the highest are left out in turn: the one takes the longest, the other needs the
    longest to settle. At least two stay.
    """
    kept = sorted(fractions)
    end = 0
    while len(kept) > 2 and _fewest_requests(saturation, seconds, kept) < ENOUGH:
        kept.pop(end)
        end = -1 - end
    times = _times(seconds, kept)
    return tuple((f * saturation, time_s) for f, time_s in zip(kept, times, strict=True))


def with_allocation(profile: Profile, measured: ProfiledAllocation) -> Profile:
    """Return the profile with this row added, or replacing that of its size and operating point."""
    others = [a for a in profile.allocations if not same_row(a, measured)]
    return replace(profile, allocations=(*others, measured))


def same_row(one: ProfiledAllocation, other: ProfiledAllocation) -> bool:
    return (one.size, one.operating_point) == (other.size, other.operating_point)


def _fewest_requests(saturation: float, seconds: float, fractions: Sequence[float]) -> float:
    times = _times(seconds, fractions)
    return min(f * saturation * time_s for f, time_s in zip(fractions, times, strict=True))


def _times(seconds: float, fractions: Sequence[float]) -> list[float]:
    inverse = [1 / fraction for fraction in fractions]
    even = 0.5 / len(fractions)
    return [seconds * (even + 0.5 * share / sum(inverse)) for share in inverse]


def _rounded(milliseconds: float | None) -> float:
    """Round to 0.01 ms, and to no less than that, since the API allows no latency of 0."""
    assert milliseconds is not None
    return max(0.01, round(milliseconds, 2))
