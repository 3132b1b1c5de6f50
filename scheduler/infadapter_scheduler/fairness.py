"""
Fairness: room for who is left out. A model that is asked for much needs room for a large batch;
those that are asked for little need less, and would take each gap before it is large enough.
"""

from infadapter_scheduler.admission import Offer
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Owed
from infadapter_scheduler.state import State

LEFT_OUT = 0.9
"""Of the accepted share of all requests: who is served less than that is left out."""

FEW = 5.0
"""Arrivals in the window, of which no share can be told."""


def owe_room(state: State, entry: Entry, offer: Offer) -> None:
    """The executor with the least to do takes no new batch of another model before this one's."""
    if not _left_out(state, entry, offer.now_s):
        return
    executor = min(entry.holders, key=lambda e: e.horizon_s(offer.now_s))
    if executor.owed is None or executor.owed.until_s < offer.now_s:
        target = state.pressure.target(
            offer.costs, offer.cap, entry.rate_rps * (offer.deadline_s - offer.now_s)
        )
        room_s = offer.costs.growing_s[target]
        if target > 1:
            executor.owed = Owed(entry.costs.model.name, room_s, offer.deadline_s + room_s)


def _left_out(state: State, entry: Entry, now_s: float) -> bool:
    rate_rps = entry.rate_rps
    if rate_rps * entry.arrivals.window_s < FEW:
        return False
    accepted = 1.0 - entry.unmet.rate(now_s) / (rate_rps * entry.costs.split_s[1])
    return accepted < LEFT_OUT * state.pressure.accepted(now_s)
