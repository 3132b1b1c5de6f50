"""What each operating point takes at each utilisation, and how busy the machine is now.

Utilisation is a level: the number of co-runners that were there when the row was measured. Between
two looks nobody says that a co-runner came, so the level is told from what answers took: their time
over that of their point alone, quick to rise and slow to fall.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infadapter_profiles.isotonic import isotonic

RISE, FALL = 0.7, 0.15
"""How far an estimate moves towards what was just seen."""

SLICE_S = 0.004
"""What a scheduler lets run at a stretch: a shorter answer may see nothing of a co-runner, so it
lowers the estimate by so much less."""

TOLERANCE = 1.2
"""Slower by less is noise."""


class UnmeasuredUtilisation(LookupError):
    """No row of the profile is of this level; the message names those that are."""


@dataclass(frozen=True, slots=True)
class LatencyProfile:
    """By level, for each point from the cheapest on: `seconds`, a high percentile, which is what
    may be promised, and `typical_s`, the median, which is what slowness is told from."""

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
        """Rising with the point and with the level: what measured otherwise is noise."""
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
    """How many times longer than alone answers take now."""

    __slots__ = ("slowdown",)

    def __init__(self) -> None:
        self.slowdown = 1.0

    def took(self, seconds: float, alone_s: float) -> None:
        """`alone_s`: the median without co-runners, of the point that answered."""
        seen = max(1.0, seconds / alone_s)
        pull = RISE if seen > self.slowdown else FALL * min(1.0, alone_s / SLICE_S)
        self.slowdown += pull * (seen - self.slowdown)

    def level(self, profile: LatencyProfile) -> int:
        """The least level that slows the dearest point as much; the highest where none does."""
        levels = sorted(profile.typical_s)
        alone_s = profile.typical_s[levels[0]][-1]
        for level in levels:
            if TOLERANCE * profile.typical_s[level][-1] / alone_s >= self.slowdown:
                return level
        return levels[-1]
