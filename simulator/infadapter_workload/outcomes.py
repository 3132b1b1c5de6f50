"""
The outcome of each request, and sums over a run.

Latency counts from the moment a request was *due*. Counting from when it was sent would hide delays
of the generator itself. The generator's lateness is reported as well, so that a run limited by its
generator can be recognised.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NO_ANSWER = 0  # the code of a request without an answer
TIMED_OUT = "timed out"
STOPPED = "stopped, since too many were unanswered"
GIVEN_UP = frozenset(
    (TIMED_OUT, STOPPED)
)  # errors decided by the generator: an answer might still have come


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One request; times in seconds from the start of its run."""

    scheduled_s: float
    sent_s: float  # when the generator sent it, or began to wait for a free connection
    done_s: float  # last byte of the answer, or when it was given up
    code: int  # HTTP status, or NO_ANSWER
    variant: str | None = None  # header infadapter-variant of the answer
    error: str | None = None  # why there is no answer
    point: str | None = None  # the operating point that answered, of a server that has several

    @property
    def latency_s(self) -> float:
        return self.done_s - self.scheduled_s

    @property
    def send_late_s(self) -> float:
        return self.sent_s - self.scheduled_s

    @property
    def answered(self) -> bool:
        return 200 <= self.code < 300

    @property
    def refused(self) -> bool:
        return self.code in (429, 503)

    def in_time(self, slo_s: float | None) -> bool:
        """Whether it was answered within the SLO; without an SLO any answer is."""
        return self.answered and (slo_s is None or self.latency_s <= slo_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    Sums over the requests that arrived; ok + late + refused + failed = arrived. A number that needs
    a request or an answer is None without one.
    """

    arrived: int
    ok: int  # 2xx within the SLO (any 2xx when there is none)
    late: int  # 2xx after the SLO
    refused: int  # 429 or 503
    failed: int  # everything else, and unanswered
    p50_ms: float | None  # latency of the 2xx
    p99_ms: float | None
    send_late_p50_ms: float | None  # the generator's own lateness
    send_late_p99_ms: float | None
    achieved_rps: float | None  # requests sent per second, to compare with the wanted rate
    by_variant: Mapping[str, int]  # 2xx answers
    errors: Mapping[str, int]  # reasons of what failed


def summarise(
    outcomes: Sequence[Outcome], *, slo_s: float | None = None, duration_s: float | None = None
) -> Summary:
    """
    Return the summary of a run. Without `duration_s`, its planned length, the time of the last
    request is used.
    """
    answered = [outcome for outcome in outcomes if outcome.answered]
    in_time = sum(outcome.in_time(slo_s) for outcome in answered)
    refused = sum(outcome.refused for outcome in outcomes)
    latency_ms = [outcome.latency_s * 1e3 for outcome in answered]
    send_late_ms = [outcome.send_late_s * 1e3 for outcome in outcomes]
    span_s = max((outcome.sent_s for outcome in outcomes), default=0.0)
    span_s = max(span_s, duration_s or 0.0)
    return Summary(
        arrived=len(outcomes),
        ok=in_time,
        late=len(answered) - in_time,
        refused=refused,
        failed=len(outcomes) - len(answered) - refused,
        p50_ms=percentile(latency_ms, 50),
        p99_ms=percentile(latency_ms, 99),
        send_late_p50_ms=percentile(send_late_ms, 50),
        send_late_p99_ms=percentile(send_late_ms, 99),
        achieved_rps=len(outcomes) / span_s if span_s > 0 else None,
        by_variant=Counter(outcome.variant for outcome in answered if outcome.variant),
        errors=_count(_reason, outcomes),
    )


def accuracy_in_time(
    outcomes: Iterable[Outcome], accuracy: Mapping[str, float], slo_s: float
) -> float:
    """Return the sum of the accuracies, by operating point or variant, of answers in time."""
    return sum(accuracy_of(o, accuracy) for o in outcomes if o.in_time(slo_s))


def accuracy_of(outcome: Outcome, accuracy: Mapping[str, float]) -> float:
    """
    Return the accuracy of the operating point that answered, or of the variant without points.
    """
    return accuracy.get(outcome.point or outcome.variant or "", 0.0)


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that at least `percent` % of the values do not exceed."""
    if not values:
        return None
    return float(np.percentile(values, percent, method="inverted_cdf"))


def _reason(outcome: Outcome) -> str | None:
    if outcome.answered or outcome.refused:
        return None
    return outcome.error or f"HTTP {outcome.code}"


def _count(name: Callable[[Outcome], str | None], outcomes: Iterable[Outcome]) -> Mapping[str, int]:
    names = (name(outcome) for outcome in outcomes)
    return Counter(found for found in names if found is not None)
