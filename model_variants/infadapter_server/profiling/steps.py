"""
A step of the search: a request to the bench, and the few numbers that result.

These are small values without behaviour, so that journal.py can write and read them.
"""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from infadapter_workload.outcomes import GIVEN_UP, Outcome, percentile

LATE_SHARE = 0.1
"""
Largest lateness of the generator, as a share of the SLO. Latency counts from when a request was
due, so it is overestimated by at most this much.
"""
PARTS = 2
"""Parts of a window in each of which the machine's speed is measured."""
_LEAST_ALONE = 3  # requests: of fewer a pause of the machine would decide
_TAIL = 10
_FAILED = 0.01
_FULL = 128
_FULL_SLOS = 5.0  # of waiting: whatever comes now is late anyhow
_FULL_S = 0.5  # of work: fast servers have more waiting after a pause of the machine


class SearchError(Exception):
    """No capacity can be stated; the message is one sentence."""


class Disturbed(SearchError):
    """The measurement was determined by something other than the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The goal of a capacity: at most `epsilon` of the requests refused, late or failed."""

    slo_s: float
    percentile: float
    epsilon: float

    def __post_init__(self) -> None:
        """
        Check that epsilon is no more than the percentile allows: a refused request misses the SLO,
        too.
        """
        if not 0 < self.epsilon <= 1 - self.percentile / 100 + 1e-9:
            raise ValueError(
                f"epsilon must be above 0 and at most {1 - self.percentile / 100:.4g}, which is "
                f"what percentile {self.percentile:g} leaves: a refused request is not in time"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Poisson arrivals at one rate for some seconds, of which the first do not count."""

    goal: Goal
    rate_rps: float
    seconds: float
    warm_up_s: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The results of a step without its warm-up."""

    sent: int
    missed: int  # refused, later than the SLO, or failed
    refused: int
    failed: int  # an error was answered, or the connection broke
    unanswered: int  # refused, failed or given up: later than any SLO
    tail: tuple[float, ...]  # the longest latencies in SLOs, falling; all that a percentile needs
    late_p99_s: float  # by which the generator itself was late
    alone_s: tuple[float | None, ...] = ()  # in each part, the median of what met no other
    spoilt: str | None = None  # why this says nothing of the server, in a sentence


class Bench(Protocol):
    """Executes steps: on a real server, or in virtual time."""

    async def take(self, step: Step) -> Seen: ...


def seen(outcomes: Sequence[Outcome], step: Step, spoilt: str | None = None) -> Seen:
    """
    Summarise the outcomes. A generator that was late spoils the step, since it measured itself.
    """
    counted = [o for o in outcomes if o.scheduled_s >= step.warm_up_s]
    counted = counted or list(outcomes)  # stopped within the warm-up: hopelessly overloaded
    slo_s = step.goal.slo_s
    waited = sorted((o.latency_s / slo_s for o in counted if o.answered), reverse=True)
    late_p99_s = percentile([o.send_late_s for o in counted], 99) or 0.0
    return Seen(
        sent=len(counted),
        missed=sum(not o.in_time(slo_s) for o in counted),
        refused=sum(o.refused for o in counted),
        failed=sum(o.error not in GIVEN_UP and not (o.answered or o.refused) for o in counted),
        unanswered=len(counted) - len(waited),
        tail=tuple(round(each, 4) for each in waited[: tail_length(len(counted), step.goal)]),
        late_p99_s=late_p99_s,
        alone_s=in_parts(_alone(outcomes), step),
        spoilt=spoilt or _generator(late_p99_s, slo_s),
    )


def _alone(outcomes: Sequence[Outcome]) -> Iterator[tuple[float, float]]:
    """Yield due time and latency of answers whose requests shared the server with none of ours."""
    free_s = 0.0
    for outcome in sorted(outcomes, key=lambda each: each.sent_s):
        if outcome.answered and outcome.sent_s >= free_s:
            yield outcome.scheduled_s, outcome.done_s - outcome.sent_s
        free_s = max(free_s, outcome.done_s)


def in_parts(alone: Iterable[tuple[float, float]], step: Step) -> tuple[float | None, ...]:
    """
    Return the median latency in each part of a step after its warm-up, which shows the machine's
    speed.
    """
    part_s = (step.seconds - step.warm_up_s) / PARTS
    took_s: list[list[float]] = [[] for _ in range(PARTS)]
    for at_s, answer_s in alone:
        if at_s >= step.warm_up_s:
            took_s[min(int((at_s - step.warm_up_s) / part_s), PARTS - 1)].append(answer_s)
    return tuple(
        round(statistics.median(each), 7) if len(each) >= _LEAST_ALONE else None for each in took_s
    )


def _generator(late_p99_s: float, slo_s: float) -> str | None:
    if late_p99_s <= LATE_SHARE * slo_s:
        return None
    return (
        f"the generator was the bottleneck: it sent up to {1e3 * late_p99_s:.3g} ms late (p99), "
        f"more than {LATE_SHARE:.0%} of the SLO"
    )


def failing(seen: Seen) -> bool:
    """Whether the server fails, as opposed to being slow."""
    return seen.failed > max(1, _FAILED * seen.sent)


def tail_length(requests: int, goal: Goal) -> int:
    """
    Return the number of latencies to keep, ten times the allowed misses: what rates from half to
    twice the capacity need.
    """
    return math.ceil(_TAIL * goal.epsilon * requests)


def backlog(rate_rps: float, slo_s: float, saturation_rps: float) -> int:
    """Return the number of unanswered requests at which the server is hopelessly behind."""
    full = max(_FULL, _FULL_SLOS * slo_s * rate_rps, _FULL_S * saturation_rps)
    return math.ceil(full)
