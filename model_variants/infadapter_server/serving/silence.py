"""
Decide from the gaps between requests whether clients have stopped sending. Pure.

A rate would not tell, as bursts have gaps. So silence is significant only if it is longer than any
recent gap.
"""

from math import inf

__all__ = ["Arrivals"]

REMEMBERED_S = 30.0
"""Seconds for which a gap is remembered at least; at most twice as long."""

LONGER = 2.0
"""Multiple of the longest gap that a silence must reach."""

FEWEST = 10
"""
Number of requests below which nothing is concluded; before the first, a router may be about to
send.
"""


class Arrivals:
    """The number of requests, the time of the last, and the longest recent gap."""

    __slots__ = ("_before_s", "_count", "_last_s", "_longest_s", "_since_s")

    def __init__(self) -> None:
        self._count = 0
        self._last_s = self._since_s = 0.0
        self._longest_s = self._before_s = 0.0

    def count(self, now_s: float) -> None:
        if now_s - self._since_s > REMEMBERED_S:
            self._before_s, self._longest_s, self._since_s = self._longest_s, 0.0, now_s
        if self._count:
            self._longest_s = max(self._longest_s, now_s - self._last_s)
        self._count += 1
        self._last_s = now_s

    def over_s(self) -> float:
        """Return when sending counts as over, unless another request comes."""
        if self._count < FEWEST:
            return inf
        return self._last_s + LONGER * max(self._longest_s, self._before_s)
