"""
Whether nobody sends any more, from how long it has been between requests: pure, told the time.

A rate would not tell: what comes in bursts is silent between them. So silence means something only
where it is longer than any that was broken lately.
"""

from math import inf

__all__ = ["Arrivals"]

REMEMBERED_S = 30.0
"""For how long at least a silence that was broken is remembered, and at most twice as long."""

LONGER = 2.0
"""Than the longest that was broken, the silence that shows that no more comes."""

FEWEST = 10
"""Requests: of fewer nothing is known, and before the first one a router may be about to send."""


class Arrivals:
    """How many requests came, when the last one did, and how long the longest wait was lately."""

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
        """When nobody sends any more, unless somebody does before."""
        if self._count < FEWEST:
            return inf
        return self._last_s + LONGER * max(self._longest_s, self._before_s)
