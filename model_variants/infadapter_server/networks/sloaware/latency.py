"""Latency of each operating point by utilisation, and an estimate of the current utilisation.

Utilisation is a level: the number of co-runners while a profile row was measured. Nothing announces
a new co-runner, so the level is estimated from the ratio of each answer's time to that of its point
without co-runners. The estimate rises quickly and falls slowly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infadapter_profiles.isotonic import isotonic

RISE, FALL = 0.7, 0.15
"""Smoothing weights of a new observation, above and below the estimate."""

SLICE_S = 0.004
"""Time slice of the OS scheduler. An answer that takes less may not meet a co-runner, so it lowers
the estimate in proportion less."""

TOLERANCE = 1.2
"""Ratio of slowdowns below which a difference is noise."""


class UnmeasuredUtilisation(LookupError):
    """The profile has no row of this level; the message lists its levels."""


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """Latencies by level, for each point by rising cost: `seconds`, a high percentile, for
    admission, and `typical_s`, the median, for estimating the slowdown."""

    points: tuple[str, ...]
    seconds: Mapping[int, tuple[float, ...]]
    typical_s: Mapping[int, tuple[float, ...]]

    @classmethod
    def of(
        cls,
        points: Sequence[str],
        high_s: Mapping[int, Sequence[float]],
        typical_s: Mapping[int, Sequence[float]],
    ) -> "LatencyProfile":
        """Make latencies non-decreasing in point and level: violations are noise."""
        rows = (_rising(points, high_s), _rising(points, typical_s))
        return cls(tuple(points), *rows)

    def at(self, level: int) -> tuple[float, ...]:
        """Raises UnmeasuredUtilisation."""
        try:
            return self.seconds[level]
        except KeyError:
            there = ", ".join(map(str, sorted(self.seconds)))
            raise UnmeasuredUtilisation(
                f"Utilisation {level} was not measured, only {there}: profile the network beside "
                f"{level} co-runners."
            ) from None


def _rising(
    points: Sequence[str], measured_s: Mapping[int, Sequence[float]]
) -> dict[int, tuple[float, ...]]:
    rows: dict[int, tuple[float, ...]] = {}
    below = (0.0,) * len(points)
    for level in sorted(measured_s):
        if len(measured_s[level]) != len(points):
            raise ValueError(
                f"the profile at utilisation {level} has {len(measured_s[level])} times for "
                f"{len(points)} points: measure it again"
            )
        below = rows[level] = tuple(map(max, isotonic(measured_s[level]), below))
    return rows


class Utilisation:
    """Running estimate of the current slowdown against a machine without co-runners."""

    __slots__ = ("slowdown",)

    def __init__(self) -> None:
        self.slowdown = 1.0

    def took(self, seconds: float, alone_s: float) -> None:
        """`alone_s`: the median without co-runners, of the point that answered."""
        seen = max(1.0, seconds / alone_s)
        pull = RISE if seen > self.slowdown else FALL * min(1.0, alone_s / SLICE_S)
        self.slowdown += pull * (seen - self.slowdown)

    def level(self, profile: LatencyProfile) -> int:
        """Return the lowest level whose slowdown of the costliest point covers the estimate.

        If none does, return the highest level.
        """
        levels = sorted(profile.typical_s)
        alone_s = profile.typical_s[levels[0]][-1]
        for level in levels:
            if TOLERANCE * profile.typical_s[level][-1] / alone_s >= self.slowdown:
                return level
        return levels[-1]
