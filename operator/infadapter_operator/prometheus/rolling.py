"""
A query's samples as a rolling buffer: a cycle asks for what is new, and has the whole window.

What it holds equals what a fresh query of the whole window would answer, or where several answer in
turn the one that knows most. Prometheus takes in what was scraped a little late, so that the latest
values may still change: these are asked for again at every cycle, and everything every few minutes.
After a gap in the answers it is asked from where they ended.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, TypeVar

from infadapter_operator.prometheus.replicas import Timed, beside

LATE_SAMPLES_S = 60
"""How long a value may change after its time: a scrape's time-out, and the window of its rate."""

FULL_REFRESH_EVERY_S = 300
"""How often the whole window is asked for: what came even later is noticed then."""


AT_S = attrgetter("at_s")

TimedT = TypeVar("TimedT", bound=Timed)
Ask = Callable[[int, int, int], Awaitable[tuple[TimedT, ...]]]
"""From, until, every so many seconds: the samples that there are. Raises a LoadError."""

IsAPart = Callable[[Iterable[TimedT], Iterable[TimedT]], bool]
"""Whether an answer is only a part of what was known of the same time."""


@dataclass(slots=True, kw_only=True)
class RollingSamples(Generic[TimedT]):
    """On whole multiples of `step_s`, so that two questions at different times agree."""

    ask: Ask[TimedT]
    step_s: int
    gap_s: float = 0.0  # replicas that were silent for longer, and others were not, …
    settle_s: float = 0.0  # … are not trusted for so long after it
    is_a_part: IsAPart[TimedT] | None = None
    _samples: tuple[TimedT, ...] = ()
    _since_s: int | None = None  # what the samples cover, …
    _until_s: int = 0  # … both ends included
    _whole_at_s: int = 0

    @property
    def known(self) -> tuple[TimedT, ...]:
        """As the last answer left it; of the window that ended then."""
        return self._samples

    async def window(self, window_s: float, now_s: float) -> tuple[TimedT, ...]:
        """All samples of the window that ends now. Raises a LoadError, and is as it was then."""
        end_s = self.step_s * math.floor(now_s / self.step_s)
        begin_s = end_s - self.step_s * math.ceil(window_s / self.step_s)
        first_s = self._first_unknown_s(begin_s, end_s)
        if first_s <= end_s:
            fresh = await self.ask(first_s, end_s, self.step_s)
            self._samples = self._beside(fresh, begin_s, first_s, end_s)
            self._since_s, self._until_s = begin_s, end_s
            if first_s == begin_s:
                self._whole_at_s = end_s
        return self._samples

    def _beside(
        self, fresh: tuple[TimedT, ...], begin_s: int, first_s: int, end_s: int
    ) -> tuple[TimedT, ...]:
        """Of what is asked for again, the beginning only shows who has just begun."""
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
        """From where to ask; beyond the end where that is known already."""
        known = self._since_s is not None and self._since_s <= begin_s <= self._until_s <= end_s
        if not known or end_s - self._whole_at_s >= max(FULL_REFRESH_EVERY_S, 10 * self.step_s):
            return begin_s
        if self._until_s == end_s and self.step_s > LATE_SAMPLES_S:
            return end_s + 1
        late_s = self.step_s * math.ceil((LATE_SAMPLES_S + self.settle_s) / self.step_s)
        return max(begin_s, self._until_s - late_s)
