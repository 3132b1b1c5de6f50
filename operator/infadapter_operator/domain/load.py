"""
The measured load, the outcome of the requests, and the ways in which a measurement may be missing.

No data is not zero: a history always holds fresh, finite, non-negative samples. Everything else is
a named error, which becomes the reason of a condition and the label of a counter.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise, takewhile
from typing import ClassVar, NamedTuple

SPACING_SAMPLES = 60
"""Number of steps from which the usual distance of samples is estimated."""

LONGEST_GAP_S, STEPS_IN_A_GAP = 6.0, 3.0
"""
A longer silence, or one of more than this many usual steps, is a gap; one or two missed scrapes are
not.
"""


class LoadError(Exception):
    """No fresh data to decide on; the last plan is held."""

    reason: ClassVar[str] = "LoadError"


class NoData(LoadError):
    """Prometheus has no such series, or no sample of it."""

    reason = "NoData"


class StaleData(LoadError):
    reason = "StaleData"


class InvalidData(LoadError):
    """A sample is NaN, infinite, negative or not a number."""

    reason = "InvalidData"


class PartialData(LoadError):
    """None of the serving pods that were counted before is counted any more."""

    reason = "PartialData"


class QueryFailed(LoadError):
    """No answer, an error, a timeout, or an unreadable answer."""

    reason = "QueryFailed"


class QueryRefused(QueryFailed):
    """Prometheus rejects the query: it is not PromQL, or too expensive."""

    reason = "QueryRefused"


class Sample(NamedTuple):
    at_s: float
    rps: float


class Delivered(NamedTuple):
    """
    The requests sent to a pod and those it missed (refused or answered late), in rps, and the mean
    accuracy of its answers if the pod has operating points.
    """

    arrived_rps: float
    missed_rps: float
    over_s: float  # length of the averaging window, which ends now
    accuracy: float | None = None  # None: the variant's accuracy

    @classmethod
    def counted(
        cls, arrived: float, missed: float, over_s: float, accuracy: float | None
    ) -> "Delivered":
        """
        Return the rates from counts. Late requests may have arrived before the window, so misses
        are limited to the arrivals.
        """
        return cls(arrived / over_s, min(arrived, missed) / over_s, over_s, accuracy)

    @property
    def answered_rps(self) -> float:
        """Requests answered in time, rps."""
        return self.arrived_rps - self.missed_rps


@dataclass(frozen=True, slots=True)
class History:
    """Samples in order of time, at least one, the last of them fresh."""

    samples: tuple[Sample, ...]

    @property
    def step_s(self) -> float:
        """The usual distance of the latest samples, s; 0 for a single sample."""
        latest = list(islice(self._steps_back_s(), SPACING_SAMPLES))
        return statistics.median(latest) if latest else 0.0

    def is_unbroken_for(self, window_s: float) -> bool:
        """
        Whether the samples cover the window without a gap: in a gap the load may have been higher.
        """
        longest_s = max(LONGEST_GAP_S, STEPS_IN_A_GAP * self.step_s)
        steps_s = takewhile(lambda step_s: step_s <= longest_s, self._steps_back_s())
        return window_s <= 0 or any(back_s >= window_s for back_s in accumulate(steps_s))

    def _steps_back_s(self) -> Iterator[float]:
        """Yield the distances of neighbouring samples, s, from the latest to the oldest."""
        return (later.at_s - sample.at_s for later, sample in pairwise(reversed(self.samples)))
