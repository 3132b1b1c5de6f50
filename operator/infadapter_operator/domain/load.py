"""
The load that was measured, what became of it, and the ways in which there may be no measurement.

No data is not zero: a history always holds fresh, finite, non-negative samples, and everything else
is an error with a name of its own, which becomes a condition's reason and a counter's label.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise, takewhile
from typing import ClassVar, NamedTuple

SPACING_SAMPLES = 60
"""So many steps say how far samples usually are apart."""

LONGEST_GAP_S, STEPS_IN_A_GAP = 6.0, 3.0
"""A scrape or two may be missed; a longer silence is a gap."""


class LoadError(Exception):
    """There is nothing fresh to decide on; the last plan stands."""

    reason: ClassVar[str] = "LoadError"


class NoData(LoadError):
    """Prometheus knows no such series, or the answer has no sample."""

    reason = "NoData"


class StaleData(LoadError):
    reason = "StaleData"


class InvalidData(LoadError):
    """NaN, infinite, negative, or not a number."""

    reason = "InvalidData"


class PartialData(LoadError):
    """Of the pods that serve, and were counted, none is counted any more."""

    reason = "PartialData"


class QueryFailed(LoadError):
    """No answer, an error, a time-out, or an answer that can't be read."""

    reason = "QueryFailed"


class QueryRefused(QueryFailed):
    """The answer is that this is no question: not PromQL, or too much of it."""

    reason = "QueryRefused"


class Sample(NamedTuple):
    at_s: float
    rps: float


class Delivered(NamedTuple):
    """
    What was sent to a pod, and how much of that it missed: refused, or answered too late. Both in
    requests per second. And, of a pod with operating points, how accurate those were that answered.
    """

    arrived_rps: float
    missed_rps: float
    over_s: float  # the time until now that these are means over
    accuracy: float | None = None  # None: that of its variant

    @classmethod
    def counted(
        cls, arrived: float, missed: float, over_s: float, accuracy: float | None
    ) -> "Delivered":
        """What is late arrived earlier, perhaps before that time: at most all is missed."""
        return cls(arrived / over_s, min(arrived, missed) / over_s, over_s, accuracy)

    @property
    def answered_rps(self) -> float:
        """In time."""
        return self.arrived_rps - self.missed_rps


@dataclass(frozen=True, slots=True)
class History:
    """Samples in order of time, at least one, the last of them fresh."""

    samples: tuple[Sample, ...]

    @property
    def step_s(self) -> float:
        """Between samples, usually; 0 of a single one. The latest tell."""
        latest = list(islice(self._steps_back_s(), SPACING_SAMPLES))
        return statistics.median(latest) if latest else 0.0

    def is_unbroken_for(self, window_s: float) -> bool:
        """Whether it goes back so far without a gap: what was not seen may have been more."""
        longest_s = max(LONGEST_GAP_S, STEPS_IN_A_GAP * self.step_s)
        steps_s = takewhile(lambda step_s: step_s <= longest_s, self._steps_back_s())
        return window_s <= 0 or any(back_s >= window_s for back_s in accumulate(steps_s))

    def _steps_back_s(self) -> Iterator[float]:
        """From the latest to the oldest."""
        return (later.at_s - sample.at_s for later, sample in pairwise(reversed(self.samples)))
