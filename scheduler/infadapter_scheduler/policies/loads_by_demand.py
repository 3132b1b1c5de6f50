"""
Which models released Clockwork loads: those whose demand most exceeds what their copies can serve
within the SLO.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf

from infadapter_scheduler.actions import Action, Load, Unload
from infadapter_scheduler.policies.instance import Instance, Waiting
from infadapter_scheduler.residency import PageCache

AHEAD_S = 0.005
"""Schedule-ahead time of the paper's runs; the code's default is 10 ms."""

CAPACITY_S = 0.1
"""Demand is measured in work per default SLO."""


@dataclass(slots=True, eq=False)
class Worker:
    name: str
    cache: PageCache
    booked_s: float = 0.0
    load_booked_s: float = 0.0
    sent: deque[tuple[int, list[Waiting], float]] = field(default_factory=deque)
    outstanding: float = 0.001


def loads(
    worker: Worker,
    workers: Mapping[str, Worker],
    asked: Mapping[str, Instance],
    now_s: float,
    lag_s: float,
) -> Iterator[Action]:
    """
    Yield what the worker loads now, and what it unloads for it; `asked` are the models with
    requests.
    """
    while asked and worker.load_booked_s < now_s + AHEAD_S + lag_s:
        best = max(_priorities(worker, workers, asked, now_s), default=(0.0, ""))
        if best[0] <= 0:
            return
        instance = asked[best[1]]
        victims = worker.cache.evict(instance.model.pages)
        if victims is None:
            return
        for victim in victims:
            yield Unload(worker.name, victim)
        begin_s = max(worker.load_booked_s, now_s + lag_s)
        worker.load_booked_s = begin_s + instance.load.seconds
        worker.cache.reserve(best[1], instance.model.pages, worker.load_booked_s)
        yield Load(worker.name, best[1], now_s, inf)


def _priorities(
    worker: Worker, workers: Mapping[str, Worker], asked: Mapping[str, Instance], now_s: float
) -> list[tuple[float, str]]:
    """Return the demand minus what the present copies can serve within the SLO."""
    absent = [name for name in asked if not worker.cache.holds(name)]
    if not absent:
        return []
    _allocate(workers, asked)
    return [(_excess(name, workers, asked[name], now_s), name) for name in absent]


def _excess(name: str, workers: Mapping[str, Worker], instance: Instance, now_s: float) -> float:
    waiting = instance.waiting.values()
    demand = sum(each.load_size for each in waiting if each.load_by_s > now_s)
    holders = [w for w in workers.values() if w.cache.holds(name)]
    shares = sum(1 / w.outstanding for w in holders)
    served = sum(CAPACITY_S * demand / w.outstanding / shares / w.outstanding for w in holders)
    return demand - served


def _allocate(workers: Mapping[str, Worker], asked: Mapping[str, Instance]) -> None:
    """Distribute each model's demand over the workers that hold it, more to less loaded ones."""
    weights = {name: CAPACITY_S / w.outstanding for name, w in workers.items()}
    for worker in workers.values():
        worker.outstanding = 0.001
    for name, instance in asked.items():
        demand = sum(waiting.exec_size for waiting in instance.waiting.values())
        holders = [w for w in workers.values() if w.cache.holds(name)]
        total = sum(weights[w.name] for w in holders)
        for worker in holders:
            worker.outstanding += demand * weights[worker.name] / total
