"""
Taking over: an executor that has nothing planned runs what is planned elsewhere, and sooner.

A request is planned on an executor when it comes, at the fastest point; what runs before it takes
longer where that is a better one. So executors with points are free in another order than was
planned, and one would stand idle, or run a single request, while the batches of others wait.
Whoever is taken over is served earlier, and so is all that is planned behind him.
"""

from itertools import islice

from infadapter_scheduler.batch import Batch
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.state import State

LOOKED_AT = 8
"""Batches of the model that still grow, and full ones: they were opened in about their order."""


def take_over(state: State, executor: Executor, now_s: float) -> Batch | None:
    """The earliest of the model that it ran last, if that would begin later where it is planned."""
    entry = state.models.get(executor.ran)
    if entry is None or entry.ladder is None or executor.kept_free_s or executor.owed is not None:
        return None
    if executor not in entry.holders or executor.ran in executor.cache.loading:
        return None
    planned = [*islice(entry.open, LOOKED_AT), *islice(entry.full, LOOKED_AT)]
    waiting = [batch for batch in planned if _may_move(batch)]
    batch = min(waiting, key=lambda batch: batch.key_s, default=None)
    if batch is None:
        return None
    other = state.executors[batch.executor]
    if other.free_s(now_s) <= executor.free_s(now_s):
        return None
    _move(batch, other, executor, now_s)
    return batch


def _may_move(batch: Batch) -> bool:
    """It waits for nothing but its turn."""
    return not (batch.released_s or batch.deferred or batch.trial or batch.closed)


def _move(batch: Batch, other: Executor, executor: Executor, now_s: float) -> None:
    other.plan.remove(batch)
    other.cache.unpin(batch.model)
    other.settle_waits(now_s)
    batch.executor = executor.name
    executor.cache.pin(batch.model)
    executor.plan.insert(batch)
