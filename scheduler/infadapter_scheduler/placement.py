"""
Placement: the batch and executor for an arrival, and which request is moved for it.

The cost per request is bounded at any number of executors: at most three are tried, or a dozen.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf

from infadapter_scheduler.admission import Offer, advance, join, replace_last
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.buffer import SafetyBuffer
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.loading import CANDIDATES
from infadapter_scheduler.opening import Opening, open_batch
from infadapter_scheduler.state import State

NEAREST = 8
"""
Number of open batches among which the first to run is searched; they were opened in about that
order.
"""

MORE = 4
"""
Factor on the number of tries for a model with points: filling a batch, or finding the least busy
executor, gains time for accuracy.
"""


def by_key(batch: Batch) -> float:
    return batch.key_s


def joined(state: State, entry: Entry, offer: Offer) -> Request | None:
    """
    Add the request to an open batch, the first to run first; else in place of a member that is due
    later, or to a batch that is moved forward for it.
    """
    if not entry.open and not entry.full:
        return None
    batches = _nearest(alike(entry.open, entry, offer), tries(entry))
    request = _joined_one_of(state, entry, batches, offer)
    if request is None and entry.full:
        request = _in_place_of_last(state, entry, offer)
    if request is None:
        request = _joined_one_of(state, entry, batches, offer, advance)
    return request


def tries(entry: Entry) -> int:
    """Return how many batches and executors are tried for a request."""
    return CANDIDATES if entry.ladder is None else MORE * CANDIDATES


def alike(batches: list[Batch], entry: Entry, offer: Offer) -> list[Batch]:
    """Return the batches that the same operating points may serve."""
    if entry.ladder is None:
        return batches
    return [batch for batch in batches if batch.costs is offer.costs]


def _nearest(batches: list[Batch], wanted: int) -> list[Batch]:
    """
    Return batches with reserved room first. Of the others, which may grow if their plan has room,
    there may be one per executor.
    """
    if len(batches) <= wanted:
        return sorted(batches, key=by_key)
    among = max(NEAREST, 2 * wanted)
    roomy = [batch for batch in batches if len(batch.members) < batch.target]
    nearest = sorted(roomy[:among], key=by_key)[:wanted]
    return nearest + sorted(batches[:among], key=by_key)[: wanted - len(nearest)]


def opened(state: State, entry: Entry, offer: Offer) -> Request | float:
    """
    Open a batch on an executor that holds or loads the model; else return by how much it would be
    late.
    """
    late_s = inf
    for executor in _copies(entry, offer.now_s):
        released_s = executor.cache.loading.get(entry.costs.model.name, 0.0)
        new = opening(state, entry, executor, offer, offer.cap, released_s)
        found = opened_on(state, entry, executor, offer, new)
        if isinstance(found, Request):
            return found
        late_s = min(late_s, found)
    return late_s


def opened_on(
    state: State,
    entry: Entry,
    executor: Executor,
    offer: Offer,
    new: Opening,
    key_s: float | None = None,
) -> Request | float:
    """Open a batch that others may join, at the offer's deadline or at the given position."""
    found = open_batch(executor, offer, new, state.buffer, key_s)
    if isinstance(found, Request) and found.batch is not None and found.batch.cap > 1:
        entry.open.append(found.batch)
    return found


def opening(
    state: State, entry: Entry, executor: Executor, offer: Offer, cap: int, released_s: float
) -> Opening:
    """
    Return the opening for the size that the load needs and that can be filled until it starts.
    """
    told_s = released_s + 2 * state.lag_s if released_s else 0.0
    begin_s = executor.admits_from_s(offer.now_s) + executor.plan.place(offer.deadline_s).before_s
    wait_s = max(begin_s, told_s) - offer.now_s
    target = state.pressure.target(offer.costs, cap, entry.rate_rps * wait_s)
    if state.pressure.pressed and target > 1:
        cap = target
    return Opening(cap, target, entry.rate_rps, told_s)


def _copies(entry: Entry, now_s: float) -> list[Executor]:
    """
    Return the model's executors by work; of many, a rotating subset. With points these are spread,
    since neighbours were asked one after the other and are busy together.
    """
    holders = entry.holders
    if len(holders) > tries(entry):
        entry.turn = (entry.turn + 1) % len(holders)
        apart = 1 if entry.ladder is None else len(holders) // tries(entry)
        holders = [holders[entry.turn - i * apart] for i in range(tries(entry))]
    return sorted(holders, key=lambda e: e.horizon_s(now_s)) if len(holders) > 1 else holders


def _in_place_of_last(state: State, entry: Entry, offer: Offer) -> Request | None:
    """
    Put the request into a full batch in place of its last member, if that can still be served
    behind it.
    """
    full = alike(entry.full, entry, offer)
    if not full:
        return None
    batch = full[0]
    last, executor = batch.members[-1], state.executors[batch.executor]
    if last.deadline_s <= offer.deadline_s or batch.deferred:
        return None
    members = batch.members
    request = replace_last(batch, executor, offer, state.buffer)
    if request is None or _moved(state, entry, last, batch, offer):
        return request
    batch.become(members)
    executor.plan.changed(batch)
    return None


def _moved(state: State, entry: Entry, request: Request, batch: Batch, offer: Offer) -> bool:
    """Move a request to another open batch of the same executor, or to a new one."""
    if request.number not in state.accepted:
        return True  # nobody waits for it
    executor = state.executors[batch.executor]
    later = replace(offer, request=request.number, deadline_s=request.deadline_s)
    alike_open = alike(entry.open, entry, offer)
    here = [batch for batch in alike_open if batch.executor == executor.name]
    found = _joined_one_of(state, entry, here, later)
    if found is None:
        new = opening(state, entry, executor, later, batch.cap, batch.released_s)
        fresh = opened_on(state, entry, executor, later, new)
        if isinstance(fresh, float):
            return False
        found = fresh
    state.accepted[request.number] = found
    return True


def _joined_one_of(
    state: State,
    entry: Entry,
    batches: Iterable[Batch],
    offer: Offer,
    way: Callable[[Batch, Executor, Offer, SafetyBuffer], Request | None] = join,
) -> Request | None:
    """Add the request to the first batch that takes it, which may be full afterwards."""
    for batch in batches:
        request = way(batch, state.executors[batch.executor], offer, state.buffer)
        if request is not None:
            if len(batch.members) >= batch.cap:
                entry.filled(batch)
            return request
    return None
