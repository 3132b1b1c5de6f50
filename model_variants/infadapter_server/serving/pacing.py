"""
Pacing under a CPU quota: an executor is free again once the quota has paid for what was used.

A quota lets a process run at full speed until its share of a period is used up, and then not at
all. Executions then look several times as fast as they are on average, so more is admitted than can
be served; a request that comes while nothing runs is served alone, which costs more than a batch;
and while everything is throttled no requests are read. With pacing, use is even and batches fill
meanwhile. The learnt time of an execution is what it takes of the quota, with the reading and
answering beside it.
"""

import time
from collections.abc import Callable
from math import exp, inf
from typing import NamedTuple

from infadapter_server.serving.slowing import FULL_SPEED, Speed

__all__ = ["Paced", "Pacing"]

USED = 0.98
"""Share of the quota that is planned for; the rest is for simultaneous arrivals."""

CREDIT_S = 0.02
"""Quota saved while idle or while a batch was on its way, at most a fifth of a period."""

FOLLOWED_S = 1.0
"""Time constant of the use besides executions, s."""

STEP = 0.02
"""Relative change of a request's time below which estimates are not rescaled."""


SILENT_LOOKS, FADED = 10, 0.7
"""
Samples (two per second) without an execution after which the use besides executions decays, and the
factor per sample.
"""


class Paced(NamedTuple):
    """An execution's time in terms of the quota."""

    seconds: float
    free_s: float  # its executor


class Pacing:
    """
    Pacing of one executor that shares a quota (in cores, infinite if none) with the front end. If
    the quota exceeds what the executor's threads can use, nothing is paced.
    """

    def __init__(
        self,
        quota: Callable[[], float],
        threads: Callable[[], int] = lambda: 1,
        cpu_time_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._quota, self._threads_now, self._cpu_time_s = quota, threads, cpu_time_s
        self._threads, self._granted = 1, inf
        self._granted_before = 0.0  # when the last execution ended
        self._used_s, self._ended_s, self._paid_s = cpu_time_s(), -inf, -inf
        self._lately, self._silent = _Spent(), 0
        self._each_s = 0.0  # of CPU time, beside executions

    def speed(self) -> Speed:
        """
        Return the current speed, called a few times a second: the quota and the work besides
        executions may have changed.
        """
        quota, self._threads = self._quota(), self._threads_now()
        granted, before = USED * quota, self._granted
        self._granted = granted if granted < self._threads else inf
        if self._granted != before:
            self.loaded()  # what was used under another quota was paid by that one
        if self._granted == inf:
            self._ended_s = self._paid_s = -inf  # what is used from now on owes nothing
            return FULL_SPEED
        self._silent += 1
        if self._silent > SILENT_LOOKS:
            self._lately.fade()  # perhaps nothing runs because nobody is let in for it
        if abs(self._lately.beside_s - self._each_s) >= STEP * self._lately.whole_s:
            self._each_s = self._lately.beside_s
        return Speed(granted / self._threads, self._each_s / granted)

    def loaded(self) -> None:
        """Ignore the CPU use of a load; executions do not have to make up for it."""
        self._used_s = self._cpu_time_s()

    def ended(self, begin_s: float, end_s: float, requests: int) -> Paced:
        """Record an execution, at full speed or throttled. It used no more than its time."""
        took_s, granted = end_s - begin_s, self._granted
        paying, self._granted_before = max(granted, self._granted_before), granted
        if granted == inf or not took_s:
            return Paced(took_s, end_s)
        self._silent = 0
        used_s, since_s = self._cpu_time_s(), max(self._paid_s, self._ended_s)
        spent_s, self._used_s = used_s - self._used_s, used_s
        alone_s = min(spent_s, took_s * self._threads)
        if since_s == -inf:
            spent_s, since_s = alone_s, begin_s
        # A time in which nobody asked pays for what was done in it, and not for executions.
        beside_s = max(0.0, spent_s - alone_s - granted * max(0.0, begin_s - since_s))
        self._lately.add(alone_s, beside_s, requests, end_s - self._ended_s)
        self._ended_s = end_s
        paid_s = self._paid_s + (spent_s - alone_s) / paying
        self._paid_s = max(paid_s, begin_s - CREDIT_S) + alone_s / paying
        seconds = (alone_s + requests * self._each_s) / granted
        return Paced(max(took_s, seconds), max(end_s, self._paid_s))


class _Spent:
    """Recent CPU time per request, in executions and besides them."""

    def __init__(self) -> None:
        self._alone_s = self._beside_s = self._requests = 0.0

    def add(self, alone_s: float, beside_s: float, requests: int, passed_s: float) -> None:
        kept = exp(-passed_s / FOLLOWED_S)
        self._alone_s = kept * self._alone_s + alone_s
        self._beside_s = kept * self._beside_s + beside_s
        self._requests = kept * self._requests + requests

    def fade(self) -> None:
        self._beside_s *= FADED

    @property
    def beside_s(self) -> float:
        return self._beside_s / self._requests if self._requests else 0.0

    @property
    def whole_s(self) -> float:
        return self.beside_s + self._alone_s / self._requests if self._requests else 0.0
