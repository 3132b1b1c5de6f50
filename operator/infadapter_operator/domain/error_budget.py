"""
The error budget of a service: how much is left of the share of requests that may miss the SLO, 1 −
percentile. It is measured over a window, so that a single late request does not matter.
"""

from dataclasses import dataclass
from typing import NamedTuple

WINDOW_S = 3_600.0
"""Seconds over which the SLO's percentile must be met."""

FADING = 0.5
"""Share of the window over which the pressure of a burnt budget fades after its cause has ended."""


class Answers(NamedTuple):
    """
    The outcome of the requests of one interval: `late` answers came after the SLO, `refused` are
    429 and 503, `failed` are all others without a 2xx answer.
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
    """
    Return the answers from separate counters, whose sum may slightly exceed what was answered.
    """
    in_time = max(0.0, answered - late - refused - failed)
    return Answers(at_s, over_s, in_time, late, refused, failed)


class PlannedRate(NamedTuple):
    """The capacity of the plan in force from `since_s` on."""

    since_s: float
    rps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBudget:
    """
    The error budget at one moment. Neutral, with all fields None, with less than a window of data.
    """

    left: float | None = None  # 1: untouched, 0: spent, negative: overspent
    pressure: float = 0.0  # 0: plan as economically as usual, 1: risk no miss
    at_s: float | None = None  # when it was measured
    plans: tuple[PlannedRate, ...] = ()  # of the measured time, oldest first
