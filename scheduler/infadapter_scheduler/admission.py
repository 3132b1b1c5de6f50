"""
Admission at arrival: a request is accepted if every accepted request stays in time with it.

The request joins an open batch, or opens one at the position of its deadline. Earliest deadline
first is optimal for one executor, so no other position is tried.
"""

from dataclasses import dataclass

from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Costs

TIE_S = 1e-10
"""Tolerance, s: an answer due exactly at its deadline counts as in time despite rounding."""

EPSILON_S = 1e-8
"""
Tolerance, s, when accepted requests are checked later, so that none is given up because of
rounding.
"""


@dataclass(slots=True, eq=False)
class Offer:
    """An arrival as admission sees it."""

    request: int
    costs: Costs
    deadline_s: float
    now_s: float
    lag_s: float  # until the answer is back
    cap: int  # the largest batch that its deadline allows

    def due_s(self, complete_s: float, each_s: float, buffer: SafetyBuffer) -> float:
        kept_s = buffer.seconds(complete_s - self.now_s, each_s)
        return self.deadline_s - self.lag_s - kept_s


def join(batch: Batch, executor: Executor, offer: Offer, buffer: SafetyBuffer) -> Request | None:
    """Add the request to a planned batch, if the batch can take one more."""
    if len(batch.members) >= batch.cap:
        return None
    executor.settle_waits(offer.now_s)
    work_s = batch.work_with(1)
    grown_s = work_s - batch.work_s
    free_s = executor.admits_from_s(offer.now_s)
    if grown_s > 0:
        before_s, headroom_s = executor.plan.place_of(batch)
        if headroom_s - grown_s < free_s - TIE_S:
            return None
    else:
        before_s = executor.plan.before_s(batch)
    begin_s = free_s + before_s + batch.waiting_s
    due_s = offer.due_s(begin_s + work_s, batch.costs.first_s[batch.cap], buffer)
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    members = batch.with_one(request)
    latest_start_s = batch.latest_start_s(members)
    if begin_s - TIE_S > latest_start_s:
        return None
    batch.become(members, latest_start_s, work_s)
    executor.plan.changed(batch)
    _sooner(batch, executor, free_s)
    return request


def _sooner(batch: Batch, executor: Executor, free_s: float) -> None:
    """
    Move a batch to the position of its earliest deadline, if it was opened for a later one.
    Otherwise a request that is due soon would be planned before it although the batch cannot wait.
    """
    key_s = batch.members[0].deadline_s
    if key_s >= batch.key_s or batch.released_s or batch.deferred:
        return
    if executor.plan.between_s(key_s, batch) - batch.work_s >= free_s - TIE_S:
        executor.plan.remove(batch)
        batch.key_s = key_s
        executor.plan.insert(batch)


def advance(batch: Batch, executor: Executor, offer: Offer, buffer: SafetyBuffer) -> Request | None:
    """
    Add the request to a batch that was to run later, and move the batch forward to the request's
    deadline.

    Where deadlines differ, an urgent request then fills a batch of patient ones, and no small batch
    is opened. A batch that waits for its weights stays: the models that are evicted for them are
    served before it.
    """
    if len(batch.members) >= batch.cap or offer.deadline_s >= batch.key_s:
        return None
    if batch.released_s or batch.deferred:
        return None
    plan, free_s = executor.plan, executor.admits_from_s(offer.now_s)
    work_s = batch.work_with(1)
    if plan.place_of(batch).headroom_s - (work_s - batch.work_s) < free_s - TIE_S:
        return None
    begin_s = free_s + plan.place(offer.deadline_s).before_s
    due_s = offer.due_s(begin_s + work_s, batch.costs.first_s[batch.cap], buffer)
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    members = batch.with_one(request)
    latest_start_s = batch.latest_start_s(members)
    if begin_s - TIE_S > latest_start_s:
        return None
    if plan.between_s(offer.deadline_s, batch) - work_s < free_s - TIE_S:
        return None
    plan.remove(batch)
    batch.key_s = offer.deadline_s
    batch.become(members, latest_start_s)
    plan.insert(batch)
    return request


def replace_last(
    batch: Batch, executor: Executor, offer: Offer, buffer: SafetyBuffer
) -> Request | None:
    """Add the request in place of the batch's last member, which must then be served elsewhere."""
    place = executor.plan.place_of(batch)
    begin_s = executor.free_s(offer.now_s) + place.before_s + batch.waiting_s
    each_s = batch.costs.first_s[batch.cap]
    due_s = offer.due_s(begin_s + batch.work_s, each_s, buffer)
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    members = batch.with_one(request)
    members.pop()
    latest_start_s = batch.latest_start_s(members)
    if begin_s - TIE_S > latest_start_s:
        return None
    batch.become(members, latest_start_s)
    executor.plan.changed(batch)
    _sooner(batch, executor, executor.free_s(offer.now_s))
    return request


def leave(batch: Batch, executor: Executor, request: Request, now_s: float) -> bool:
    """
    Remove a cancelled request from its batch, unless the others would be late: without padding
    three requests can take longer than four.
    """
    members = [member for member in batch.members if member is not request]
    place = executor.plan.place_of(batch)
    free_s = executor.free_s(now_s)
    grown_s = batch.costs.split_s[len(members)] + batch.waiting_s - batch.work_s
    begin_s = free_s + place.before_s + batch.waiting_s
    late = begin_s - TIE_S > batch.latest_start_s(members)
    if late or (grown_s > 0 and place.headroom_s - grown_s < free_s - TIE_S):
        return False
    batch.become(members)
    executor.plan.changed(batch)
    return True
