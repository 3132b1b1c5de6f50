"""
The load that was measured, and the ways in which there may be no measurement.

No data is not zero: a history always holds fresh, finite, non-negative samples, and everything else
is an error with a name of its own, which becomes a condition's reason and a counter's label.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple


class DemandError(Exception):
    """There is nothing fresh to decide on; the last plan stands."""

    reason: ClassVar[str] = "DemandError"


class NoData(DemandError):
    """Prometheus knows no such series, or the answer has no sample."""

    reason = "NoData"


class StaleData(DemandError):
    reason = "StaleData"


class InvalidData(DemandError):
    """NaN, infinite, negative, or not a number."""

    reason = "InvalidData"


class QueryFailed(DemandError):
    """No answer, an error, a time-out, or an answer that can't be read."""

    reason = "QueryFailed"


class Sample(NamedTuple):
    at_s: float
    rps: float


@dataclass(frozen=True, slots=True)
class History:
    """Samples in order of time, at least one, the last of them fresh."""

    samples: tuple[Sample, ...]

    @property
    def span_s(self) -> float:
        return self.samples[-1].at_s - self.samples[0].at_s

    def since(self, at_s: float) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.at_s >= at_s)
