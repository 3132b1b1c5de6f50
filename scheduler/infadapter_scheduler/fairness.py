"""
Fairness between models: reserve room for models that are left out.

A model with much demand needs room for a large batch. Models with little demand need less, and
would fill every gap before it is large enough.
"""

from infadapter_scheduler.admission import Offer
from infadapter_scheduler.catalogue import Entry
from infadapter_scheduler.executor import Owed
from infadapter_scheduler.state import State

LEFT_OUT = 0.9
"""A model counts as left out below this multiple of the overall accepted share."""

FEW = 5.0
"""Number of arrivals in the window below which no share can be estimated."""


def reserve_capacity(state: State, entry: Entry, offer: Offer) -> None:
    """Let the least busy executor accept no new batch of another model before one of this model."""
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
