"""
Taking over: an executor with nothing planned runs a batch that is planned elsewhere, earlier.

A request is planned on an executor at its arrival, at the fastest point; executions before it take
longer if they use a better one. So executors with points become free in another order than planned,
and one would idle, or run a single request, while others' batches wait. A batch that is taken over
is served earlier, and so is everything planned behind it.
"""

from itertools import islice

from infadapter_scheduler.batch import Batch
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.state import State

LOOKED_AT = 8
"""
Number of the model's growing and full batches considered; they were opened in about their order.
"""


def take_over(state: State, executor: Executor, now_s: float) -> Batch | None:
    """
    Return the earliest batch of the model that the executor ran last, if that would begin later
    where it is planned.
    """
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
    """Whether the batch waits for nothing but its turn."""
    return not (batch.released_s or batch.deferred or batch.trial or batch.closed)


def _move(batch: Batch, other: Executor, executor: Executor, now_s: float) -> None:
    other.plan.remove(batch)
    other.cache.unpin(batch.model)
    other.settle_waits(now_s)
    batch.executor = executor.name
    executor.cache.pin(batch.model)
    executor.plan.insert(batch)
