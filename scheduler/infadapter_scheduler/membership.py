"""Membership: executors join and are lost, loads succeed and fail; planned batches move."""

from collections.abc import Callable

from infadapter_scheduler.actions import Action, Reason, Refuse, Unload
from infadapter_scheduler.admission import Offer
from infadapter_scheduler.batch import Batch, Request
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.events import ExecutorJoined, ExecutorLeft, Loaded
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.load_trial import record_load
from infadapter_scheduler.model import Costs
from infadapter_scheduler.residency import PageCache
from infadapter_scheduler.sending import Sender
from infadapter_scheduler.state import State

Admit = Callable[[Entry, Offer], list[Action]]


class Membership:
    """
    Handles these events. `admit` is called again for requests that cannot be served where they were
    planned.
    """

    def __init__(self, state: State, sender: Sender, admit: Admit) -> None:
        self._state, self._sender, self._admit = state, sender, admit

    def handle(self, event: ExecutorJoined | ExecutorLeft | Loaded, now_s: float) -> list[Action]:
        match event:
            case ExecutorJoined():
                return self._joined(event, now_s)
            case ExecutorLeft():
                return self._left(event.executor, now_s)
            case Loaded():
                return self._loaded(event, now_s)

    def _joined(self, event: ExecutorJoined, now_s: float) -> list[Action]:
        """Register an executor, and unload weights of models that are no longer served."""
        actions = self._left(event.executor, now_s)
        state = self._state
        executor = Executor(
            name=event.executor,
            cache=PageCache(event.pages, kept=state.kept),
            lag_s=state.lag_s,
            shared_load=event.shared_load,
        )
        state.executors[event.executor] = executor
        state.executors_changed()
        for name in event.resident:
            entry = state.models.get(name)
            if entry is None or entry.removed:
                actions.append(Unload(event.executor, name))
            else:
                executor.cache.keep(name, entry.costs.model.pages)
                entry.holders.append(executor)
        return actions

    def _left(self, name: str, now_s: float) -> list[Action]:
        """
        Handle a lost executor: its running batch is lost, planned batches and pinned models move
        elsewhere.
        """
        executor = self._state.executors.pop(name, None)
        if executor is None:
            return []
        self._state.executors_changed()
        for model in executor.cache.sizes:
            entry = self._state.models[model]
            entry.lost(executor)
            if model in self._state.kept and not entry.holders:
                self._state.wanted[model] = None
        lost = [member for sent in executor.sent for member in sent.members]
        actions = self._state.give_up(lost, Reason.EXECUTOR_LEFT)
        return actions + self._elsewhere(list(executor.plan), executor, now_s)

    def _loaded(self, event: Loaded, now_s: float) -> list[Action]:
        executor = self._state.executors.get(event.executor)
        if executor is None or event.model not in executor.cache.loading:
            return []
        executor.load_ended(event.model, event.end_s)
        entry = self._state.models[event.model]
        record_load(entry, executor, event)
        if not event.done:
            return self._not_loaded(entry, executor, now_s)
        executor.cache.loaded(event.model)
        executor.released(event.model)
        return self._sender.dispatch(executor, now_s)

    def _not_loaded(self, entry: Entry, executor: Executor, now_s: float) -> list[Action]:
        name = entry.costs.model.name
        executor.cache.drop(name)
        entry.lost(executor)
        self._state.leaving.pop((executor.name, name), None)  # a copy that comes now is another one
        waiting = [batch for batch in executor.plan if batch.model == name]
        actions = self._elsewhere(waiting, executor, now_s)
        return actions + self._sender.dispatch(executor, now_s)

    def _elsewhere(self, batches: list[Batch], executor: Executor, now_s: float) -> list[Action]:
        """Admit planned requests again on other executors, or give them up."""
        for batch in batches:
            executor.plan.remove(batch)
            self._state.emptied(batch, executor)
        members = [(member, batch.costs) for batch in batches for member in batch.members]
        return [action for member, costs in members for action in self._again(member, costs, now_s)]

    def _again(self, member: Request, costs: Costs, now_s: float) -> list[Action]:
        if self._state.accepted.pop(member.number, None) is None:
            return []  # nobody waits for it
        entry = self._state.models[member.model]
        offer = self._state.offer(entry, costs, member.number, member.deadline_s, now_s)
        actions = self._admit(entry, offer)
        return [
            Refuse(member.number, Reason.EXECUTOR_LEFT, 0.0)
            if isinstance(a, Refuse) and a.request == member.number  # not others, late by what runs
            else a
            for a in actions
        ]
