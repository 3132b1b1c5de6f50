"""
Tallies: what happens with each request is noted, and Prometheus is told when it asks.

To count once in a counter of the library takes a lock and six calls, and a histogram is looked
through bucket by bucket: a refusal is counted four times, which was a good part of what it cost.
"""

from prometheus_client import Counter, Histogram

__all__ = ["Sample", "Tally"]

_NOTED = 256
"""Values that are kept at most: a tenth of a millisecond to tell."""


class Tally:
    """Of a counter."""

    __slots__ = ("_counter", "_noted")

    def __init__(self, counter: Counter) -> None:
        self._counter, self._noted = counter, 0

    def inc(self) -> None:
        self._noted += 1

    def tell(self) -> None:
        noted, self._noted = self._noted, 0
        self._counter.inc(noted)


class Sample:
    """Of a histogram."""

    __slots__ = ("_histogram", "_noted")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram, self._noted = histogram, list[float]()

    def observe(self, value: float) -> None:
        self._noted.append(value)
        if len(self._noted) >= _NOTED:
            self.tell()

    def tell(self) -> None:
        for value in self._noted:
            self._histogram.observe(value)
        self._noted.clear()
