"""
Refuse requests like one that was just refused, without deciding again.

A request for the same model, moments after a refusal and before any other event, is refused for a
tenth of the cost of a decision. In an overload that is nearly all of them.

A request that would have been late by some time stands for requests whose deadlines are later by
less than half of it, because safety buffers shrink as time passes. Rate estimates are updated for
all of them at once.
"""

from dataclasses import dataclass

from infadapter_scheduler.actions import Action, Reason, Refuse
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.events import Arrived
from infadapter_scheduler.model import Costs
from infadapter_scheduler.state import State

LONGEST_S = 0.005
"""Seconds after which a request is decided individually again: trials are due by the clock."""

STANDS_FOR = 0.5
"""Share of the lateness by which a deadline may be later to be refused alike."""


@dataclass(slots=True, eq=False, kw_only=True)
class First:
    """The request that was refused, and how many have been refused like it."""

    entry: Entry
    costs: Costs
    each_s: float  # of its work
    floor: float
    refusal: Refuse
    deadline_s: float
    last_s: float  # the latest deadline that it stands for
    until_s: float
    others: int = 0


class Alike:
    def __init__(self, state: State) -> None:
        self._state = state
        self._first: dict[str, First] = {}  # of a model

    def again(self, event: Arrived, now_s: float) -> Refuse | None:
        """Return the refusal of a request like the remembered one, or None."""
        first = self._first.get(event.model)
        if first is None:
            return None
        stands = first.deadline_s <= event.deadline_s <= first.last_s and now_s <= first.until_s
        if not stands or event.floor != first.floor:
            self._tell(self._first.pop(event.model), now_s)
            return None
        first.others += 1
        _, reason, retry_after_s = first.refusal
        return Refuse(event.request, reason, retry_after_s)

    def decided(self, event: Arrived, actions: list[Action], now_s: float) -> None:
        """Remember a refusal; forget it after an acceptance, which changes what others can get."""
        refusal = actions[0] if len(actions) == 1 else None
        if not isinstance(refusal, Refuse) or refusal.request != event.request:
            self.end(now_s)
        elif refusal.reason is Reason.NO_TIME:
            self._remember(event, refusal, now_s)

    def end(self, now_s: float) -> None:
        """Forget the refusal, because another event happened."""
        if self._first:
            for first in self._first.values():
                self._tell(first, now_s)
            self._first.clear()

    def _remember(self, event: Arrived, refusal: Refuse, now_s: float) -> None:
        entry, deadline_s = self._state.models[event.model], event.deadline_s
        costs = entry.costs_at(event.floor)
        # Else a little more time may be enough for a batch that there is.
        full = all(batch.members[-1].deadline_s <= deadline_s for batch in entry.full)
        if costs is not None and full and not entry.open and not self._state.deferred:
            cap = self._state.cap(entry, costs, deadline_s - now_s)
            self._first[event.model] = First(
                entry=entry,
                costs=costs,
                each_s=costs.seconds_each[cap],
                floor=event.floor,
                refusal=refusal,
                deadline_s=deadline_s,
                last_s=deadline_s + STANDS_FOR * refusal.retry_after_s,
                until_s=now_s + LONGEST_S,
            )

    def _tell(self, first: First, now_s: float) -> None:
        others, entry = first.others, first.entry
        if others:
            entry.rate_rps = entry.arrivals.add(others, now_s)
            entry.unmet.add(others * first.costs.split_s[1], now_s)
            self._state.pressure.arrived(first.each_s, now_s, others)
            self._state.pressure.refused.add(others * first.each_s, now_s)
