"""
Headroom under a CPU quota for work besides executions (reading, refusing, answering).

Estimates of executions ignore the work around them, which a pod with a fraction of a core pays from
the same quota. And since a quota lets a process run at full speed and then not at all, most
executions look several times as fast as they are on average. A point that seems to sustain the load
then uses up the quota, and requests wait unseen in their sockets. So the CPU use of the process is
compared with what its executions were expected to take: executions then count as longer, and
arrivals as more, by the same factor. While the whole quota is used, arrivals count for still more.
"""

import time
from collections.abc import Callable

from infadapter_scheduler import Choice, PointPolicy, Situation

__all__ = ["WithinQuota"]

LOOK_S = 0.25
USED = 0.9
"""Share of the quota that is planned for; the rest is for simultaneous arrivals."""

FOLLOWED = 0.3
"""Smoothing factor of the measured ratio."""

USED_FOLLOWED = 0.5
"""
Smoothing factor of the used quota, which is granted per period, of which one sample has two or
three.
"""

ALL = 0.9
"""Share of the quota above which the process may need more than it gets."""

GAIN = 4.0
MORE, LESS = 1.6, 0.9  # at most, at a look: within a second six times as much, and back in a few
MOST = 32.0
DEBT = 3.0
"""Factor by which quota debt counts more than waiting work, since it stops the front end, too."""

BEHIND_S = 1.0
"""Longest debt considered, s; older debt has been observed already."""


class WithinQuota:
    """
    `policy` with adjusted inputs: an arrival counts as `weight` arrivals, and past executions keep
    the executor as busy as they do the quota. `quota` is in cores, infinite without one.
    """

    def __init__(
        self,
        policy: PointPolicy,
        *,
        quota: Callable[[], float],
        cpu_time_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._policy, self._quota, self._cpu_time_s = policy, quota, cpu_time_s
        self._looked_s, self._used_s = 0.0, 0.0
        self.longer, self._pushed = 1.0, 1.0
        self._expected_s, self._busy_until_s = 0.0, 0.0
        self._used = 0.0  # of the quota, lately

    @property
    def weight(self) -> float:
        return min(MOST, self.longer * self._pushed)

    def choose(self, situation: Situation) -> Choice:
        now_s = situation.now_s
        if now_s - self._looked_s >= LOOK_S:
            self._look(now_s)
        if self.weight == 1.0:
            return self._policy.choose(situation)
        busy_s = DEBT * max(0.0, self._busy_until_s - now_s)
        return self._policy.choose(
            situation._replace(
                rate_rps=situation.rate_rps * self.weight, behind_s=situation.behind_s + busy_s
            )
        )

    def ran(self, situation: Situation, choice: Choice) -> None:
        now_s = situation.now_s
        points = (point for point in situation.points if point.number == choice.number)
        expected_s = sum(point.seconds[choice.size] for point in points)
        self._expected_s += expected_s
        busy_s = max(0.0, self._busy_until_s - now_s) + expected_s * self.weight
        self._busy_until_s = now_s + min(BEHIND_S, busy_s)
        self._policy.ran(situation, choice)

    def _look(self, now_s: float) -> None:
        used_s, quota, expected_s = self._cpu_time_s(), self._quota(), self._expected_s
        passed_s, spent_s = now_s - self._looked_s, used_s - self._used_s
        self._looked_s, self._used_s, self._expected_s = now_s, used_s, 0.0
        if expected_s > 0:
            found = max(1.0, spent_s / expected_s / (USED * quota))
            self.longer += FOLLOWED * (min(MOST, found) - self.longer)
        self._used += USED_FOLLOWED * (spent_s / (quota * passed_s) - self._used)
        follows = (self._used / ALL) ** GAIN
        if follows > 1.0:
            self._pushed = min(MOST, self._pushed * min(MORE, follows))
        else:
            self._pushed = max(1.0, self._pushed * max(LESS, follows) ** (passed_s / LOOK_S))
