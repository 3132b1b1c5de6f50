"""
Loads on demand: which executor loads which model, and what is evicted for it.

A request for a model that is not in memory is accepted if load and execution together are in time,
and the load is sent at once. Refused requests count as demand: a model whose requests can never
wait for a load, or come faster than its copies serve, is loaded additionally. Its priority is its
refused work, and it evicts only models with less demand.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from infadapter_scheduler.actions import Action, Load, Unload
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Executor

CANDIDATES = 3
"""Number of executors tried per request, so that the cost of a request is bounded."""


def least_loaded(executors: Iterable[Executor], entry: Entry, now_s: float) -> list[Executor]:
    """
    Return executors where the model could be loaded: those with free pages first, then by the
    length of their load queue.
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
    """
    Return the evictions, least recently used first, and the load; None if there is no room now.
    """
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
    """Whether the model's refused work exceeds the demand of what would be evicted."""
    victims = executor.cache.victims(entry.costs.model.pages)
    if victims is None or executor.load_booked_s > now_s:
        return False
    if executor.late_by_load_s(entry.costs.load.mean, now_s) > 0:
        return False
    return entry.unmet.rate(now_s) > demand_of(victims, models, now_s)


def demand_of(names: Iterable[str], models: Mapping[str, Entry], now_s: float) -> float:
    """Return the models' demand, in seconds of work per second."""
    return sum(models[name].arrivals.rate(now_s) * models[name].costs.split_s[1] for name in names)
