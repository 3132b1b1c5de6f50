"""
Estimates that follow each other: what slows those that run slows those that have not run lately.

A calm load has no use for large batches, nor for the fastest operating points. These would keep
what they took on another quota, or when they were warmed up, and a burst be served one by one, by
the wrong point, or not at all. And a window of executions is one of seconds where they are long:
when a quota begins to stop a pod of a fraction of a core, what it takes would be known by the time
that it is over. What executions of the last second have in common is the machine's speed, of all.
"""

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from infadapter_scheduler.estimate import WindowMean

Key = TypeVar("Key", bound=Hashable)

LATELY = 20
"""Executions of a model: what is among the last so many is known by its own."""

PACE_S = 0.25
"""Of executions: all follow what they have in common, nearly whole within a second."""

LARGEST = 0.1
"""Of its error, what one execution may say of all, however long it was."""

ACCIDENT = 0.5
"""Of an estimate, the most that one execution moves others by."""


class Following(Generic[Key]):
    """What ran lately of one model: batch sizes, or points and sizes."""

    def __init__(self) -> None:
        self._ever: set[Key] = set()
        self._lately: deque[Key] = deque(maxlen=LATELY)

    def has_run(self, key: Key) -> bool:
        return key in self._ever

    def learn(self, windows: Mapping[Key, WindowMean], key: Key, seconds: float) -> None:
        """So long it took. Those that both run keep the proportion that they show."""
        window = windows[key]
        before_s, settled = window.mean, window.settled
        self._ever.add(key)
        self._lately.append(key)
        pace = _pace(before_s, seconds) if settled else 1.0
        window.follow(pace)
        window.add(seconds)
        if settled and seconds != before_s:
            self._tell_others(windows, key, pace, window.mean / before_s / pace)

    def _tell_others(
        self, windows: Mapping[Key, WindowMean], key: Key, pace: float, own: float
    ) -> None:
        """What is its own beside the pace, several may show in turn: the stale take their mean."""
        stale = pace * own ** (self._lately.count(key) / len(self._lately))
        lately = set(self._lately)
        for each, other in windows.items():
            if each != key:
                other.follow(pace if each in lately else stale)


def _pace(expected_s: float, seconds: float) -> float:
    """What an execution says of the machine's speed beside what is known."""
    weight = min(LARGEST, expected_s / PACE_S)
    return 1.0 + min(ACCIDENT, weight * (seconds / expected_s - 1.0))
