"""
A log of what may fail at every cycle: each cause at once, what goes on ever less often, its end.

While an API server is away, a line a second for each service hides all that happens besides.
"""

import logging
import re
import time
from collections.abc import Callable

from infadapter_profiles.backoff import backoff_s

AGAIN_FIRST_S, AGAIN_MOST_S = 60.0, 3600.0
"""What goes on is said again so long after it was last said, at first and at most."""

CALM_S = 15.0
"""What works so long after it last failed works again; what flickers is one failure."""

MOST_CAUSES = 16
"""Told apart while it lasts: words that differ each time are no news each time."""

_VARIES = r"0x[0-9a-f]+|[0-9]+"  # at every attempt: ages, ports and places in memory


class Recurring:
    """Of one thing that is tried again and again; `about` is what its lines begin with."""

    def __init__(
        self, logger: logging.Logger, about: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger, self._about, self._clock = logger, about, clock
        self._causes: set[str] = set()
        self._began_s = self._failed_s = 0.0
        self._again_s, self._reminders = 0.0, 0

    def fails(self, why: str, error: BaseException | None = None) -> None:
        """`error`: of which the log is to have the traceback, once."""
        now_s, cause = self._clock(), re.sub(_VARIES, "", why)
        if not self._causes:
            self._began_s, self._again_s, self._reminders = now_s, now_s + AGAIN_FIRST_S, 0
        self._failed_s = now_s
        if cause not in self._causes and len(self._causes) < MOST_CAUSES:
            self._causes.add(cause)
            self._logger.warning("%s: %s", self._about, why, exc_info=error)
        elif now_s >= self._again_s:
            self._reminders += 1
            self._again_s = now_s + backoff_s(AGAIN_FIRST_S, self._reminders + 1, AGAIN_MOST_S)
            lasted_s = now_s - self._began_s
            self._logger.warning("%s: %s (for %.0f s now)", self._about, why, lasted_s)

    def recovers(self) -> None:
        """It has worked just now: some time after it last failed that is said, once."""
        if self._causes and self._clock() - self._failed_s >= CALM_S:
            self._causes.clear()
            lasted_s = self._failed_s - self._began_s
            self._logger.info("%s: it works again, after %.0f s", self._about, lasted_s)
