"""
New batches in the plan: at the position of their deadline, or while others wait for their weights.
"""

from dataclasses import dataclass, replace

from infadapter_scheduler.admission import EPSILON_S, TIE_S, Offer
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.executor import Executor


@dataclass(slots=True, eq=False)
class Opening:
    """
    A new batch: its largest size, the size for which room is reserved, and when its weights are
    loaded.
    """

    cap: int
    target: int
    rate_rps: float  # arrival rate of its model
    released_s: float = 0.0
    deferred_s: float | None = None  # duration of a deferred load, part of its work


def open_batch(
    executor: Executor,
    offer: Offer,
    opening: Opening,
    buffer: SafetyBuffer,
    key_s: float | None = None,
) -> Request | float:
    """Open a batch, or return by how many seconds it, or others behind it, would be late."""
    executor.settle_waits(offer.now_s)
    key_s = offer.deadline_s if key_s is None else key_s
    found = _opened_at(key_s, 0.0, executor, offer, opening, buffer)
    if opening.deferred_s is not None:
        return found
    if isinstance(found, float) and executor.cache.loading and not opening.released_s:
        return _in_a_gap(executor, offer, opening, buffer, found)
    return found


def _in_a_gap(
    executor: Executor, offer: Offer, opening: Opening, buffer: SafetyBuffer, late_s: float
) -> Request | float:
    """
    Open a batch while the executor would wait for weights. What fits there costs nobody anything,
    even a small batch.
    """
    costs = offer.costs
    gaps = (batch for batch in executor.plan if batch.waiting_s >= costs.growing_s[1])
    behind = next(gaps, None)
    if behind is None or behind.key_s > offer.deadline_s:
        return late_s
    fit = (b for b in costs.sizes if costs.growing_s[b] <= behind.waiting_s)
    target = min(opening.target, max(fit))
    small = replace(opening, target=target, cap=target)
    key_s = behind.key_s - EPSILON_S
    return _opened_at(key_s, behind.waiting_s, executor, offer, small, buffer)


def _opened_at(
    key_s: float,
    gap_s: float,
    executor: Executor,
    offer: Offer,
    opening: Opening,
    buffer: SafetyBuffer,
) -> Request | float:
    """
    Open a batch at a position in the plan, or in the gap before a batch that waits for its weights.
    """
    costs = offer.costs
    place = executor.plan.place(key_s)
    free_s = executor.admits_from_s(offer.now_s)
    begin_s = free_s + place.before_s
    waiting_s = max(0.0, opening.released_s - begin_s)
    if opening.deferred_s is not None:
        waiting_s = opening.deferred_s
    work_s = waiting_s + costs.growing_s[opening.target]
    first_s = begin_s + waiting_s + costs.growth_s(opening.target, opening.rate_rps)
    due_s = offer.deadline_s - offer.lag_s
    if not executor.idle or buffer.constant_s is not None:
        due_s = offer.due_s(first_s, costs.first_s[opening.cap], buffer)
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
        deferred=opening.deferred_s is not None,
    )
    request = Request(offer.request, batch.model, offer.deadline_s, due_s, batch)
    batch.become([request])
    executor.plan.insert(batch)
    executor.cache.pin(batch.model)
    executor.settle_debt(batch.model)
    executor.settle_waits(offer.now_s)
    return request
