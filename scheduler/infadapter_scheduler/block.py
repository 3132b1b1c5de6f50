"""A block of a plan: consecutive batches with the sum of their work and their least headroom."""

from itertools import accumulate
from math import inf
from operator import sub

from infadapter_scheduler.batch import Batch


class Block:
    """
    Batches as columns. The least headroom is computed (`settle`) on demand: insertions behind a
    block don't need it, and the first blocks change with every run.
    """

    __slots__ = ("batches", "headroom", "keys", "limits", "stale", "total", "works")

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches
        self.keys = [batch.key_s for batch in batches]
        self.limits = [batch.limit_s for batch in batches]
        self.works = [batch.work_s for batch in batches]
        self.headroom = inf
        self.changed()

    def changed(self) -> None:
        self.total = sum(self.works)
        self.stale = True

    def settle(self) -> None:
        self.headroom = min(map(sub, self.limits, accumulate(self.works)), default=inf)
        self.stale = False

    def headroom_from(self, at: int, before: float) -> float:
        return self.headroom_within(at, len(self.works)) - before

    def headroom_within(self, at: int, end: int) -> float:
        if at == 0 and end == len(self.works):
            if self.stale:
                self.settle()
            return self.headroom
        sums = accumulate(self.works[at:end], initial=sum(self.works[:at]))
        next(sums)
        return min(map(sub, self.limits[at:end], sums), default=inf)
