"""
Admission at arrival: a request is accepted if all that was accepted stays in time with it.

It joins a batch that is being made, or opens one at its deadline's place: earliest deadline first
is optimal for one executor, so no other place is tried.
"""

from typing import NamedTuple

from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.model import Costs

TIE_S = 1e-10
"""Who would have his answer at his deadline is in time, whatever sums of seconds round to."""

EPSILON_S = 1e-8
"""And is not given up afterwards."""


class Offer(NamedTuple):
    """An arrival as admission sees it."""

    request: int
    costs: Costs
    deadline_s: float
    now_s: float
    lag_s: float  # until the answer is back

    def due_s(self, complete_s: float, each_s: float, buffer: SafetyBuffer) -> float:
        kept_s = buffer.seconds(complete_s - self.now_s, each_s)
        return self.deadline_s - self.lag_s - kept_s


class Opening(NamedTuple):
    """A new batch: how large it may become, for what it is given room, when its weights come."""

    cap: int
    target: int
    rate_rps: float  # of its model
    released_s: float = 0.0


def join(batch: Batch, executor: Executor, offer: Offer, buffer: SafetyBuffer) -> Request | None:
    """Into a batch that is planned, if it can take one more."""
    if len(batch.members) >= batch.cap:
        return None
    executor.settle_waits(offer.now_s)
    work_s = batch.work_with(1)
    grown_s = work_s - batch.work_s
    place = executor.plan.place_of(batch)
    free_s = executor.admits_from_s(offer.now_s)
    if grown_s > 0 and place.headroom_s - grown_s < free_s - TIE_S:
        return None
    begin_s = free_s + place.before_s + batch.waiting_s
    due_s = offer.due_s(begin_s + work_s, batch.costs.seconds(batch.costs.first[batch.cap]), buffer)
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    members = batch.with_one(request)
    if begin_s - TIE_S > batch.latest_start_s(members):
        return None
    batch.become(members)
    executor.plan.changed(batch)
    return request


def replace_last(
    batch: Batch, executor: Executor, offer: Offer, buffer: SafetyBuffer
) -> Request | None:
    """In the place of the member that is due last, who is to be served elsewhere then."""
    place = executor.plan.place_of(batch)
    begin_s = executor.free_s(offer.now_s) + place.before_s + batch.waiting_s
    each_s = batch.costs.seconds(batch.costs.first[batch.cap])
    due_s = offer.due_s(begin_s + batch.work_s, each_s, buffer)
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    members = batch.with_one(request)
    members.pop()
    if begin_s - TIE_S > batch.latest_start_s(members):
        return None
    batch.become(members)
    executor.plan.changed(batch)
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


def open_batch(
    executor: Executor, offer: Offer, opening: Opening, buffer: SafetyBuffer
) -> Request | float:
    """As a new batch; or by how many seconds it, or others behind it, would be late."""
    executor.settle_waits(offer.now_s)
    found = opened_at(offer.deadline_s, 0.0, executor, offer, opening, buffer)
    if isinstance(found, float) and executor.cache.loading and not opening.released_s:
        return _in_a_gap(executor, offer, opening, buffer, found)
    return found


def _in_a_gap(
    executor: Executor, offer: Offer, opening: Opening, buffer: SafetyBuffer, late_s: float
) -> Request | float:
    """While it would wait for weights: what fits there costs nobody anything, also a small one."""
    costs = offer.costs
    gaps = (batch for batch in executor.plan if batch.waiting_s >= costs.growing_s[1])
    behind = next(gaps, None)
    if behind is None or behind.key_s > offer.deadline_s:
        return late_s
    fit = (b for b in costs.sizes if costs.growing_s[b] <= behind.waiting_s)
    target = min(opening.target, max(fit))
    small = opening._replace(target=target, cap=target)
    key_s = behind.key_s - EPSILON_S
    return opened_at(key_s, behind.waiting_s, executor, offer, small, buffer)


def opened_at(
    key_s: float,
    gap_s: float,
    executor: Executor,
    offer: Offer,
    opening: Opening,
    buffer: SafetyBuffer,
) -> Request | float:
    """At a place in the plan, or while what comes behind it would have waited for its weights."""
    costs = offer.costs
    place = executor.plan.place(key_s)
    free_s = executor.admits_from_s(offer.now_s)
    begin_s = free_s + place.before_s
    waiting_s = max(0.0, opening.released_s - begin_s)
    work_s = waiting_s + costs.growing_s[opening.target]
    first_s = begin_s + waiting_s + costs.growth_s(opening.target, opening.rate_rps)
    due_s = offer.due_s(first_s, costs.seconds(costs.first[opening.cap]), buffer)
    delay_s = max(0.0, work_s - gap_s)
    late_s = max(first_s - due_s, free_s + delay_s - place.headroom_s) - TIE_S
    late_s += executor.owed_s(costs.model.name, offer.now_s)
    if late_s > 0:
        return late_s
    batch = Batch(
        costs=costs,
        executor=executor.name,
        cap=opening.cap,
        key_s=key_s,
        target=opening.target,
        released_s=opening.released_s,
        waiting_s=waiting_s,
    )
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    batch.become([request])
    executor.plan.insert(batch)
    executor.cache.pin(batch.model)
    executor.settle_debt(batch.model)
    executor.settle_waits(offer.now_s)
    return request
