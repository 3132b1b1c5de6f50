"""
The interface of operating point policies: with which accuracy the next batch is served, and how
many of it.

The scheduler asks when an executor is free for a batch, so the choice is made as late as possible.
Admission has promised each member an answer by its deadline at the fastest allowed point; a choice
that would break this for any request is replaced by that point.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Timed(NamedTuple):
    """A point that may serve a batch, with its current estimates."""

    number: int  # in the model's order, from the least accurate to the most
    name: str
    accuracy: float
    seconds: Mapping[int, float]  # by batch size


class Situation(NamedTuple):
    """A batch, and the executor that is free for it."""

    now_s: float
    model: str
    points: Sequence[Timed]  # the least accurate first; another object when estimates moved
    waiting: int  # requests of the batch
    size: int  # how many of them the fastest point would serve next
    slack_s: float  # until the earliest deadline among them, less the way back
    rate_rps: float  # that each executor has to serve, were all arrivals alike
    patience_s: float  # for which whoever comes next can wait for an executor
    behind_s: float  # the work of other batches that are planned here, by their fastest points
    longest_s: Callable[[int], float]  # may a batch of so many take, before anybody is late
    waited: float = 1.0  # of this execution, by whoever comes next: less where executors share


class Choice(NamedTuple):
    """A point and a number of requests, a size for which the point was profiled."""

    number: int
    size: int


class PointPolicy(Protocol):
    """
    Called once for each batch of a model with points. It may remember its choices; `ran` reports
    after each batch what was run, which may be another point.
    """

    def choose(self, situation: Situation) -> Choice: ...

    def ran(self, situation: Situation, choice: Choice) -> None: ...
