"""
Patience: keep batches of patient requests short while urgent ones cannot wait for long executions.
"""

from dataclasses import dataclass
from math import inf

from infadapter_scheduler.batch import Batch
from infadapter_scheduler.executor import Executor

WINDOW_S = 1.0
PATIENT = 10.0
"""A batch counts as patient if it can wait for this multiple of its execution time."""


@dataclass(slots=True)
class Impatience:
    """The shortest wait that any recent request could bear, over this window and the last."""

    _began_s: float = -inf
    _least_s: float = inf
    _before_s: float = inf

    def arrived(self, spare_s: float, now_s: float) -> None:
        if now_s >= self._began_s + WINDOW_S:
            stale = now_s >= self._began_s + 2 * WINDOW_S
            self._before_s = inf if stale else self._least_s
            self._began_s, self._least_s = now_s, inf
        if 0 <= spare_s < self._least_s:
            self._least_s = spare_s

    def least_s(self, now_s: float) -> float:
        if now_s >= self._began_s + 2 * WINDOW_S:
            return inf
        return min(self._least_s, self._before_s)


def considerate(
    batch: Batch, size: int, executor: Executor, begin_s: float, bearable_s: float
) -> int:
    """
    Return a size that takes no longer than others can wait, since executions cannot be interrupted;
    only if the plan has room for the time that smaller batches cost.
    """
    costs, number = batch.costs, len(batch.members)
    patient_s = batch.members[0].deadline_s - begin_s
    if costs.seconds[size] <= bearable_s or patient_s < PATIENT * costs.seconds[size]:
        return size
    fit = [b for b in costs.sizes if b < size and costs.seconds[b] <= bearable_s]
    short = max(fit, default=costs.sizes[0])
    longer_s = costs.seconds[short] + costs.split_s[number - short]
    return short if begin_s + longer_s <= executor.plan.headroom_s() else size
