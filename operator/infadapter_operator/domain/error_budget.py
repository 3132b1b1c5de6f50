"""
The error budget of a service: of the share of requests that may miss the SLO, 1 − percentile, what
is left. It is measured over a window, so that one request that was late is nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

WINDOW_S = 3_600.0
"""Over this long the SLO's percentile must be met."""

FADING = 0.5
"""Of the window: over so long what a burnt budget asks for fades, once it is asked for no more."""


class Answers(NamedTuple):
    """
    What became of the requests of one interval: `late` are answers after the SLO, `refused` those
    with 429 or 503, `failed` is everything else that no 2xx answered.
    """

    at_s: float  # the interval's end, …
    over_s: float  # … and its length
    in_time: float
    late: float
    refused: float
    failed: float

    @property
    def arrived(self) -> float:
        return self.in_time + self.late + self.refused + self.failed


def answers_told(
    at_s: float, over_s: float, *, answered: float, late: float, refused: float, failed: float
) -> Answers:
    """What several counters tell may be a little more than was answered."""
    in_time = max(0.0, answered - late - refused - failed)
    return Answers(at_s, over_s, in_time, late, refused, failed)


class PlannedRate(NamedTuple):
    """What the plans serve that are in force from then on."""

    since_s: float
    rps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """Neutral, with all None, while there is less than a window of data."""

    left: float | None = None  # 1: untouched, 0: spent, less: overspent
    pressure: float = 0.0  # 0: as economical as ever, 1: no misses may be risked
    at_s: float | None = None  # when it was measured
    plans: tuple[PlannedRate, ...] = ()  # of the time that is measured, the oldest first
