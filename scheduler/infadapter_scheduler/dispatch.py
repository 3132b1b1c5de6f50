"""Dispatch: which batch an executor runs next, and how many of its requests."""

from itertools import islice
from math import inf

from infadapter_scheduler.admission import EPSILON_S
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.executor import Executor

LOOK_AHEAD = 16
"""Number of batches in the plan that may overtake the first."""


PARTS = 0.01
"""
Weight of the waste over all members beside that of those that run next; it decides among equals.
"""


def next_batch(executor: Executor, now_s: float, overloaded: bool = False) -> Batch | None:
    """
    The fullest of those that may go first without making anyone late, so that the others can grow;
    of those that are alike, in overload, the one that splits worst is left to grow; else the
    earliest deadline goes. None while all wait for their weights.
    """
    free_s = executor.free_s(now_s)
    before_s, headroom_s = 0.0, inf
    best, best_waste = None, inf
    loading = executor.cache.loading
    least = 1.0 + (PARTS if overloaded else 0.0) + EPSILON_S
    for batch in islice(executor.plan, LOOK_AHEAD):
        gap_s = 0.0
        if batch.deferred:  # its load runs before it
            before_s += batch.waiting_s
        elif loading and batch.model in loading:
            gap_s = max(0.0, batch.released_s - free_s - before_s)
        elif free_s + batch.work_s + EPSILON_S <= headroom_s:
            wasted = waste(batch, overloaded)
            if wasted < best_waste - EPSILON_S:
                best, best_waste = batch, wasted
            if wasted <= least:
                break
        before_s += batch.work_s - batch.waiting_s
        headroom_s = min(headroom_s, batch.limit_s - before_s)
        before_s += gap_s
        if headroom_s < free_s:
            break
    return best


def waste(batch: Batch, of_all: bool) -> float:
    """
    Return the time per request relative to the largest batch possible, plus a small part of the
    same over all members in the parts in which they would run now.
    """
    costs, number = batch.costs, len(batch.members)
    best_s = costs.seconds_each[batch.cap]
    wasted = costs.first_each_s[number] / best_s
    return wasted + PARTS * (costs.split_each_s[number] / best_s) if of_all else wasted


def drop_hopeless(batch: Batch, begin_s: float, lag_s: float) -> list[Request]:
    """
    Return the members that cannot be in time even alone, because earlier executions took too long.
    """
    alone_s = begin_s + lag_s + batch.costs.split_s[1] - EPSILON_S
    lost = [member for member in batch.members if alone_s > member.deadline_s]
    for member in lost:
        batch.members.remove(member)
    return lost


def drop_for_others(batch: Batch, then: Batch, begin_s: float, lag_s: float) -> list[Request]:
    """
    Return the members that would be in time only in a batch so small that the next batch would be
    late. After a stall, small batches would propagate the lateness through the whole plan.
    """
    full_s = _first_s(batch)
    if begin_s + lag_s + full_s - EPSILON_S <= batch.members[0].deadline_s:
        return []
    small_s = batch.costs.seconds[batch_size(batch, begin_s, lag_s)]
    if begin_s + small_s + _first_s(then) + lag_s <= then.members[0].deadline_s:
        return []
    lost = [m for m in batch.members if begin_s + lag_s + full_s - EPSILON_S > m.deadline_s]
    for member in lost:
        batch.members.remove(member)
    return lost


def _first_s(batch: Batch) -> float:
    return batch.costs.first_s[len(batch.members)]


def batch_size(batch: Batch, begin_s: float, lag_s: float) -> int:
    """Return the largest served size that meets the deadline of its first member."""
    costs = batch.costs
    size = costs.first[len(batch.members)]
    left_s = batch.members[0].deadline_s - begin_s - lag_s + EPSILON_S
    if costs.seconds[size] <= left_s:
        return size
    return max(
        b for b in costs.sizes if b == costs.sizes[0] or (b < size and costs.seconds[b] <= left_s)
    )
