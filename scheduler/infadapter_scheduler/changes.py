"""
Changes of what is served: models are added and removed, pinned, and loaded or unloaded on request.

A load, the requests that wait for it and the unload behind them are atomic: weights are removed
only once no accepted request needs them, and no request is accepted for copies that will be
unloaded.
"""

from infadapter_scheduler.actions import Action, Unload
from infadapter_scheduler.catalogue import Entry, entry_of
from infadapter_scheduler.deferral import loads_due
from infadapter_scheduler.events import (
    Change,
    KeepLoaded,
    LoadWanted,
    ModelAdded,
    ModelRemoved,
    PointsAllowed,
    Profiled,
    SpeedChanged,
    UnloadWanted,
)
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.loading import load
from infadapter_scheduler.state import State


class Changes:
    def __init__(self, state: State) -> None:
        self._state = state

    def handle(self, change: Change, now_s: float) -> list[Action]:
        if isinstance(change, SpeedChanged):
            self._rescale(change, now_s)
        elif isinstance(change, ModelAdded):
            self._add(change)
        elif (entry := self._state.models.get(change.model)) is not None:
            self._change(entry, change)
        return self.settle(now_s)

    def settle(self, now_s: float) -> list[Action]:
        """
        Return the unloads that nothing prevents any more, then the loads for which there is room.
        """
        actions = loads_due(self._state, now_s)
        actions += self._unload()
        for name in [name for name, entry in self._state.models.items() if entry.removed]:
            self._forget(name)
        return actions + self._load(now_s)

    def _change(self, entry: Entry, change: Change) -> None:
        name = entry.costs.model.name
        match change:
            case ModelRemoved():
                self._remove(name, entry)
            case Profiled():
                self._seed(entry, change)
            case PointsAllowed():
                entry.allow(change.points, change.floor)
            case KeepLoaded():
                self._state.keep(name, change.kept)
            case LoadWanted():
                self._want(name, entry)
            case UnloadWanted():
                self._dismiss(name, entry)
            case _:
                raise TypeError(change)

    def _rescale(self, change: SpeedChanged, now_s: float) -> None:
        factor, each_s = change.factor, change.each_s
        if factor <= 0:
            raise ValueError(f"nothing takes {factor} times as long")
        for entry in self._state.models.values():
            entry.scale(factor, each_s)
        self._state.pressure.offered.scale(factor)
        for executor in self._state.executors.values():
            executor.rescale(factor, each_s, now_s)

    def _add(self, added: ModelAdded) -> None:
        name = added.model.name
        known = self._state.models.get(name)
        if known is None:
            entry = self._state.models[name] = entry_of(added.model)
            if added.allowed is not None:
                entry.allow(added.allowed.points, added.allowed.floor)
            return
        if not known.removed:
            self._remove(name, known)
        known.successor = added

    def _remove(self, name: str, entry: Entry) -> None:
        """
        Remove a model once what was accepted has been served, including what a lost executor leaves
        behind.
        """
        entry.removed, entry.successor = True, None
        self._state.keep(name, False)
        self._state.unwanted(name)
        for executor in self._state.executors.values():
            if executor.cache.holds(name):
                self._state.leaving[executor.name, name] = None

    def _seed(self, entry: Entry, profile: Profiled) -> None:
        entry.seed(profile.point, profile.execution_s, profile.load_s)
        for executor in self._state.executors.values():
            executor.replan()

    def _want(self, name: str, entry: Entry) -> None:
        """Keep copies that were to be unloaded; copies of a removed model cannot be kept."""
        if entry.removed and entry.successor is None:
            return
        for executor in self._state.executors.values():
            if (executor.name, name) in self._state.leaving and not entry.removed:
                del self._state.leaving[executor.name, name]
                entry.holders.append(executor)
        if not entry.holders or entry.successor is not None:
            self._state.wanted[name] = None

    def _dismiss(self, name: str, entry: Entry) -> None:
        """Let copies take no more requests; those of a removed model are already being unloaded."""
        self._state.unwanted(name)
        for executor in list(entry.holders):
            self._state.leaving[executor.name, name] = None
            entry.shut(executor)
            if not entry.removed:
                entry.lost(executor)

    def _unload(self) -> list[Action]:
        actions: list[Action] = []
        for key in list(self._state.leaving):
            executor, name = self._state.executors.get(key[0]), key[1]
            if executor is None or not executor.cache.holds(name):
                del self._state.leaving[key]
            elif executor.cache.idle(name):
                del self._state.leaving[key]
                executor.cache.drop(name)
                self._state.models[name].lost(executor)
                actions.append(Unload(executor.name, name))
        return actions

    def _forget(self, name: str) -> None:
        if any(executor.cache.holds(name) for executor in self._state.executors.values()):
            return
        if any(each.batch.model == name for each in self._state.deferred.values()):
            return
        successor = self._state.models.pop(name).successor
        if successor is not None:
            self._add(successor)
        else:
            self._state.unwanted(name)

    def _load(self, now_s: float) -> list[Action]:
        actions: list[Action] = []
        for name in list(self._state.wanted):
            entry = self._state.models[name]
            if entry.holders and not entry.removed:
                self._state.unwanted(name)
            elif not entry.removed:
                actions += self._load_one(name, entry, now_s)
        return actions

    def _load_one(self, name: str, entry: Entry, now_s: float) -> list[Action]:
        """
        Load the model where nothing must be evicted, on the executor that has it soonest. If that
        would delay accepted requests, admission keeps room for it.
        """
        load_s, pages = entry.costs.load.mean, entry.costs.model.pages
        free = [e for e in self._state.executors.values() if self._has_room(e, entry)]
        free.sort(key=lambda e: (not e.cache.has_room(pages), e.load_ends_s(load_s, now_s)))
        for executor in free:
            if executor.late_by_load_s(load_s, now_s) <= 0:
                self._state.unwanted(name)
                return load(entry, executor, self._state.models, now_s) or []
        for executor in free[:1]:
            executor.kept_free_s = max(executor.kept_free_s, load_s)
        return []

    def _has_room(self, executor: Executor, entry: Entry) -> bool:
        model, cache = entry.costs.model, executor.cache
        return not cache.holds(model.name) and cache.victims(model.pages) is not None
