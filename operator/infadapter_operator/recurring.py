"""
Rate-limited logging of failures that may recur in every cycle: each cause at once, a lasting
failure ever less often, and its end.

While an API server is down, a line per second and service would hide everything else.
"""

import logging
import re
import time
from collections.abc import Callable

from infadapter_profiles.backoff import backoff_s

AGAIN_FIRST_S, AGAIN_MOST_S = 60.0, 3600.0
"""First and longest time (s) after which a lasting failure is logged again."""

CALM_S = 15.0
"""
Seconds without failure after which a recovery is logged. A flickering failure is a single one.
"""

MOST_CAUSES = 16
"""
Number of causes distinguished during a failure. Messages that differ every time are not news each
time.
"""

_VARIES = r"0x[0-9a-f]+|[0-9]+"  # differs at every attempt: ages, ports, memory addresses


class Recurring:
    """The failures of one operation that is retried; `about` is the prefix of its log lines."""

    def __init__(
        self, logger: logging.Logger, about: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger, self._about, self._clock = logger, about, clock
        self._causes: set[str] = set()
        self._began_s = self._failed_s = 0.0
        self._again_s, self._reminders = 0.0, 0

    def fails(self, why: str, error: BaseException | None = None) -> None:
        """Log a failure. The traceback of `error` is logged once."""
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
        """Note a success. Once it has lasted for `CALM_S`, the recovery is logged."""
        if self._causes and self._clock() - self._failed_s >= CALM_S:
            self._causes.clear()
            lasted_s = self._failed_s - self._began_s
            self._logger.info("%s: it works again, after %.0f s", self._about, lasted_s)
