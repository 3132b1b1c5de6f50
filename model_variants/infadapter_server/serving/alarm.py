"""
A single timer for everything that is due (deadlines, scheduler ticks) instead of one for each.
"""

import asyncio
from collections.abc import Callable
from math import inf

__all__ = ["Alarm"]

_LEAST_S = 0.001
"""Resolution of the event loop's timers; a shorter timer would fire early."""


class Alarm:
    def __init__(self, rings: Callable[[], None]) -> None:
        self._rings = rings
        self._timer: asyncio.TimerHandle | None = None
        self._at_s = inf

    def set(self, at_s: float, now_s: float) -> None:
        """Fire at `at_s` at the latest; the callback sets the next time."""
        if at_s >= self._at_s:
            return
        self.cancel()
        self._at_s = at_s
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(_LEAST_S, at_s - now_s), self._ring)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at_s = None, inf

    def _ring(self) -> None:
        self._timer, self._at_s = None, inf
        self._rings()
