"""
Deferred loads: weights whose pages are in use now and will be free in time.

If every model in memory has accepted requests, none can be evicted now. But the requests of some
may complete before a request for another model has to start. These victims take no new requests,
and are evicted once they are idle. One such load at a time is planned per executor, as part of the
batch that waits for it, behind everything its victims serve.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from infadapter_scheduler.actions import Action, Unload
from infadapter_scheduler.admission import EPSILON_S, Offer
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.loading import demand_of, load
from infadapter_scheduler.opening import Opening
from infadapter_scheduler.placement import opened_on
from infadapter_scheduler.state import State

MOST_BATCHES = 64
"""Number of planned batches that are searched for victims, so that a refusal stays cheap."""

CALM = 30.0
"""
Multiple of a load's duration during which no further victims are taken for a model with less
demand, so that loads use at most a thirtieth of the time.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Deferred:
    """A batch whose weights will be loaded, and the models that are evicted for it."""

    batch: Batch
    victims: tuple[str, ...]


def deferred(state: State, entry: Entry, executor: Executor, offer: Offer) -> Request | float:
    """
    Accept the request for a deferred load, or return by how much it would be late, s.
    """
    planned = state.deferred.get(executor.name)
    if planned is not None and planned.batch.model == entry.costs.model.name:
        key_s = max(offer.deadline_s, planned.batch.key_s + EPSILON_S)
        new = Opening(offer.cap, 1, entry.rate_rps, 0.0, 0.0)
        return opened_on(state, entry, executor, offer, new, key_s)
    victims = _victims(state, entry, executor, offer.now_s)
    if victims is None:
        return inf
    load_s = entry.costs.load.mean + 2 * offer.lag_s
    key_s = max([offer.deadline_s, *(s + EPSILON_S for s in _deadlines_s(executor, victims))])
    new = Opening(offer.cap, 1, entry.rate_rps, 0.0, load_s)
    found = opened_on(state, entry, executor, offer, new, key_s)
    if isinstance(found, Request) and found.batch is not None:
        _make_way(state, executor, Deferred(found.batch, victims))
    return found


def _victims(
    state: State, entry: Entry, executor: Executor, now_s: float
) -> tuple[str, ...] | None:
    """
    Return idle models and then those served first, as many as have enough pages; None if too few.
    """
    cache = executor.cache
    if cache.pages is None or cache.reserved or executor.plan.size > MOST_BATCHES:
        return None
    missing = cache.used + entry.costs.model.pages - cache.pages
    chosen: list[str] = []
    for name in _in_order(state, executor):
        chosen.append(name)
        missing -= cache.sizes[name]
        if missing <= 0:
            return tuple(chosen) if _worth(state, entry, executor, chosen, now_s) else None
    return None


def _worth(
    state: State, entry: Entry, executor: Executor, victims: list[str], now_s: float
) -> bool:
    """Whether the model's refused work exceeds the demand of its victims, or it is its turn."""
    if now_s >= executor.calm_until_s:
        return True
    return entry.unmet.rate(now_s) > demand_of(victims, state.models, now_s)


def _in_order(state: State, executor: Executor) -> Iterator[str]:
    """
    Yield the models that may be evicted, by the time when their last accepted request is served.
    """
    cache = executor.cache
    last = {batch.model: at for at, batch in enumerate(executor.plan)}
    names = [
        name
        for name in cache.sizes
        if name not in cache.loading
        and name not in cache.kept
        and (executor.name, name) not in state.leaving
    ]
    return iter(sorted(names, key=lambda name: last.get(name, -1)))


def _deadlines_s(executor: Executor, victims: tuple[str, ...]) -> Iterator[float]:
    for batch in executor.plan:
        if batch.model in victims:
            yield batch.key_s
            yield from (member.deadline_s for member in batch.members)


def _make_way(state: State, executor: Executor, new: Deferred) -> None:
    executor.cache.reserved = True
    state.deferred[executor.name] = new
    for name in new.victims:
        state.models[name].shut(executor)
        state.models[name].lost(executor)


def loads_due(state: State, now_s: float) -> list[Action]:
    """Return the loads whose turn has come, and drop deferred loads that no request waits for."""
    actions: list[Action] = []
    for name, each in list(state.deferred.items()):
        executor = state.executors.get(name)
        if executor is None:
            del state.deferred[name]
        elif not each.batch.members:
            _pass_on(state, executor, each)
        elif _is_its_turn(executor, each):
            actions += _load(state, executor, each, now_s)
    return actions


def _is_its_turn(executor: Executor, each: Deferred) -> bool:
    """
    Whether its victims have nothing left to serve; with a shared queue, everything due before must
    also have run.
    """
    if any(executor.cache.holds(name) and not executor.cache.idle(name) for name in each.victims):
        return False
    return not executor.shared_load or executor.plan.first() is each.batch


def _pass_on(state: State, executor: Executor, each: Deferred) -> None:
    """Give the load to the next batch that waits for it, if there is one."""
    heir = next((b for b in executor.plan if b.deferred and b.model == each.batch.model), None)
    if heir is None:
        _take_back(state, executor, each)
        return
    heir.waiting_s = each.batch.waiting_s
    heir.become(heir.members)
    executor.plan.changed(heir)
    state.deferred[executor.name] = Deferred(heir, each.victims)


def _take_back(state: State, executor: Executor, each: Deferred) -> None:
    """Let the victims serve again."""
    executor.cache.reserved = False
    del state.deferred[executor.name]
    for name in each.victims:
        entry = state.models.get(name)
        free = (executor.name, name) not in state.leaving
        if entry is not None and not entry.removed and executor.cache.holds(name) and free:
            entry.holders.append(executor)


def _load(state: State, executor: Executor, each: Deferred, now_s: float) -> list[Action]:
    executor.cache.reserved = False
    del state.deferred[executor.name]
    actions: list[Action] = []
    for name in each.victims:
        if executor.cache.holds(name):
            executor.cache.drop(name)
            state.leaving.pop((executor.name, name), None)
            actions.append(Unload(executor.name, name))
            if name in state.kept and not state.models[name].holders:
                state.wanted[name] = None
    entry = state.models[each.batch.model]
    actions += load(entry, executor, state.models, now_s) or []
    executor.calm_until_s = executor.load_booked_s + CALM * entry.costs.load.mean
    for batch in executor.plan:
        if batch.deferred:
            batch.deferred = False
            batch.released_s = executor.load_booked_s + 2 * state.lag_s
    executor.settle_waits(now_s)
    if entry.removed:
        state.leaving[executor.name, each.batch.model] = None
        entry.lost(executor)
    return actions
