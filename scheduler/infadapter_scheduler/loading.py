"""
Loads on demand: which executor gets the weights of which model, and what is evicted for them.

A request whose model isn't in memory is accepted where load and execution are in time together,
and the load is sent at once. What was refused is demand as well: a model whose requests never can
wait for a load, or come faster than its copies serve, is loaded beside them, the more urgent the
more of its work was refused, and only over what is asked for less.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from infadapter_scheduler.actions import Action, Load, Unload
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Executor

CANDIDATES = 3
"""Executors that are tried for one request, so that a request costs the same at any number."""


def least_loaded(executors: Iterable[Executor], entry: Entry, now_s: float) -> list[Executor]:
    """
    Where a model could be loaded: with free pages first, so that nobody has to be loaded again for
    it; then the shortest queue of loads.
    """
    name, pages = entry.costs.model.name, entry.costs.model.pages
    free = (executor for executor in executors if not executor.cache.holds(name))
    found = list(islice(free, 2 * CANDIDATES))
    found.sort(
        key=lambda e: (
            not e.cache.has_room(pages),
            max(e.load_booked_s, now_s),
            e.horizon_s(now_s),
        )
    )
    return found[:CANDIDATES]


def load(
    entry: Entry, executor: Executor, models: Mapping[str, Entry], now_s: float
) -> list[Action] | None:
    """Evictions, least recently used first, and the load; None where there is no room now."""
    model = entry.costs.model
    victims = executor.cache.evict(model.pages)
    if victims is None:
        return None
    actions: list[Action] = []
    for victim in victims:
        models[victim].lost(executor)
        actions.append(Unload(executor.name, victim))
    executor.cache.reserve(model.name, model.pages, executor.book_load(entry.costs, now_s))
    entry.holders.append(executor)
    latest_s = executor.load_booked_s + max(1.0, 10 * entry.costs.load.mean)
    actions.append(Load(executor.name, model.name, now_s, latest_s))
    return actions


def worth_loading(
    entry: Entry, executor: Executor, models: Mapping[str, Entry], now_s: float
) -> bool:
    """Load priority: refused work beside the work that is asked of what would be evicted."""
    victims = executor.cache.victims(entry.costs.model.pages)
    if victims is None or executor.load_booked_s > now_s:
        return False
    if executor.late_by_load_s(entry.costs.load.mean, now_s) > 0:
        return False
    return entry.unmet.rate(now_s) > asked_of(victims, models, now_s)


def asked_of(names: Iterable[str], models: Mapping[str, Entry], now_s: float) -> float:
    """Seconds of work per second."""
    return sum(models[name].arrivals.rate(now_s) * models[name].costs.split_s[1] for name in names)
