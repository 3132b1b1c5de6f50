"""
Estimates that follow each other: what slows those that run slows those that have not run lately.

A calm load has no use for large batches, nor for the fastest operating points. These would keep
what they took on another quota, or when they were warmed up, and a burst be served one by one, by
the wrong point, or not at all.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from infadapter_scheduler.estimate import WindowMean

Key = TypeVar("Key", bound=Hashable)

STALE = 20
"""Executions of a model: what ran within the last so many is known by its own."""


class Following(Generic[Key]):
    """What ran lately of one model: batch sizes, or points and sizes."""

    def __init__(self) -> None:
        self._runs = 0
        self._last_run: dict[Key, int] = {}

    def has_run(self, key: Key) -> bool:
        return key in self._last_run

    def learn(self, windows: Mapping[Key, WindowMean], key: Key, seconds: float) -> None:
        """So long it took. Those that both run keep the proportion that they show."""
        window = windows[key]
        before_s, settled = window.mean, window.settled
        window.add(seconds)
        self._runs += 1
        self._last_run[key] = self._runs
        if settled and window.mean != before_s:
            for each, other in windows.items():
                if self._runs - self._last_run.get(each, -STALE) > STALE:
                    other.follow(window.mean / before_s)
