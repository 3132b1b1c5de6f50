"""
Admission at arrival: a request is accepted if all that was accepted stays in time with it.

It joins a batch that is being made, or opens one at its deadline's place: earliest deadline first
is optimal for one executor, so no other place is tried.
"""

from dataclasses import dataclass

from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Costs

TIE_S = 1e-10
"""Who would have his answer at his deadline is in time, whatever sums of seconds round to."""

EPSILON_S = 1e-8
"""And is not given up afterwards."""


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
    """Into a batch that is planned, if it can take one more."""
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
    To the place of its earliest deadline, where it was opened for a later one: else who comes next
    and is due soon would be planned before it, which it can't wait for.
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
    Into a batch that was to run later, which then has the place of the offer's deadline. Where
    deadlines differ, who can't wait fills a batch of those who can, and no small one is opened. One
    that waits for its weights stays: those who make way for them are served before it.
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
    """In the place of the member that is due last, who is to be served elsewhere then."""
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
    Out of a batch, for nobody waits for it any more; unless the others would be late: nothing is
    padded, and three can take longer than four.
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
