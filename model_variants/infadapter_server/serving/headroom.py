"""
Headroom under a CPU quota: what reading, refusing and answering take of it is not for points.

An estimate of an execution knows nothing of the work around it, which a pod of a fraction of a core
pays from the same quota; and since a quota lets a process run at full speed and then not at all,
most executions look several times as fast as they are on average. A point that seems to keep up
then uses it all up, and requests wait unseen in their sockets. So what the process uses is held
against what its executions were expected to take: by so much longer than that they keep it busy,
and arrivals count for as much more. While all of the quota is used they count for more still.
"""

import time
from collections.abc import Callable

from infadapter_scheduler import Choice, PointPolicy, Situation

__all__ = ["WithinQuota"]

LOOK_S = 0.25
USED = 0.9
"""Of the quota, what is planned for: the rest is for arrivals that come at once."""

FOLLOWED = 0.3
"""Of what a look has found, by how much what is known follows it."""

USED_FOLLOWED = 0.5
"""Likewise of the quota used: it is granted by periods, of which a look has two or three."""

ALL = 0.9
"""Of the quota: a process that uses as much may want more."""

GAIN = 4.0
MORE, LESS = 1.6, 0.9  # at most, at a look: within a second six times as much, and back in a few
MOST = 32.0
DEBT = 3.0
"""By so much what keeps the quota busy counts for more than what waits: it stops the front, too."""

BEHIND_S = 1.0
"""The most that what was run keeps the quota busy for: it is seen by then."""


class WithinQuota:
    """
    `policy` as it chooses where an arrival is worth `weight` of them, and where what was run keeps
    an executor as busy as it does the quota. `quota` is in cores, infinite where there is none.
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
