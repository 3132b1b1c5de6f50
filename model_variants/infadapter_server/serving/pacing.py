"""
Pacing under a CPU quota: an executor is free again when the quota has paid for what was used.

A quota lets a process run at full speed until a period's part of it is used, and then not at all.
Executions look several times as fast as they are on average, so more is admitted than can be
served; whoever comes while nothing runs is served alone, which costs more than a batch; and while
all stands still nobody reads requests either. Paced, use is even and batches fill meanwhile. What
is learnt of an execution is what it takes of the quota, with the reading and answering beside it.
"""

import time
from collections.abc import Callable
from math import exp, inf
from typing import NamedTuple

__all__ = ["Paced", "Pacing"]

USED = 0.95
"""Of the quota, what is planned for: the rest is for what comes at once."""

FOLLOWED_S = 1.0
"""For how long what was used beside executions is remembered."""

STEP = 0.02
"""Of the share: it doesn't follow less, for all estimates move with it."""


class Paced(NamedTuple):
    """An execution as the quota pays for it."""

    seconds: float
    free_s: float  # its executor


class Pacing:
    """
    Of one executor, whose time and that of the front come out of one quota. `quota` is in cores,
    infinite where there is none; `share` is the part of a core that is left for executions.
    """

    def __init__(
        self, quota: Callable[[], float], cpu_time_s: Callable[[], float] = time.process_time
    ) -> None:
        self._quota, self._cpu_time_s = quota, cpu_time_s
        self._granted = USED * quota()
        self._share = min(1.0, self._granted)
        self._used_s, self._ended_s, self._paid_s = cpu_time_s(), -inf, -inf
        self._spent_s, self._alone_s = 0.0, 0.0  # lately: by all, and by executions

    def share(self) -> float:
        """As it is now: the quota may have changed, and what is used beside executions."""
        self._granted = USED * self._quota()
        cores = max(1.0, self._spent_s / self._alone_s) if self._alone_s else 1.0
        found = min(1.0, self._granted / cores)
        if abs(found / self._share - 1.0) >= STEP:
            self._share = found
        return self._share

    def loaded(self) -> None:
        """What a load has used is nothing that executions have to make up for."""
        self._used_s = self._cpu_time_s()

    def ended(self, begin_s: float, end_s: float) -> Paced:
        """An execution at full speed, or interrupted: it has used no more than its time."""
        took_s = end_s - begin_s
        if self._granted == inf or not took_s:
            return Paced(took_s, end_s)
        used_s, since_s = self._cpu_time_s(), max(self._paid_s, self._ended_s)
        spent_s, self._used_s = used_s - self._used_s, used_s
        alone_s = min(spent_s, took_s)
        if since_s == -inf:
            spent_s, since_s = alone_s, begin_s
        self._follow(spent_s - self._granted * max(0.0, begin_s - since_s), alone_s, end_s)
        # A time in which nobody asked pays for what was done in it, and not for executions.
        alone_until_s = begin_s + alone_s / self._granted
        self._paid_s = max(since_s + spent_s / self._granted, alone_until_s)
        return Paced(max(took_s, alone_s / self._share), max(end_s, self._paid_s))

    def _follow(self, spent_s: float, alone_s: float, end_s: float) -> None:
        kept = exp((self._ended_s - end_s) / FOLLOWED_S)
        self._ended_s = end_s
        self._spent_s = kept * self._spent_s + max(spent_s, alone_s)
        self._alone_s = kept * self._alone_s + alone_s
