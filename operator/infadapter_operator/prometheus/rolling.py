"""
A rolling buffer of a query's samples: each cycle queries what is new and gets the whole window.

The buffer equals what a fresh query of the whole window would return, or with several replicas the
answer of the one that knows most. Prometheus ingests scrapes slightly late, so the latest values
may still change: they are queried again in every cycle, and the whole window every few minutes.
After a gap in the answers the query starts where they ended.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, TypeVar

from infadapter_operator.prometheus.replicas import Timed, beside

LATE_SAMPLES_S = 60
"""Seconds for which a value may still change: a scrape's timeout, and the window of its rate."""

FULL_REFRESH_EVERY_S = 300
"""Seconds between queries of the whole window, which find even later changes."""


AT_S = attrgetter("at_s")

TimedT = TypeVar("TimedT", bound=Timed)
Ask = Callable[[int, int, int], Awaitable[tuple[TimedT, ...]]]
"""Called with start, end and step in seconds; returns the samples. Raises a LoadError."""

IsAPart = Callable[[Iterable[TimedT], Iterable[TimedT]], bool]
"""Whether an answer is only part of what was known for the same time."""


@dataclass(slots=True, kw_only=True)
class RollingSamples(Generic[TimedT]):
    """
    The buffer. Samples lie on whole multiples of `step_s`, so that queries at different times
    agree.
    """

    ask: Ask[TimedT]
    step_s: int
    gap_s: float = 0.0  # replicas that were silent for longer while others were not …
    settle_s: float = 0.0  # … are not trusted for this long afterwards
    is_a_part: IsAPart[TimedT] | None = None
    _samples: tuple[TimedT, ...] = ()
    _since_s: int | None = None  # what the samples cover, …
    _until_s: int = 0  # … both ends included
    _whole_at_s: int = 0

    @property
    def known(self) -> tuple[TimedT, ...]:
        """The samples as of the last answer."""
        return self._samples

    async def window(self, window_s: float, now_s: float) -> tuple[TimedT, ...]:
        """
        Return all samples of the window that ends now. Raises a LoadError, and then leaves the
        buffer unchanged.
        """
        end_s = self.step_s * math.floor(now_s / self.step_s)
        begin_s = end_s - self.step_s * math.ceil(window_s / self.step_s)
        first_s = self._first_unknown_s(begin_s, end_s)
        if first_s <= end_s:
            fresh = await self.ask(first_s, end_s, self.step_s)
            self._samples = self._merged(fresh, begin_s, first_s, end_s)
            self._since_s, self._until_s = begin_s, end_s
            if first_s == begin_s:
                self._whole_at_s = end_s
        return self._samples

    def _merged(
        self, fresh: tuple[TimedT, ...], begin_s: int, first_s: int, end_s: int
    ) -> tuple[TimedT, ...]:
        """
        Merge a fresh answer. The first part of it only serves to detect a replica that has just
        started.
        """
        had = self._samples
        known = had[bisect_left(had, begin_s, key=AT_S) : bisect_right(had, end_s, key=AT_S)]
        again_s = first_s + self.settle_s if first_s > begin_s else -math.inf
        judged = known[bisect_left(known, first_s, key=AT_S) :]
        if self.is_a_part is not None and self.is_a_part(judged, fresh):
            return known
        both = beside(judged, fresh, gap_s=self.gap_s, settle_s=self.settle_s)
        stays, new = (bisect_left(some, again_s, key=AT_S) for some in (known, both))
        return (*known[:stays], *both[new:])

    def _first_unknown_s(self, begin_s: int, end_s: int) -> int:
        """Return from where to query; beyond the end if that is known already."""
        known = self._since_s is not None and self._since_s <= begin_s <= self._until_s <= end_s
        if not known or end_s - self._whole_at_s >= max(FULL_REFRESH_EVERY_S, 10 * self.step_s):
            return begin_s
        if self._until_s == end_s and self.step_s > LATE_SAMPLES_S:
            return end_s + 1
        late_s = self.step_s * math.ceil((LATE_SAMPLES_S + self.settle_s) / self.step_s)
        return max(begin_s, self._until_s - late_s)
