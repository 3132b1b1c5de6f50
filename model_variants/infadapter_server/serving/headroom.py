"""
Headroom under a CPU quota: what reading, refusing and answering take of it is not for points.

An estimate of an execution knows nothing of the work around it, which a pod of a fraction of a core
pays from the same quota; and since a quota lets a process run at full speed and then not at all,
most executions look several times as fast as they are on average. A point that seems to keep up
then uses it all up, and requests wait unseen in their sockets. So what the process uses is held
against what it may: while that is all of it, arrivals count for more.
"""

import time
from collections.abc import Callable

from infadapter_scheduler import Choice, PointPolicy, Situation
from infadapter_server.serving.quota import cpu_quota

__all__ = ["WithinQuota"]

LOOK_S = 0.25
USED = 0.85
"""Of the quota, what all of it may take: the rest is for arrivals that come at once."""

GAIN = 4.0
"""The weight follows used ÷ may be used to this power: a process that is full shows just that."""

MORE, LESS = 1.6, 0.9  # at most, at a look: within a second six times as much, and back in a few
MOST = 32.0


class WithinQuota:
    """`policy` as it chooses where an arrival is worth `weight` of them."""

    def __init__(
        self,
        policy: PointPolicy,
        *,
        quota: Callable[[], float | None] = cpu_quota,
        cpu_time_s: Callable[[], float] = time.process_time,
    ) -> None:
        self.weight = 1.0
        self._policy, self._quota, self._cpu_time_s = policy, quota, cpu_time_s
        self._looked_s, self._used_s = 0.0, 0.0

    def choose(self, situation: Situation) -> Choice:
        if situation.now_s - self._looked_s >= LOOK_S:
            self._look(situation.now_s)
        rate_rps = situation.rate_rps * self.weight
        return self._policy.choose(situation._replace(rate_rps=rate_rps))

    def ran(self, situation: Situation, choice: Choice) -> None:
        self._policy.ran(situation, choice)

    def _look(self, now_s: float) -> None:
        used_s, quota = self._cpu_time_s(), self._quota()
        passed_s, spent_s = now_s - self._looked_s, used_s - self._used_s
        self._looked_s, self._used_s = now_s, used_s
        if quota is None:
            return
        follows = (spent_s / (USED * quota * passed_s)) ** GAIN
        if follows > 1.0:
            self.weight = min(MOST, self.weight * min(MORE, follows))
        else:
            self.weight = max(1.0, self.weight * max(LESS, follows) ** (passed_s / LOOK_S))
