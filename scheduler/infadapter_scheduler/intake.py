"""Intake: accept an arrival, with a load if that is in time, or refuse it at once."""

from collections.abc import Iterable, Iterator
from math import inf

from infadapter_scheduler.actions import Action, Reason, Refuse
from infadapter_scheduler.admission import Offer
from infadapter_scheduler.batch import Request
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.deferral import deferred
from infadapter_scheduler.executor import Executor
from infadapter_scheduler.fairness import reserve_capacity
from infadapter_scheduler.load_trial import tried_load
from infadapter_scheduler.loading import least_loaded, load, worth_loading
from infadapter_scheduler.placement import joined, opened, opened_on, opening
from infadapter_scheduler.size_trial import doubt
from infadapter_scheduler.state import State
from infadapter_scheduler.trial import tried

Decision = tuple[Request | None, list[Action]]
"""The accepted request and the loads for it; or None and the refusal."""


class Intake:
    def __init__(self, state: State) -> None:
        self._state = state
        self._turn = 0

    def decide(self, entry: Entry, offer: Offer) -> Decision:
        found: Request | float | None = joined(self._state, entry, offer)
        if found is None:
            found = opened(self._state, entry, offer)
        if self._state.trials and not isinstance(found, Request):
            found = tried(entry, offer) or found
            if offer.costs.doubted and isinstance(found, float):
                doubt(entry, offer.costs, offer.now_s)
        request: Request | None
        actions: list[Action] = []
        if isinstance(found, Request):
            request = found
        else:
            request, actions = self._without_copies(entry, offer, found)
        if request is not None:
            self._state.accepted[request.number] = request
        return request, actions

    def _without_copies(self, entry: Entry, offer: Offer, late_s: float) -> Decision:
        """
        Accept with a load, which may evict; otherwise refuse, which counts as demand for a load.
        """
        candidates: list[Executor] = []
        if len(entry.holders) < len(self._state.executors) and not entry.removed:
            candidates = least_loaded(self._in_turn(), entry, offer.now_s)
            found: Decision | Request | float
            for executor in candidates:
                found = self._cold(entry, executor, offer)
                if isinstance(found, tuple):
                    return found
                late_s = min(late_s, found)
            for executor in candidates:
                found = deferred(self._state, entry, executor, offer)
                if isinstance(found, Request):
                    return found, []
                late_s = min(late_s, found)
        return self._refused(entry, offer, late_s, candidates)

    def _refused(
        self, entry: Entry, offer: Offer, late_s: float, candidates: Iterable[Executor]
    ) -> Decision:
        """Refuse the request. `candidates` are the executors where its weights could be loaded."""
        entry.unmet.add(offer.costs.split_s[1], offer.now_s)
        self._state.pressure.refused.add(offer.costs.seconds_each[offer.cap], offer.now_s)
        if late_s < inf and entry.holders:
            reserve_capacity(self._state, entry, offer)
        reason = Reason.NO_TIME if late_s < inf else Reason.NO_MEMORY
        if not self._state.executors:
            reason = Reason.NO_EXECUTOR
        refusal = Refuse(offer.request, reason, late_s if late_s < inf else 1.0)
        loads = self._load_beside(entry, offer.now_s)
        if self._state.trials and not entry.holders and not loads:
            loads = tried_load(self._state, entry, candidates, offer)
        return None, [refusal, *loads]

    def _cold(self, entry: Entry, executor: Executor, offer: Offer) -> Decision | float:
        if executor.cache.victims(entry.costs.model.pages) is None:
            return inf
        there_s = executor.load_ends_s(entry.costs.load.mean, offer.now_s)
        late_s = there_s + offer.lag_s + offer.costs.split_s[1] - offer.deadline_s
        late_s = max(late_s, executor.late_by_load_s(entry.costs.load.mean, offer.now_s))
        if late_s > 0:
            return late_s
        found = self._opened_behind_load(entry, executor, offer, there_s)
        if isinstance(found, float):
            return found
        return found, load(entry, executor, self._state.models, offer.now_s) or []

    def _opened_behind_load(
        self, entry: Entry, executor: Executor, offer: Offer, there_s: float
    ) -> Request | float:
        """Open a batch behind a load in a shared queue, which delays everything planned."""
        booked_s = executor.booked_s
        if executor.shared_load:
            executor.booked_s = there_s
        new = opening(self._state, entry, executor, offer, offer.cap, there_s)
        found = opened_on(self._state, entry, executor, offer, new)
        executor.booked_s = booked_s
        return found

    def _load_beside(self, entry: Entry, now_s: float) -> list[Action]:
        missing = len(entry.holders) < len(self._state.executors)
        if not missing or entry.removed or now_s < entry.retry_load_s:
            return []
        entry.retry_load_s = now_s + entry.costs.load.mean
        for executor in least_loaded(self._in_turn(), entry, now_s):
            if worth_loading(entry, executor, self._state.models, now_s):
                return load(entry, executor, self._state.models, now_s) or []
        return []

    def _in_turn(self) -> Iterator[Executor]:
        executors = list(self._state.executors.values())
        self._turn = (self._turn + 1) % len(executors)
        return iter(executors[self._turn :] + executors[: self._turn])
